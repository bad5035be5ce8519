/**
 * Debian's podman with CNI networks of Poplin's plugins: several networks for one container, published ports, pods, namespaces that
 * somebody else attached, and networks as podman writes them itself. Each test ends with the host as it was.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { addNetwork, delNetwork, parseNetworkList } from '#core/cni/index.ts';
import { until } from '../e2e/agent-world.ts';
import { ContainerHost, HOST, OUTSIDE } from './container-host.ts';
import { Podman } from './podman.ts';
import { ask, type Protocol, serve } from './traffic.ts';

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];
const FAMILIES = [4, 6] as const;
/** On every address of the host, both families. */
const PUBLISHED = PROTOCOLS.flatMap((protocol) => ['--publish', `8080:80/${protocol}`]);

/** A network's addresses, by its number. */
const ipamOf = (number: number) => {
  return {
    type: 'host-local',
    ranges: [[{ subnet: `10.${number}.0.0/24` }], [{ subnet: `fd${number}::/64` }]],
  };
};
const NETWORKS = {
  bridged: { type: 'bridge', bridge: 'cni0', isDefaultGateway: true, hairpinMode: true, ipam: ipamOf(83) },
  routed: { type: 'poplin', ipam: ipamOf(84) },
  beside: { type: 'bridge', bridge: 'cni1', isGateway: true, ipam: ipamOf(85) },
} as const;

let host: ContainerHost;
let podman: Podman;
/** The host with what attachments leave to be shared: the reference plugins' chains. */
let before: string;

beforeAll(async () => {
  host = await ContainerHost.open();
  for (const [name, plugin] of Object.entries(NETWORKS))
    host.writeFile(`/etc/cni/net.d/${name}.conflist`, listOf(name, plugin));
  podman = await Podman.open(host);
  await podman.start('first', '--network', 'bridged', ...PUBLISHED);
  await podman.removeAll();
  await until('its link is gone', async () => !(await host.box.run('ip', '-br', 'link')).includes('veth'));
});
afterAll(() => host?.[Symbol.asyncDispose]());
beforeEach(async () => {
  before = await host.state();
});
afterEach(async () => {
  await podman.removeAll();
  await expect.poll(() => host.state(), { timeout: 5000 }).toBe(before);
  expect(await host.box.run('find', '/var/lib/cni/results', '-type', 'f')).toBe('');
});

test.for(['bridged', 'routed'])(
  'published ports of a container on network %s are reached',
  async (network) => {
    await podman.start('web', '--network', network, ...PUBLISHED);
    await using _server = await serve(host.box, await podman.netns('web'), 'web', 80);
    await expectPublished('web');
  },
);

test('a container on two networks is reached by its addresses of both', async () => {
  await podman.start('both', '--network', 'beside', '--network', 'routed');
  await using _both = await serve(host.box, await podman.netns('both'), 'both', 80);
  await using _outside = await serve(host.box, host.outside, 'outside', 80);
  const addresses = await addressesOf('both');
  const routed = { 4: addressIn(addresses, '10.84.0.'), 6: addressIn(addresses, 'fd84::') };
  for (const start of ['10.85.0.', 'fd85::']) addressIn(addresses, start);
  for (const address of addresses)
    expect(await ask(host.box, { address, port: 80 }), address).toMatchObject({ name: 'both' });
  const from = await podman.netns('both');
  for (const family of FAMILIES)
    expect(await ask(host.box, { from, address: OUTSIDE[family], port: 80 })).toEqual({
      name: 'outside',
      peer: routed[family],
    });
});

test('a container on two networks with a default route each is reached by its addresses of both', async () => {
  await podman.start('both', '--network', 'bridged', '--network', 'routed');
  await using _both = await serve(host.box, await podman.netns('both'), 'both', 80);
  for (const address of await addressesOf('both'))
    expect(await ask(host.box, { address, port: 80 }), address).toMatchObject({ name: 'both' });
});

test('the containers of a pod share its addresses and published ports', async () => {
  await podman.createPod('pod', '--network', 'bridged', ...PUBLISHED);
  await podman.start('one', '--pod', 'pod');
  await podman.start('two', '--pod', 'pod');
  const addresses = await addressesOf('one');
  expect(addresses).toHaveLength(2);
  expect(await addressesOf('two')).toEqual(addresses);
  await using _server = await serve(host.box, `/proc/${await pidOf('two')}/ns/net`, 'two', 80);
  await expectPublished('two');
});

test('a container lives in a namespace that somebody else attached, and leaves it as it was', async () => {
  const netns = await host.addPod('elsewhere');
  const list = parseNetworkList(listOf('routed', NETWORKS.routed));
  const parameters = { containerId: 'elsewhere', ifName: 'eth0', netns, path: host.plugins };
  const result = await addNetwork(list, parameters, host.exec);
  await podman.start('guest', '--network', `ns:${netns}`);
  const [address = ''] = await addressesOf('guest');
  expect(result).toMatchObject({ ips: [{ address: `${address}/32` }, {}] });
  await using server = await serve(host.box, netns, 'elsewhere', 80);
  expect(await ask(host.box, { from: host.outside, address, port: 80 })).toMatchObject({ name: 'elsewhere' });
  await server[Symbol.asyncDispose]();
  await delNetwork(list, parameters, result, host.exec);
  await host.removePod('elsewhere');
});

test('a network that podman made is served as it is', async () => {
  const subnets = ['--subnet', '10.86.0.0/24', '--ipv6', '--subnet', 'fd86::/64'];
  await podman.run('network', 'create', ...subnets, 'made');
  await podman.start('web', '--network', 'made', ...PUBLISHED);
  await using _web = await serve(host.box, await podman.netns('web'), 'web', 80);
  await using _outside = await serve(host.box, host.outside, 'outside', 80);
  await expectPublished('web');
  const from = await podman.netns('web');
  for (const family of FAMILIES)
    expect(await ask(host.box, { from, address: OUTSIDE[family], port: 80 }), 'masqueraded').toEqual({
      name: 'outside',
      peer: HOST[family],
    });
});

/** The server is reached on the published port, from outside and from the host itself. */
async function expectPublished(name: string): Promise<void> {
  for (const protocol of PROTOCOLS)
    for (const family of FAMILIES) {
      const question = { address: HOST[family], port: 8080, protocol };
      expect(await ask(host.box, { ...question, from: host.outside }), `${protocol} ${family}`).toEqual({
        name,
        peer: OUTSIDE[family],
      });
      expect(await ask(host.box, question), `${protocol} ${family} from the host`).toMatchObject({ name });
    }
}

function listOf(name: string, plugin: object): string {
  const portmap = { type: 'portmap', capabilities: { portMappings: true } };
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins: [plugin, portmap, { type: 'firewall' }] });
}

/** A container's addresses, interface by interface, IPv4 first; podman attaches its networks in any order. */
async function addressesOf(container: string): Promise<string[]> {
  const text = await podman.run('exec', container, 'ip', '-o', 'address', 'show', 'scope', 'global');
  return [...text.matchAll(/inet6? (\S+)\/\d+/g)].map(([, address = '']) => address);
}

function addressIn(addresses: readonly string[], start: string): string {
  const found = addresses.find((address) => address.startsWith(start));
  return found ?? expect.fail(`no address ${start}… among ${addresses.join(', ')}`);
}

function pidOf(container: string): Promise<string> {
  return podman.run('inspect', '--format', '{{.State.Pid}}', container);
}
