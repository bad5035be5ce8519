/** `poplin cleanup --network` on the real kernel: one network of a host goes, unless pods would be cut off unasked; the other stays. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inNetns } from './cni-world.ts';
import { NamespaceFolder } from './namespace-folder.ts';

const MAIN = join(import.meta.dirname, '../../dist/poplin.mjs');

let folder: NamespaceFolder;
let netns: string;
let files: string;
beforeEach(() => {
  folder = new NamespaceFolder('cleanup-network');
  netns = folder.make('host').path;
  files = mkdtempSync(join(tmpdir(), 'poplin-cleanup-network-'));
});
afterEach(() => {
  folder[Symbol.dispose]();
  rmSync(files, { recursive: true });
});

const sh = (commandLine: string) => inNetns(netns, 'sh', '-ec', commandLine);
function file(path: string, content: object): void {
  mkdirSync(dirname(join(files, path)), { recursive: true });
  writeFileSync(join(files, path), JSON.stringify(content));
}

function cleanup(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    'nsenter',
    [`--net=${netns}`, process.execPath, MAIN, 'cleanup', '--root-dir', files, ...args],
    { encoding: 'utf8' },
  );
  return { status, stdout, stderr };
}

/** Two networks with a device each, and a pod in either: one by a route to it, one by its bridge. */
const WORLD = `
  ip link set lo up
  ip link add eth0 type veth peer name far0; ip link set eth0 up; ip address add 192.0.2.1/24 dev eth0
  for vni in 1 2; do ip link add flannel.$vni type vxlan id $vni dstport 8472 local 192.0.2.1 dev eth0; ip link set flannel.$vni up; done
  ip link set flannel.1 alias poplin:overlay; ip link set flannel.2 alias poplin:overlay-1
  ip route add 10.44.9.0/24 dev flannel.1 proto 112; ip route add 10.45.9.0/24 dev flannel.2 proto 121
  ip link add pop1 type veth peer name pod1; ip link set pop1 alias poplin:cni:pods/one/eth0 up
  ip route add 10.44.1.2/32 dev pop1 proto 113
  ip link add cni1 type bridge; ip link set cni1 alias poplin:cni up; ip address add fd45:0:0:1::1/64 dev cni1
  ip link add veth1 type veth peer name pod2; ip link set veth1 master cni1 alias poplin:cni:second/two/net1`;

const links = () => sh("ip -o link | sed 's/^[0-9]*: //; s/[@:].*//' | sort").trim().split('\n');

test('pods keep their network until they are gone, or somebody insists', () => {
  sh(WORLD);
  file('/var/lib/poplin/networks/0.json', {
    name: 'default',
    subnetFile: '/run/flannel/subnet.env',
    prefixes: ['10.44.0.0/16'],
  });
  file('/var/lib/poplin/networks/1.json', {
    name: 'second',
    subnetFile: '/run/flannel/second.env',
    prefixes: ['10.45.0.0/16', 'fd45::/48'],
  });
  const before = links();
  expect(cleanup('--network', 'second')).toEqual({
    status: 2,
    stdout: '',
    stderr:
      'poplin cleanup: 1 interfaces of pods have addresses of network second (poplin:cni:second/two/net1): ' +
      'remove the pods first, or cut them off from it with --force\n',
  });
  expect(cleanup('--network', 'default').stderr).toContain('(poplin:cni:pods/one/eth0)');
  expect(cleanup('--network', 'second', '--dry-run')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^would be removed {2}link flannel\.2 /m),
  });
  expect(links()).toEqual(before);

  expect(cleanup('--network', 'second', '--force')).toMatchObject({ status: 0, stderr: '' });
  expect(links()).toEqual(before.filter((name) => name !== 'flannel.2'));
  expect(existsSync(join(files, '/var/lib/poplin/networks/1.json'))).toBe(false);
  expect(existsSync(join(files, '/var/lib/poplin/networks/0.json'))).toBe(true);

  sh('ip link del pop1');
  expect(cleanup('--network', 'default')).toMatchObject({ status: 0, stderr: '' });
  expect(links()).not.toContain('flannel.1');
  expect(links()).toContain('veth1');
});
