/** Every plugin in every version of the specification: ADD, DEL and VERSION. A plugin without a row here fails. */
import { afterAll, describe, expect, test } from 'vitest';
import type { DhcpLease } from '#core/dhcp/index.ts';
import type { KernelObject, Link } from '#core/kernel/index.ts';
import { cniEnvironment, memoryIpam, nodeFacts, planAddOn, planDelOn } from '#testing/cni/index.ts';
import type { DhcpClient } from '../ports.ts';
import { encodeResult } from '../spec/encode.ts';
import type { JsonObject } from '../spec/json.ts';
import { parseNetworkConfig } from '../spec/network-config.ts';
import type { CniResult } from '../spec/result.ts';
import { CNI_VERSIONS, type CniVersion, CURRENT_VERSION, isAtLeast, versionReply } from '../spec/version.ts';
import type { NodeFacts } from './definition.ts';
import { dhcpResult } from './dhcp/index.ts';
import { FLANNEL_TYPE, parseFlannelConfig, planDelegate } from './flannel/index.ts';
import { attachmentAlias } from './identity.ts';
import { chooseOwnIpam, isOwnIpam, openIpam, openIpamToGiveBack } from './ipam.ts';
import { aboutPlugin, INTERFACE_PLUGINS, PLUGIN_TYPES } from './registry.ts';

const dualStack = {
  type: 'host-local',
  ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }],
};

interface Row {
  readonly config: JsonObject;
  /** The names of the interfaces, the addresses with their gateways, and the routes it reports. */
  readonly interfaces: readonly RegExp[];
  readonly ip4: JsonObject;
  /** Absent where a plugin serves IPv4 alone. */
  readonly ip6?: JsonObject;
  readonly routes?: readonly JsonObject[];
  /** Kinds of what DEL removes from the host. */
  readonly removed: readonly string[];
  /** What its part in a chain needs of the plugins before it, and finds on the host; without interfaces in results it is refused. */
  readonly needs?: readonly KernelObject[];
}

/** Before 0.3.0 a result has no interfaces. */
const isServed = ({ needs }: Row, version: CniVersion) => needs === undefined || isAtLeast(version, '0.3.0');

