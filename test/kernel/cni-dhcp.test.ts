/** The IPAM plugin dhcp on the real kernel, with busybox udhcpd as server: leases, renewal, loss, restart, release. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { CniServer } from '#io/cni/server/index.ts';
import { CniWorld, pings } from './cni-world.ts';
import { BRIDGE_NAME, DhcpServer, type DhcpServerOptions } from './dhcp-server.ts';

const config = (type: string, keys: object = {}, ipam: object = {}) => ({
  cniVersion: '1.1.0',
  name: 'lan',
  type,
  ...keys,
  ipam: { type: 'dhcp', ...ipam },
});
const BRIDGE = config('bridge', { bridge: BRIDGE_NAME });

async function open(leaseSeconds: number, options: Partial<DhcpServerOptions> = {}) {
  const stack = new AsyncDisposableStack();
  const world = stack.use(await CniWorld.open());
  for (const pod of ['a', 'b']) world.pod(pod);
  const server = stack.use(new DhcpServer(world));
  await server.start({ leaseSeconds, ...options });
  return { world, server, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const addressOf = (json: unknown) => (json as { ips: { address: string }[] }).ips[0]?.address;

describe('a pod on a bridge', () => {
  test('gets a lease, its address and routes, and reaches the server; DEL takes all away', async () => {
    await using lan = await open(3600);
    const { world } = lan;
    const { json, exitStatus } = await world.call('bridge', 'ADD', 'a', BRIDGE);
    expect(json).toMatchObject({
      ips: [{ interface: 2, gateway: '10.90.0.1' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.90.0.1' }],
    });
    expect(exitStatus).toBe(0);
    expect(addressOf(json)).toMatch(/^10\.90\.0\.\d+\/24$/);
    expect(world.inPod('a', 'ip -4 -o address show eth0')).toContain(` ${addressOf(json)} `);
    expect(world.inPod('a', 'ip -4 route')).toContain('default via 10.90.0.1 dev eth0');
    expect(pings(world.pod('a'), '10.90.0.1')).toBe(true);
    expect(await world.call('bridge', 'CHECK', 'a', { ...BRIDGE, prevResult: json })).toEqual({
      exitStatus: 0,
      json: undefined,
    });
    expect(await world.call('bridge', 'DEL', 'a', BRIDGE)).toEqual({ exitStatus: 0, json: undefined });
    expect(world.dhcp.held()).toEqual([]);
    expect((await world.call('bridge', 'DEL', 'a', BRIDGE)).exitStatus).toBe(0);
  });

  test('gives its lease back at DEL and GC: the server has one address only, and gives it to the next', async () => {
    await using lan = await open(3600, { range: ['10.90.0.10', '10.90.0.10'] });
    const { world } = lan;
    const give = async (pod: string) => addressOf((await world.call('bridge', 'ADD', pod, BRIDGE)).json);
    expect(await give('a')).toBe('10.90.0.10/24');
    await world.call('bridge', 'DEL', 'a', BRIDGE);
    expect(await give('b')).toBe('10.90.0.10/24');
    await world.call('bridge', 'GC', 'b', { ...BRIDGE, 'cni.dev/valid-attachments': [] });
    expect(world.dhcp.held()).toEqual([]);
    expect(await give('a')).toBe('10.90.0.10/24');
  });

  test('gets an error where its lease cannot be recorded, and the server has its address back', async () => {
    await using lan = await open(3600, { range: ['10.90.0.10', '10.90.0.10'] });
    const { world } = lan;
    const records = join(world.folder, 'dhcp');
    renameSync(records, `${records}-away`);
    const { json } = await world.call('bridge', 'ADD', 'a', BRIDGE);
    expect(json).toMatchObject({ code: 5, msg: 'the DHCP lease of eth0 cannot be recorded' });
    expect([world.recorded(), world.dhcp.held()]).toEqual([[], []]);
    renameSync(`${records}-away`, records);
    expect(addressOf((await world.call('bridge', 'ADD', 'b', BRIDGE)).json)).toBe('10.90.0.10/24');
  });

  test('gets another address than the next pod, and both reach each other', async () => {
    await using lan = await open(3600);
    const { world } = lan;
    const [a, b] = await Promise.all(['a', 'b'].map((pod) => world.call('bridge', 'ADD', pod, BRIDGE)));
    const [first, second] = [addressOf(a?.json), addressOf(b?.json)];
    expect(first).not.toBe(second);
    expect(pings(world.pod('a'), String(second).replace('/24', ''))).toBe(true);
  });

  test('keeps its lease by renewing it, also after the agent was away', async () => {
    await using lan = await open(6);
    const { world, server } = lan;
    const { json } = await world.call('bridge', 'ADD', 'a', BRIDGE);
    const address = addressOf(json);
    const expiry = () => world.dhcp.held()[0]?.lease?.expiresAtMs ?? 0;
    const first = expiry();
    await server.says(/sending ACK/, 2);
    await vi.waitFor(() => expect(expiry()).toBeGreaterThan(first), { timeout: 2000 });
    await world.stop();
    await world.start();
    expect(addressOf({ ips: [world.dhcp.held()[0]?.lease] })).toBe(address);
    await server.says(/sending ACK/, 3);
    expect(world.inPod('a', 'ip -4 -o address show eth0')).toContain(` ${address} `);
    expect(pings(world.pod('a'), '10.90.0.1')).toBe(true);
  }, 30_000);

  test('loses its address when nobody renews the lease, and gets it back with the server', async () => {
    await using lan = await open(5);
    const { world, server } = lan;
    const { json } = await world.call('bridge', 'ADD', 'a', BRIDGE);
    await server.stop();
    const monitor = world.monitorPod('a');
    await monitor.says(/^Deleted .* inet 10\.90\.0\./m);
    expect(world.inPod('a', 'ip -4 -o address show eth0')).toBe('');
    expect((await world.call('bridge', 'CHECK', 'a', { ...BRIDGE, prevResult: json })).json).toMatchObject({
      code: 114,
    });
    await server.start({ leaseSeconds: 600 });
    await monitor.says(/^(?!Deleted).* inet 10\.90\.0\.\d+\/24.* eth0/m);
    await monitor.end();
    await vi.waitFor(() => expect(world.inPod('a', 'ip -4 route')).toContain('default via 10.90.0.1'), {
      timeout: 5000,
    });
    expect(pings(world.pod('a'), '10.90.0.1')).toBe(true);
    expect((await world.call('bridge', 'CHECK', 'a', { ...BRIDGE, prevResult: json })).exitStatus).toBe(0);
  }, 60_000);

  test('is told its options by the runtime, and is asked for by name', async () => {
    await using lan = await open(3600, { lines: ['option dns 10.90.0.53', 'option domain lab.example'] });
    const { world, server } = lan;
    const ipam = {
      daemonSocketPath: '/run/cni/dhcp.sock',
      priority: 50,
      provide: [{ option: 'host-name', fromArg: 'K8S_POD_NAME' }],
      request: [{ option: '6' }, { option: 'domain-name' }],
    };
    const network = config('bridge', { bridge: BRIDGE_NAME }, ipam);
    const { json } = await world.call('bridge', 'ADD', 'a', network, { CNI_ARGS: 'K8S_POD_NAME=web-1' });
    expect(json).toMatchObject({
      routes: [{ dst: '0.0.0.0/0', gw: '10.90.0.1', priority: 50 }],
      dns: { nameservers: ['10.90.0.53'], domain: 'lab.example' },
    });
    expect(world.inPod('a', 'ip -4 route')).toContain('default via 10.90.0.1 dev eth0 proto 113 metric 50');
    server.writeLeases();
    await vi.waitFor(() => expect(Buffer.from(server.leaseFile()).toString('latin1')).toContain('web-1'));
  });

  test('takes classless routes before the router', async () => {
    await using lan = await open(3600, {
      lines: ['option staticroutes 10.99.0.0/16 10.90.0.7, 0.0.0.0/0 10.90.0.1'],
    });
    const { world } = lan;
    const { json } = await world.call('bridge', 'ADD', 'a', BRIDGE);
    expect(json).toMatchObject({
      routes: [
        { dst: '10.99.0.0/16', gw: '10.90.0.7' },
        { dst: '0.0.0.0/0', gw: '10.90.0.1' },
      ],
    });
    expect(world.inPod('a', 'ip -4 route')).toContain('10.99.0.0/16 via 10.90.0.7 dev eth0');
  });
});

describe('without a server', () => {
  test('ADD fails, says so, and leaves nothing', async () => {
    await using world = new CniWorld();
    world.dhcpLimitMs = 500;
    world.pod('a');
    await world.start();
    world.sh(`ip link add ${BRIDGE_NAME} type bridge && ip link set ${BRIDGE_NAME} up`);
    const { json } = await world.call('bridge', 'ADD', 'a', BRIDGE);
    expect(json).toMatchObject({
      code: 11,
      msg: 'no DHCP server gave a lease on eth0 within 0.5 s',
      details: 'nobody answered',
    });
    expect(world.inPod('a', 'ip -o link')).not.toContain('eth0');
    expect(world.sh('ip -o link show type veth')).toBe('');
    expect([world.recorded(), world.dhcp.held()]).toEqual([[], []]);
  });
});

describe('a pod that is gone without DEL', () => {
  test('is forgotten at the next start, and the others are not', async () => {
    await using lan = await open(3600);
    const { world } = lan;
    for (const pod of ['a', 'b']) await world.call('bridge', 'ADD', pod, BRIDGE);
    await world.stop();
    world.removePod('a');
    await world.start();
    expect(world.dhcp.held().map(({ attachment }) => attachment.containerId)).toEqual(['container-b']);
  });
});

describe('other plugins', () => {
  test('Debian’s bridge, with our client installed as dhcp, gets a lease, which ends with DEL', async () => {
    await using lan = await open(3600);
    const { world } = lan;
    const folder = join(world.folder, 'bin');
    mkdirSync(folder);
    copyFileSync('dist/poplin-cni', join(folder, 'dhcp'));
    const socket = join(world.folder, 'cni.sock');
    await using _server = await CniServer.listen({
      path: socket,
      handle: (call) => world.service.handle(call),
      onRefused: () => {},
    });
    const run = async (command: string, pod: string) => {
      const child = spawn('nsenter', [`--net=${world.host}`, '/usr/lib/cni/bridge'], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: {
          PATH: process.env['PATH'] ?? '',
          POPLIN_CNI_SOCKET: socket,
          POPLIN_CNI_PENDING_DIR: join(world.folder, 'pending'),
          CNI_COMMAND: command,
          CNI_CONTAINERID: `foreign-${pod}`,
          CNI_NETNS: world.pod(pod),
          CNI_IFNAME: 'eth0',
          CNI_PATH: folder,
        },
      });
      let stdout = '';
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      child.stdin.end(JSON.stringify({ ...BRIDGE, cniVersion: '1.0.0' }));
      const [status] = (await once(child, 'close')) as [number];
      return { status, json: stdout === '' ? undefined : (JSON.parse(stdout) as unknown) };
    };
    const { status, json } = await run('ADD', 'a');
    expect(status).toBe(0);
    expect(world.inPod('a', 'ip -4 -o address show eth0')).toContain(` ${addressOf(json)} `);
    expect(pings(world.pod('a'), '10.90.0.1')).toBe(true);
    expect(world.dhcp.held()).toHaveLength(1);
    // It takes the link away before it tells us: no RELEASE can be sent any more.
    expect((await run('DEL', 'a')).status).toBe(0);
    expect(world.dhcp.held()).toEqual([]);
  });

  test('macvlan on a link of the host gets a lease', async () => {
    await using lan = await open(3600);
    const { world } = lan;
    world.sh(`
      ip link add under0 type veth peer name under1
      ip link set under1 master ${BRIDGE_NAME} up
      ip link set under0 up`);
    const network = config('macvlan', { master: 'under0' });
    const { json } = await world.call('macvlan', 'ADD', 'a', network);
    expect(addressOf(json)).toMatch(/^10\.90\.0\.\d+\/24$/);
    expect(pings(world.pod('a'), '10.90.0.1')).toBe(true);
    expect((await world.call('macvlan', 'DEL', 'a', network)).exitStatus).toBe(0);
  });

  test('ptp and dummy refuse it', async () => {
    await using world = await CniWorld.open();
    world.pod('a');
    for (const type of ['ptp', 'dummy'])
      expect((await world.call(type, 'ADD', 'a', config(type))).json).toMatchObject({ code: 7 });
  });
});
