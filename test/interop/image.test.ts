/** The container image: built, run under podman as a node's agent, and connected with a node whose agent is a plain process. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildImage, containersConf, IMAGE_FILE, IMAGE_NAME } from '../../tools/image.ts';
import { Station } from '../e2e/agent-station.ts';
import { inNetns, until } from '../e2e/agent-world.ts';
import { removeCgroup } from './container-host.ts';

const NET_CONF = JSON.stringify({
  Network: '10.42.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd42::/48',
  Backend: { Type: 'vxlan' },
});
const CGROUP = `/poplin-image-${process.pid}`;

let station: Station;
let store: string;

beforeAll(async () => {
  store = mkdtempSync(join(tmpdir(), 'poplin-podman-'));
  station = await Station.open(NET_CONF);
}, 60_000);
afterAll(async () => {
  try {
    podman('rm', '--all', '--force', '--time', '0');
  } finally {
    removeCgroup(CGROUP);
    await station[Symbol.asyncDispose]();
    rmSync(store, { recursive: true, force: true });
  }
});

function podman(...args: readonly string[]): string {
  const config = join(store, 'containers.conf');
  writeFileSync(config, containersConf(store));
  const own = ['--root', join(store, 'root'), '--runroot', join(store, 'run'), '--storage-driver', 'vfs'];
  return execFileSync('podman', [...own, ...args], {
    encoding: 'utf8',
    env: { ...process.env, CONTAINERS_CONF: config, TMPDIR: store },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

test('the agent of the image joins a cluster, and its pods reach those of others', {
  timeout: 120_000,
}, async () => {
  const bytes = buildImage();
  console.log(`${IMAGE_NAME}: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  podman('load', '--input', IMAGE_FILE);
  station.startAgent('n1', 11);
  station.addHost('n2', 12);
  mkdirSync(station.file('n2'));
  // Mounts made later are not seen in the container here, where the folder is no shared mount as a host's /run/netns is.
  const pods = { n1: station.pod('n1'), n2: station.pod('n2') };
  podman(
    ...['run', '--detach', '--name', 'agent', '--cgroup-parent', CGROUP, '--read-only'],
    ...['--network', `ns:${station.file('host-n2')}`, '--cap-drop', 'all'],
    ...['--cap-add', 'NET_ADMIN,NET_RAW,NET_BIND_SERVICE,SYS_ADMIN', '--security-opt', 'seccomp=unconfined'],
    ...['--volume', `${station.folder}:${station.folder}:rslave`, '--volume', '/proc/sys:/host/proc/sys'],
    ...['--env', 'POPLIN_PROC_SYS=/host/proc/sys', IMAGE_NAME],
    ...['agent', '--node-name', 'n2', '--register-node', '--root-dir', station.file('n2')],
    ...['--kubeconfig', station.file('kubeconfig'), '--net-conf', station.file('net-conf.json')],
  );
  for (const node of ['n1', 'n2'])
    await station
      .statusWhere(node, 'ready', ({ ready }) => ready)
      .catch((error: unknown) => {
        throw new Error(`${String(error)}: ${podman('logs', 'agent')}`);
      });
  const varRun = podman('exec', 'agent', '/usr/local/bin/node', '-p', 'fs.realpathSync("/var/run")');
  expect(varRun.trim()).toBe('/run');
  const addresses: string[][] = [];
  for (const node of ['n1', 'n2'] as const) {
    const { json } = await station.plugin(node, {
      plugin: 'poplin',
      command: 'ADD',
      containerId: node,
      netns: pods[node],
      stdin: '{"cniVersion": "1.0.0", "name": "pods", "type": "poplin"}',
    });
    expect(json, podman('logs', 'agent')).toMatchObject({ ips: [{}, {}] });
    const { ips } = json as { ips: { address: string }[] };
    addresses.push(ips.map(({ address }) => address.replace(/\/.*/, '')));
  }
  for (const [from, to] of [
    ['n1', 1],
    ['n2', 0],
  ] as const) {
    for (const address of addresses[to] ?? [])
      await until(`${from} reaches ${address}`, () => {
        const ping = ['ping', '-nqc1', '-W1', address] as const;
        return inNetns(station.file(`pod-${from}`), ...ping).includes(' 0% packet loss');
      });
  }
});
