/**
 * `ctr run --cni`: containerd's own client calls the plugins itself, from /opt/cni/bin with the configuration in /etc/cni/net.d, and gives
 * the namespace as a path below /proc. When the container has ended it calls DEL without a namespace; if it was detached, not at all.
 */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../e2e/agent-world.ts';
import { ContainerHost, HOST, OUTSIDE } from './container-host.ts';
import { Containerd } from './containerd.ts';
import { IMAGE } from './oci-image.ts';
import { ask, serve } from './traffic.ts';

let host: ContainerHost;
let containerd: Containerd;
/** A namespace of containerd's; its name is that of the control group too. */
let namespace: string;

beforeAll(async () => {
  host = await ContainerHost.open();
  namespace = host.cgroup.slice(1);
  containerd = await Containerd.start(host);
  await containerd.ctr(namespace, 'image', 'import', `${host.folder}/image.tar`);
});
afterAll(async () => {
  containerd?.[Symbol.dispose]();
  await host?.[Symbol.asyncDispose]();
});

test.for([
  ['bridge', { type: 'bridge', bridge: 'cni0', isDefaultGateway: true }],
  ['poplin', { type: 'poplin' }],
] as const)(
  'a container on a network of %s has traffic in both families, and leaves nothing',
  async ([name, plugin]) => {
    configure(name, plugin);
    const before = await host.state();
    await using _outside = await serve(host.box, host.outside, 'outside', 80);
    await using attached = await attach(name);
    const addresses = await addressesOf(name);
    expect(addresses).toEqual([expect.stringMatching(/^10\.82\.0\.\d+$/), expect.stringMatching(/^fd82::/)]);
    const netns = `/proc/${await pidOf(name)}/ns/net`;
    await using server = await serve(host.box, netns, name, 80);
    for (const [at, family] of ([4, 6] as const).entries()) {
      const address = addresses[at] ?? '';
      expect(await ask(host.box, { from: host.outside, address, port: 80 })).toEqual({
        name,
        peer: OUTSIDE[family],
      });
      expect(await ask(host.box, { from: netns, address: OUTSIDE[family], port: 80 })).toEqual({
        name: 'outside',
        peer: address,
      });
      expect(await ask(host.box, { address, port: 80 })).toMatchObject({ name });
      expect(await inside(name, 'ping', '-c1', '-W1', HOST[family])).toContain('1 packets received');
    }
    await server[Symbol.asyncDispose]();
    await run('task', 'kill', '--signal', 'KILL', name);
    await attached.ended;
    await expect.poll(() => host.state(), { timeout: 5000 }).toBe(before);
  },
);

test('a container that nobody calls DEL for gives back what was its own, and takes nothing of others', async () => {
  configure('poplin', { type: 'poplin' });
  await run('run', '--detach', '--cni', IMAGE, 'stays');
  const before = await host.state();
  await run('run', '--detach', '--cni', IMAGE, 'goes');
  expect(await host.state()).not.toBe(before);
  await run('task', 'delete', '--force', 'goes');
  // ctr's own record of the attachment.
  await host.box.sh('rm /var/lib/cni/results/*-goes-eth0');
  await expect.poll(() => host.state(), { timeout: 5000 }).toBe(before);
  const [address = ''] = await addressesOf('stays');
  await using _stays = await serve(host.box, `/proc/${await pidOf('stays')}/ns/net`, 'stays', 80);
  expect(await ask(host.box, { from: host.outside, address, port: 80 })).toMatchObject({ name: 'stays' });
});

function run(...args: readonly string[]): Promise<string> {
  return containerd.ctr(namespace, ...args);
}

function configure(name: string, plugin: object): void {
  const ipam = { type: 'host-local', ranges: [[{ subnet: '10.82.0.0/24' }], [{ subnet: 'fd82::/64' }]] };
  const list = { cniVersion: '1.0.0', name: `${name}-ctr`, plugins: [{ ...plugin, ipam }] };
  host.writeFile('/etc/cni/net.d/10-ctr.conflist', JSON.stringify(list));
}

/** A command's output in a container. */
function inside(container: string, ...command: readonly string[]): Promise<string> {
  return run('task', 'exec', '--exec-id', 'one', container, ...command);
}

async function pidOf(container: string): Promise<string> {
  const lines = (await run('task', 'list')).split('\n').map((line) => line.split(/\s+/));
  return lines.find(([name]) => name === container)?.[1] ?? '';
}

async function addressesOf(container: string): Promise<string[]> {
  const text = await inside(container, 'ip', '-o', 'address', 'show', 'dev', 'eth0', 'scope', 'global');
  return [...text.matchAll(/inet6? (\S+)\/\d+/g)].map(([, address = '']) => address);
}

/** Runs a container whose client stays with it. Disposing ends both. */
async function attach(container: string): Promise<AsyncDisposable & { ended: Promise<unknown> }> {
  const args = ['--address', containerd.socket, '--namespace', namespace, 'run', '--rm', '--cni'];
  const client = host.box.spawn('ctr', [...args, IMAGE, container], { stdio: 'ignore' });
  const ended = once(client, 'exit');
  await until(`${container} runs`, async () => (await run('task', 'list')).includes('RUNNING'));
  return {
    ended,
    async [Symbol.asyncDispose]() {
      if (client.exitCode === null) await host.box.try('kill', '-KILL', await pidOf(container));
      await ended;
    },
  };
}
