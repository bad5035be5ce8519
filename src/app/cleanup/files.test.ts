import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { agentPaths } from '#app/agent/index.ts';
import { removeFiles, removeFlannelEnv, removeNetworkFiles, removeSubnetEnv } from './files.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'poplin-cleanup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
const rowsOf = (isDry = false) =>
  [...removeSubnetEnv(agentPaths(root), isDry), ...removeFiles(root, isDry)].map(({ what, done }) => [
    what.slice(root.length),
    done,
  ]);
const ENV =
  'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n';

test('folders of Poplin go with all in them, but for labs, installed plugins and the database', () => {
  for (const path of ['run/poplin/agent.sock', 'run/poplin/lab/demo/x', 'var/lib/poplin/cni/dhcp/x'])
    put(path);
  for (const path of ['var/lib/poplin/cni-install.json', 'var/lib/poplin/apiserver.db-wal', 'var/lib/other'])
    put(path);
  const wanted = [
    ['/run/poplin/agent.sock', 'removed'],
    ['/run/poplin/lab', 'kept'],
    ['/var/lib/poplin/apiserver.db-wal', 'kept'],
    ['/var/lib/poplin/cni', 'removed'],
    ['/var/lib/poplin/cni-install.json', 'kept'],
  ];
  expect(rowsOf(true)).toEqual(
    wanted.map(([path, done]) => [path, done === 'removed' ? 'would be removed' : done]),
  );
  expect(existsSync(join(root, 'run/poplin/agent.sock'))).toBe(true);
  expect(rowsOf()).toEqual(wanted);
  expect(readdirSync(join(root, 'run/poplin'))).toEqual(['lab']);
  expect(existsSync(join(root, 'var/lib/other'))).toBe(true);
});

test('subnet.env goes if it names the subnet that was held, in both families', () => {
  const both = `${ENV}FLANNEL_IPV6_SUBNET=fd44:0:0:3::1/64\n`;
  put('run/flannel/subnet.env', both);
  put('var/lib/poplin/lease.json', '{"ipv4":"10.244.3.0/24","ipv6":"fd44:0:0:3::/64"}');
  expect(rowsOf()).toEqual([
    ['/run/flannel/subnet.env', 'removed'],
    ['/var/lib/poplin/lease.json', 'removed'],
  ]);
  expect(readdirSync(root)).toEqual(['run', 'var']);
  expect(existsSync(join(root, 'run/flannel'))).toBe(false);
  expect(rowsOf()).toEqual([]);
});

test('subnet.env is looked for where the agent was told to write it', () => {
  put('run/other/one.env', ENV);
  put('run/flannel/subnet.env', ENV);
  put('var/lib/poplin/lease.json', '{"ipv4":"10.244.3.0/24"}');
  expect(removeSubnetEnv(agentPaths(root, '/run/other/one.env'), false)).toMatchObject([{ done: 'removed' }]);
  expect(readdirSync(join(root, 'run'))).toEqual(['flannel']);
});

test('of one network of several only its own files go', () => {
  for (const path of ['run/poplin/agent.sock', 'var/lib/poplin/lease.json', 'var/lib/poplin/networks/0.json'])
    put(path);
  for (const path of ['run/poplin/network-b/agent.sock', 'var/lib/poplin/networks/1.json']) put(path);
  put('var/lib/poplin/network-b/lease.json', '{"ipv4":"10.244.3.0/24"}');
  put('run/flannel/b.env', ENV);
  const rows = removeNetworkFiles(1, agentPaths(root, undefined, 'b'), false);
  expect(rows.map(({ what, done }) => [what.slice(root.length), done])).toEqual(
    [
      '/run/flannel/b.env',
      '/run/poplin/network-b',
      '/var/lib/poplin/network-b',
      '/var/lib/poplin/networks/1.json',
    ].map((path) => [path, 'removed']),
  );
  expect(readdirSync(join(root, 'run/poplin'))).toEqual(['agent.sock']);
  expect(readdirSync(join(root, 'var/lib/poplin'))).toEqual(['lease.json', 'networks']);
});

test.each([
  ['another subnet', '{"ipv4":"10.244.4.0/24"}'],
  ['one family of two', '{"ipv4":"10.244.3.0/24","ipv6":"fd44:0:0:3::/64"}'],
  ['nothing that can be read', '{"ipv4":7'],
  ['no lease', undefined],
])('subnet.env stays where Poplin held %s', (_name, lease) => {
  put('run/flannel/subnet.env', ENV);
  if (lease !== undefined) put('var/lib/poplin/lease.json', lease);
  expect(rowsOf()[0]).toEqual(['/run/flannel/subnet.env', 'kept']);
  expect(removeFlannelEnv(agentPaths(root), false)).toHaveLength(1);
  expect(existsSync(join(root, 'run/flannel'))).toBe(false);
});