const gateways = [
  { dst: '0.0.0.0/0', gw: '169.254.1.1' },
  { dst: '::/0', gw: 'fe80::1' },
];
const INTERFACE_ROWS: Readonly<Record<string, Row>> = {
  bandwidth: {
    config: {
      ingressRate: 8_000_000,
      ingressBurst: 800_000,
      egressRate: 8_000_000,
      egressBurst: 800_000,
    },
    interfaces: [/^cni0$/, /^veth1$/, /^eth0$/, /^bwp[0-9a-f]{12}$/],
    ip4: { interface: 2, address: '10.1.0.2/24', gateway: '10.1.0.1' },
    ip6: { interface: 2, address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
    removed: ['filter', 'qdisc', 'qdisc', 'link'],
    needs: [{ kind: 'link', name: 'veth1', detail: { type: 'veth' }, mtuBytes: 1500 }],
  },
  bridge: {
    config: { isGateway: true, ipam: dualStack },
    interfaces: [/^cni0$/, /^veth[0-9a-f]{8}$/, /^eth0$/],
    ip4: { interface: 2, address: '10.1.0.2/24', gateway: '10.1.0.1' },
    ip6: { interface: 2, address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
    routes: [{ dst: '0.0.0.0/0' }],
    removed: ['link'],
  },
  dhcp: {
    config: { ipam: { type: 'dhcp' } },
    interfaces: [],
    ip4: { address: '10.1.0.2/24', gateway: '10.1.0.1' },
    routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }],
    removed: [],
  },
  'host-local': {
    config: { ipam: dualStack },
    interfaces: [],
    ip4: { address: '10.1.0.2/24', gateway: '10.1.0.1' },
    ip6: { address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
    routes: [{ dst: '0.0.0.0/0' }],
    removed: [],
  },
  flannel: {
    config: { ipam: { routes: [{ dst: '0.0.0.0/0' }] } },
    interfaces: [/^cni0$/, /^veth[0-9a-f]{8}$/, /^eth0$/],
    ip4: { interface: 2, address: '10.1.0.2/24', gateway: '10.1.0.1' },
    ip6: { interface: 2, address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
    routes: [{ dst: '0.0.0.0/0' }, { dst: '10.0.0.0/8' }, { dst: 'fd00::/16' }],
    removed: ['link'],
  },
  loopback: {
    config: {},
    interfaces: [/^lo$/],
    ip4: { interface: 0, address: '127.0.0.1/8' },
    ip6: { interface: 0, address: '::1/128' },
    removed: [],
  },
  static: {
    config: {
      ipam: {
        type: 'static',
        addresses: [
          { address: '10.1.0.2/24', gateway: '10.1.0.1' },
          { address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
        ],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    interfaces: [],
    ip4: { address: '10.1.0.2/24', gateway: '10.1.0.1' },
    ip6: { address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
    routes: [{ dst: '0.0.0.0/0' }],
    removed: [],
  },
  poplin: {
    config: {},
    interfaces: [/^pop[0-9a-f]{11}$/, /^eth0$/],
    ip4: { interface: 1, address: '10.244.1.2/32', gateway: '169.254.1.1' },
    ip6: { interface: 1, address: 'fd00:244:1::2/128', gateway: 'fe80::1' },
    routes: gateways,
    removed: ['link'],
  },
  ptp: {
    config: { ipam: dualStack },
    interfaces: [/^veth[0-9a-f]{8}$/, /^eth0$/],
    ip4: { interface: 1, address: '10.1.0.2/24', gateway: '10.1.0.1' },
    ip6: { interface: 1, address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
    routes: [{ dst: '0.0.0.0/0' }],
    removed: ['link'],
  },
};

/** What a chained plugin gets from the one before it, and passes on. */
const PASSED_ON: Omit<Row, 'config'> = {
  interfaces: [/^cni0$/, /^veth1$/, /^eth0$/],
  ip4: { interface: 2, address: '10.1.0.2/24', gateway: '10.1.0.1' },
  ip6: { interface: 2, address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
  removed: [],
};

/** Plugins of which nothing is on the host: the interface, and what IPAM gave it. */
const IN_POD_ALONE: Omit<Row, 'config'> = {
  interfaces: [/^eth0$/],
  ip4: { interface: 0, address: '10.1.0.2/24', gateway: '10.1.0.1' },
  ip6: { interface: 0, address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
  routes: [{ dst: '0.0.0.0/0' }],
  removed: [],
};

const ROWS: Readonly<Record<string, Row>> = {
  ...INTERFACE_ROWS,
  dummy: { config: { ipam: dualStack }, ...IN_POD_ALONE },
  'host-device': { config: { device: 'under0', ipam: dualStack }, ...IN_POD_ALONE },
  ipvlan: { config: { mode: 'l3', ipam: dualStack }, ...IN_POD_ALONE },
  macvlan: { config: { master: 'under0', ipam: dualStack }, ...IN_POD_ALONE },
  tap: { config: { multiQueue: true, ipam: dualStack }, ...IN_POD_ALONE },
  vlan: { config: { master: 'under0', vlanId: 7, ipam: dualStack }, ...IN_POD_ALONE },
  firewall: { config: { ingressPolicy: 'same-bridge' }, ...PASSED_ON, needs: [] },
  portmap: {
    config: { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] } },
    ...PASSED_ON,
  },
  sbr: { config: {}, ...PASSED_ON },
  tuning: { config: { sysctl: { 'net.core.somaxconn': '500' }, mtu: 1400 }, ...PASSED_ON },
  vrf: { config: { vrfname: 'red' }, ...PASSED_ON },
};

/** A server that has one lease, and takes it back. */
const server: DhcpClient = {
  acquire: async ({ config }) => dhcpResult(LEASE, config),
  check: async () => {},
  release: async () => {},
  retainOnly: async () => {},
};
const LEASE: DhcpLease = {
  address: '10.1.0.2/24',
  serverId: '10.1.0.1',
  router: '10.1.0.1',
  routes: [{ destination: '0.0.0.0/0', router: '10.1.0.1' }],
  nameServers: ['10.1.0.53'],
  search: [],
};

const exercised = new Set<string>();

/** What the bridge before a chained plugin reports. */
const PREVIOUS: CniResult = {
  interfaces: [
    { name: 'cni0', mac: '02:00:00:00:00:01' },
    { name: 'veth1', mac: '02:00:00:00:00:02' },
    { name: 'eth0', mac: '02:00:00:00:00:03', sandbox: '/run/netns/pod1' },
  ],
  ips: [
    { interface: 2, address: '10.1.0.2/24', gateway: '10.1.0.1' },
    { interface: 2, address: 'fd00:1::2/64', gateway: 'fd00:1::1' },
  ],
  routes: [],
};

/** A meta plugin is its delegate, with the configuration that it makes. */
function delegateOf(type: string, config: JsonObject): { type: string; config: JsonObject } {
  if (type !== FLANNEL_TYPE) return { type, config };
  const network = parseNetworkConfig(config);
  const delegate = planDelegate(network, parseFlannelConfig(network), {
    networks: ['10.0.0.0/8', 'fd00::/16'],
    subnets: ['10.1.0.0/24', 'fd00:1::/64'],
    mtuBytes: 1450,
    ipMasq: true,
  });
  return { type: delegate.type, config: delegate };
}

function configOf(type: string, cniVersion: CniVersion): JsonObject {
  const isChained = INTERFACE_PLUGINS.get(type)?.chained === true;
  const prevResult = isChained && { prevResult: encodeResult(PREVIOUS, cniVersion) };
  return { ...ROWS[type]?.config, ...prevResult, cniVersion, name: 'net', type };
}

const UNDERLAY: Link = {
  kind: 'link',
  name: 'under0',
  detail: { type: 'other', linkKind: 'physical' },
  up: true,
  mac: '02:00:00:00:00:09',
  mtuBytes: 1500,
};

/** A chained plugin finds the container's interface, one that needs a link of the host that of the default route; `made` is there too. */
function factsFor(type: string, made: readonly KernelObject[] = []): NodeFacts {
  const isChained = INTERFACE_PLUGINS.get(type)?.chained === true;
  return nodeFacts(
    { defaultLink: UNDERLAY.name },
    [UNDERLAY, ...(ROWS[type]?.needs ?? []), ...made],
    isChained ? [{ kind: 'link', name: 'eth0', detail: { type: 'veth' } }] : [],
  );
}

async function resultOf(type: string, config: JsonObject): Promise<CniResult> {
  const made = delegateOf(type, config);
  if (!isOwnIpam(type)) return (await planAddOn(made.type, made.config, factsFor(type))).result;
  const network = parseNetworkConfig(config);
  const choice = chooseOwnIpam(type, network, '');
  return openIpam(choice, network, cniEnvironment(), memoryIpam({ dhcp: server })).add();
}

/** The shape a version prescribes for a row, without the interfaces. */
function expectedShape({ ip4, ip6, routes = [] }: Row, version: CniVersion): JsonObject {
  if (isAtLeast(version, '1.0.0'))
    return { ips: [ip4, ...(ip6 ? [ip6] : [])], ...(routes.length > 0 && { routes }) };
  if (isAtLeast(version, '0.3.0')) {
    const ips = [{ version: '4', ...ip4 }, ...(ip6 ? [{ version: '6', ...ip6 }] : [])];
    return { ips, ...(routes.length > 0 && { routes }) };
  }
  const half = (ip: JsonObject, isIpv6: boolean) => {
    const own = routes.filter((route) => String(route['dst']).includes(':') === isIpv6);
    const { address, gateway } = ip;
    return { ip: address, ...(gateway !== undefined && { gateway }), ...(own.length > 0 && { routes: own }) };
  };
  return { ip4: half(ip4, false), ...(ip6 && { ip6: half(ip6, true) }) };
}

test('every plugin has a row and every row a plugin', () => {
  expect(Object.keys(ROWS).sort()).toEqual(PLUGIN_TYPES);
});

describe.each(PLUGIN_TYPES)('%s', (type) => {
  const row = ROWS[type] as Row;

  test.each(CNI_VERSIONS)('ADD in %s reports in the shape of that version', async (version) => {
    exercised.add(`${type} ${version} ADD`);
    const answer = resultOf(type, configOf(type, version));
    if (!isServed(row, version)) {
      await expect(answer).rejects.toMatchObject({ code: 7 });
      return;
    }
    const result = encodeResult(await answer, version);
    const { interfaces = [], ...rest } = result;
    expect(rest).toStrictEqual({ cniVersion: version, ...expectedShape(row, version) });
    const names = (interfaces as { name: string }[]).map((link) => link.name);
    expect(names).toHaveLength(isAtLeast(version, '0.3.0') ? row.interfaces.length : 0);
    for (const [index, name] of names.entries()) expect(name).toMatch(row.interfaces[index] as RegExp);
  });

  test.each(CNI_VERSIONS)('DEL in %s removes what ADD made, and does so twice', async (version) => {
    const config = configOf(type, version);
    if (!isOwnIpam(type)) {
      const added = configOf(type, isServed(row, version) ? version : CURRENT_VERSION);
      const made = delegateOf(type, added);
      const { hostObjects } = await planAddOn(made.type, made.config, factsFor(type));
      const { hostRemovals } = planDelOn(made.type, config, factsFor(type, hostObjects));
      expect(hostRemovals.map((object) => object.kind)).toEqual(row.removed);
      expect(planDelOn(made.type, config, factsFor(type)).hostRemovals).toEqual([]);
    } else {
      const ports = memoryIpam({ dhcp: server });
      const network = parseNetworkConfig(config);
      const choice = chooseOwnIpam(type, network, '');
      const ipam = openIpam(choice, network, cniEnvironment(), ports);
      const first = await ipam.add();
      const back = openIpamToGiveBack(type, network, cniEnvironment({ command: 'DEL' }), ports);
      await back.del();
      await back.del();
      const again = await openIpam(choice, network, cniEnvironment(), ports).add();
      expect(again.ips).toHaveLength(first.ips.length);
    }
    exercised.add(`${type} ${version} DEL`);
  });

  test.each(CNI_VERSIONS)('VERSION in %s echoes it and lists all', (version) => {
    expect(versionReply(version)).toEqual({ cniVersion: version, supportedVersions: CNI_VERSIONS });
    expect(aboutPlugin(type, '1.2.3')).toBe(
      `CNI plugin ${type} of Poplin 1.2.3 (CNI 1.1.0)\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n`,
    );
    exercised.add(`${type} ${version} VERSION`);
  });
});

test('the alias of an attachment is that of its plan in every version', async () => {
  const alias = attachmentAlias({ network: 'net', containerId: 'c1', ifName: 'eth0' });
  for (const version of CNI_VERSIONS) {
    const { hostObjects } = await planAddOn('poplin', configOf('poplin', version), nodeFacts());
    expect(hostObjects[0]).toMatchObject({ kind: 'link', alias });
  }
});

afterAll(() => {
  const wanted = PLUGIN_TYPES.flatMap((type) =>
    CNI_VERSIONS.flatMap((version) => ['ADD', 'DEL', 'VERSION'].map((verb) => `${type} ${version} ${verb}`)),
  );
  expect([...exercised].sort()).toEqual(wanted.sort());
});
