/** Every example of docs/examples/cni/, as it stands there: attached, used in both families, and taken away again. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest';
import { type CniVersion, isAtLeast, validateNetwork } from '#core/cni/index.ts';
import { type Answer, CniWorld, pings } from './cni-world.ts';
import { DhcpServer } from './dhcp-server.ts';
import { IS_VIRTUAL } from './virtual.ts';

const FOLDER = join(import.meta.dirname, '../../docs/examples/cni');
const HOST_PORT = { hostPort: 8080, containerPort: 80, protocol: 'tcp' };

interface Plugin {
  readonly type: string;
  readonly ipam?: { readonly type: string };
}

interface Network {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly plugins: readonly [Plugin, ...Plugin[]];
}

/** What an example does, seen from outside. */
interface Case {
  /** What must be there before ADD. */
  readonly prepare?: () => void;
  /** What is asked over pod `a`: addresses that answer. */
  readonly pinged?: readonly string[];
  /** A command line, where it is run, and what it prints. */
  readonly shown?: readonly (readonly ['host' | 'pod', string, RegExp])[];
}

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

/** The other end of a link of the host, with an address in the networks that stand on it. */
function wire(link: string, at: number, more = ''): void {
  const netns = world.pod('wire');
  world.sh(`
    ip link add ${link} type veth peer name wire1 netns ${netns}
    ip link set ${link} up`);
  world.inPod(
    'wire',
    `ip link set lo up; ip link set wire1 up; ${more}
     ip address add 10.${at}.0.1/24 dev wire1; ip address add fd00:${at}::1/64 dev wire1 nodad`,
  );
}

/** As a runtime does it first: a pod reaches its own addresses by way of `lo`. */
function loopbackUp(): void {
  world.pod('a');
  world.inPod('a', 'ip link set lo up');
}

const gateways = (at: number) => [`10.${at}.0.1`, `fd00:${at}::1`];
const onBridge = (at: number, shown: Case['shown'] = []): Case => ({ pinged: gateways(at), shown });

const CASES: Readonly<Record<string, Case>> = {
  bandwidth: onBridge(93, [['host', 'tc qdisc', /tbf .*rate 8Mbit.*\n(.*\n)*.*tbf .*rate 8Mbit/]]),
  bridge: onBridge(81, [['host', 'nft list ruleset', /masqueraded4.*\n(.*\n)*.*10\.81\.0\.2/]]),
  dhcp: { pinged: ['10.90.0.1'] },
  dummy: { prepare: loopbackUp, pinged: ['10.87.0.2', 'fd00:87::2'] },
  firewall: onBridge(94, [['host', 'nft list ruleset', /firewall-isolated.*\n(.*\n)*.*"br-ex94"/]]),
  flannel: {
    prepare: () => {
      const env = 'FLANNEL_NETWORK=10.96.0.0/12\nFLANNEL_SUBNET=10.97.0.1/24\n';
      const ipv6 = 'FLANNEL_IPV6_NETWORK=fd00::/32\nFLANNEL_IPV6_SUBNET=fd00:97::1/64\n';
      writeFileSync(join(world.folder, 'subnet.env'), `${env}${ipv6}FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`);
    },
    ...onBridge(97, [
      ['host', 'nft list ruleset', /tcp \. 8080 .*: 10\.97\.0\.2 \. 80/],
      ['pod', 'ip route; ip -6 route', /default via 10\.97\.0\.1 (.*\n)*default via fd00:97::1 /],
    ]),
  },
  'host-device': {
    prepare: () => {
      wire('spare1', 86);
      // As it comes back, with the reference plugin too.
      world.sh('ip link set spare1 down alias spare1');
    },
    pinged: gateways(86),
  },
  'host-local': onBridge(89, [['pod', 'ip -4 -o address show eth0', /10\.89\.0\.10\/24/]]),
  ipvlan: { prepare: () => wire('lan1', 84), pinged: gateways(84) },
  loopback: { pinged: ['127.0.0.1', '::1'] },
  macvlan: { prepare: () => wire('lan1', 83), pinged: gateways(83) },
  poplin: { pinged: ['192.168.70.1', 'fd70::1'] },
  portmap: onBridge(92, [['host', 'nft list ruleset', /dport 8080 dnat ip to 10\.92\.0\.2:80/]]),
  ptp: { pinged: [...gateways(82), '192.168.70.1', 'fd70::1'] },
  sbr: onBridge(96, [
    ['pod', 'ip -4 rule', /from 10\.96\.0\.2 lookup 100/],
    ['pod', 'ip -6 rule', /from fd00:96::2 lookup 101/],
  ]),
  static: onBridge(91, [['pod', 'ip -o address show eth0', /10\.91\.0\.5\/24(.*\n)*.*fd00:91::5\/64/]]),
  tap: {
    prepare: loopbackUp,
    pinged: ['10.88.0.2', 'fd00:88::2'],
    shown: [['pod', 'ip -d link show eth0', /tun type tap .*multi_queue/]],
  },
  tuning: onBridge(95, [
    ['pod', 'ip link show eth0', /mtu 1300 .*qlen 500/],
    ['pod', 'sysctl -n net.ipv4.ip_unprivileged_port_start net.ipv6.conf.eth0.accept_ra', /^80\n0\n$/],
  ]),
  vlan: { prepare: () => wire('lan1', 85), pinged: [] },
  vrf: { shown: [['pod', 'ip link show eth0', /master blue/]] },
};

