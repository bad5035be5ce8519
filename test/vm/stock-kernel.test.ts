/** That this tier runs where it means to: under Debian's generic kernel, with the features other machines' kernels lack. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NamespaceFolder } from '../kernel/namespace-folder.ts';

const RECORD = join(import.meta.dirname, '../../dist/vm/kernel.json');

let folder: NamespaceFolder;
let netns: string;

beforeAll(() => {
  folder = new NamespaceFolder('stock-kernel');
  netns = folder.make('host').path;
});
afterAll(() => folder[Symbol.dispose]());

function ip(...args: string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, 'ip', ...args], { encoding: 'utf8', stdio: 'pipe' });
}

test('the kernel that runs is the one that setup fetched', () => {
  expect(release()).toBe((JSON.parse(readFileSync(RECORD, 'utf8')) as { release: string }).release);
});

describe('modules load by themselves when a link of their kind is made', () => {
  beforeAll(() => {
    ip('link', 'add', 'under0', 'type', 'veth', 'peer', 'name', 'under1');
  });

  test.each<[kind: string, place: string[], options?: string[]]>([
    ['dummy', []],
    ['ipvlan', ['link', 'under0']],
    ['vlan', ['link', 'under0'], ['id', '7']],
    ['vrf', [], ['table', '7']],
    ['ipip', [], ['local', '127.0.0.1', 'remote', '127.0.0.2']],
    ['wireguard', []],
    ['geneve', [], ['id', '7', 'remote', '127.0.0.2']],
  ])('%s', (kind, place, options = []) => {
    ip('link', 'add', ...place, 'name', 'new0', 'type', kind, ...options);
    expect(JSON.parse(ip('-j', '-d', 'link', 'show', 'new0'))).toMatchObject([
      { linkinfo: { info_kind: kind } },
    ]);
    ip('link', 'delete', 'new0');
  });
});

test('device files are there whose module is not loaded yet', () => {
  ip('tuntap', 'add', 'tun0', 'mode', 'tun');
  expect(ip('-d', 'link', 'show', 'tun0')).toContain('tun type tun');
  ip('link', 'delete', 'tun0');
});