test('every example has a case', () => {
  expect(Object.keys(CASES)).toEqual(
    readdirSync(FOLDER)
      .map((name) => name.replace('.conflist', ''))
      .sort(),
  );
});

/** Kinds of links that not every kernel has. */
const RARE = ['dummy', 'ipvlan', 'vlan', 'vrf'];
const TRIED = Object.entries(CASES).filter(([name]) => !IS_VIRTUAL || RARE.includes(name));

test.for(TRIED)('%s', async ([name, { prepare, pinged = [], shown = [] }], context) => {
  const text = readFileSync(join(FOLDER, `${name}.conflist`), 'utf8');
  expect(validateNetwork(text, name)).toEqual({ problems: [], warnings: [] });
  const network = JSON.parse(text) as Network;
  await using server = network.plugins[0].ipam?.type === 'dhcp' ? new DhcpServer(world) : undefined;
  await server?.start({ leaseSeconds: 3600 });
  prepare?.();
  world.pod('a');
  const before = hostNow();
  const inside = podNow();

  const result = await add(network, context);
  for (const address of pinged) expect(pings(world.pod('a'), address), address).toBe(true);
  for (const [where, line, pattern] of shown)
    expect(where === 'host' ? world.sh(line) : world.inPod('a', line), line).toMatch(pattern);
  const isChecked = isAtLeast(network.cniVersion, '0.4.0');
  for (const plugin of isChecked ? network.plugins : [])
    expect(await call(network, plugin, 'CHECK', result)).toEqual({ exitStatus: 0, json: undefined });
  for (let round = 0; round < 2; round++) {
    for (const plugin of network.plugins.toReversed())
      expect(await call(network, plugin, 'DEL', result)).toEqual({ exitStatus: 0, json: undefined });
  }

  expect(hostNow()).toEqual(before);
  if (name !== 'loopback') expect(podNow()).toBe(inside);
  expect([world.recorded(), world.reserved(network.name), world.dhcp.held()]).toEqual([[], [], []]);
});

/** Without the rule that the kernel adds with a namespace's first VRF, and never takes away. */
function podNow(): string {
  return world.inPod('a', 'ip -o link; ip rule; ip -6 rule').replaceAll(/^.*l3mdev-table.*\n/gm, '');
}

/** The list's plugins, each with the result of the one before. */
async function add(network: Network, context: TestContext): Promise<Answer['json']> {
  let result: Answer['json'];
  for (const plugin of network.plugins) {
    const { exitStatus, json } = await call(network, plugin, 'ADD', result);
    if (exitStatus !== 0 && JSON.stringify(json).includes('EOPNOTSUPP'))
      context.skip(`the kernel has no ${plugin.type} links`);
    expect(exitStatus, JSON.stringify(json)).toBe(0);
    result = json;
  }
  return result;
}

function call(
  { cniVersion, name }: Network,
  plugin: Plugin,
  command: string,
  prevResult: Answer['json'],
): Promise<Answer> {
  const runtimeConfig = plugin.type === 'portmap' ? { portMappings: [HOST_PORT] } : undefined;
  return world.call(plugin.type, command, 'a', {
    ...plugin,
    // Not the host's own.
    ...(plugin.type === 'flannel' && {
      subnetFile: join(world.folder, 'subnet.env'),
      dataDir: join(world.folder, 'flannel'),
    }),
    cniVersion,
    name,
    ...(runtimeConfig && { runtimeConfig }),
    ...(prevResult && { prevResult }),
  });
}

function hostNow(): string[] {
  // A bridge without an address of its own learns its state late; a link that was never up has no qdisc.
  const links = world.hostText().replaceAll(/ (qdisc|state) (noop|noqueue|UP|UNKNOWN)\b/g, '');
  return [links, world.sh('nft list ruleset'), world.sh('tc qdisc').replaceAll(/^qdisc noqueue .*\n/gm, '')];
}
