/**
 * Crossing over: pods that the reference plugins attached are checked and detached by Poplin's, with the same configuration and the same
 * files, and the other way round. Afterwards nothing is left of the pod, and what belongs to others still works.
 */
import { describe, expect, test } from 'vitest';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import { until } from '../e2e/agent-world.ts';
import { type AttachmentOptions, PodAttachment } from './attachment.ts';
import { ContainerHost, REFERENCE_TYPES } from './container-host.ts';
import { ask, serve } from './traffic.ts';

interface Row {
  /** Why the plugin is never crossed; such a row has no configuration. */
  readonly never?: string;
  /** The chain up to the plugin. */
  readonly plugins?: readonly object[];
  readonly ifName?: string;
  /** The kind of link it makes, where not every kernel has it. */
  readonly linkKind?: string;
  /** What must be there on the host before ADD. */
  readonly prepare?: string;
  /** Only one pod can be attached at a time. */
  readonly single?: true;
  /** Poplin has nothing in the host by which it would know of Debian's DEL: its record stays until its own, or as long as the pod. */
  readonly recordStays?: true;
  /** It makes no interface that could carry traffic. */
  readonly silent?: true;
  /** Why the reference plugin's CHECK is not asked. */
  readonly uncheckable?: string;
  /** The reference plugin's DEL fails where nothing is left. */
  readonly unrepeatable?: true;
  /** What Debian's plugin leaves of its own. */
  readonly leavings?: RegExp;
  readonly capabilityArgs?: (number: number) => Readonly<Record<string, unknown>>;
}

const NOTHING = /$^/g;
const ipam = {
  type: 'host-local',
  ranges: [[{ subnet: '10.90.0.0/24' }], [{ subnet: 'fd90::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};
/** Addresses of the uplink's own subnets. */
const uplinkIpam = {
  type: 'host-local',
  ranges: [
    [{ subnet: '192.168.80.0/24', rangeStart: '192.168.80.100', rangeEnd: '192.168.80.199' }],
    [{ subnet: 'fd80::/64', rangeStart: 'fd80::100', rangeEnd: 'fd80::199' }],
  ],
};
const staticIpam = { type: 'static', addresses: [{ address: '10.91.0.9/24' }, { address: 'fd91::9/64' }] };
const bridge = { type: 'bridge', bridge: 'crossing0', isGateway: true, ipam };

const ROWS: Readonly<Record<string, Row>> = {
  bandwidth: {
    plugins: [bridge, { type: 'bandwidth', capabilities: { bandwidth: true } }],
    capabilityArgs: () => {
      const [rate, burst] = [50_000_000, 5_000_000];
      return {
        bandwidth: { ingressRate: rate, ingressBurst: burst, egressRate: rate, egressBurst: burst },
      };
    },
  },
  bridge: { plugins: [bridge] },
  dhcp: { never: 'a lease is kept alive by the daemon that got it' },
  firewall: {
    plugins: [bridge, { type: 'firewall' }],
    uncheckable: 'it looks for iptables rules',
  },
  'host-device': {
    plugins: [{ type: 'host-device', device: 'spare', ipam: uplinkIpam }],
    prepare: `
      ip link add spare type veth peer name spare netns outside
      ip -n outside link set spare up`,
    single: true,
    recordStays: true,
    unrepeatable: true,
    leavings: /\\ +alias spare$/gm,
    silent: true,
  },
  'host-local': { plugins: [{ type: 'host-local', ipam }], silent: true },
  ipvlan: {
    plugins: [{ type: 'ipvlan', master: 'uplink', ipam: uplinkIpam }],
    linkKind: 'ipvlan',
    recordStays: true,
  },
  loopback: { plugins: [{ type: 'loopback' }], ifName: 'lo', silent: true },
  macvlan: {
    plugins: [{ type: 'macvlan', master: 'uplink', ipam: uplinkIpam }],
    linkKind: 'macvlan',
    recordStays: true,
  },
  portmap: {
    leavings: /\n*table ip6? nat \{\n\}/g,
    plugins: [bridge, { type: 'portmap', capabilities: { portMappings: true } }],
    uncheckable: 'it looks for iptables rules, and does not find its own where a pod has both families',
    capabilityArgs: (number) => {
      return {
        portMappings: ['tcp', 'udp'].map((protocol) => {
          return { hostPort: 8080 + number, containerPort: 80, protocol };
        }),
      };
    },
  },
  ptp: { plugins: [{ type: 'ptp', ipam }] },
  sbr: { plugins: [bridge, { type: 'sbr' }], unrepeatable: true },
  static: { plugins: [{ type: 'static', ipam: staticIpam }], silent: true, single: true },
  tuning: {
    plugins: [bridge, { type: 'tuning', sysctl: { 'net.core.somaxconn': '333' }, mtu: 1400, promisc: true }],
  },
  vlan: {
    plugins: [{ type: 'vlan', master: 'uplink', vlanId: 7, ipam: uplinkIpam }],
    linkKind: 'vlan',
    recordStays: true,
    silent: true,
  },
  vrf: { plugins: [bridge, { type: 'vrf', vrfname: 'red' }], linkKind: 'vrf', silent: true },
};

const crossed = Object.entries(ROWS).filter(([type, { never }]) => {
  return never === undefined && PLUGIN_TYPES.includes(type);
});

test('every reference plugin has a row, and is crossed as soon as Poplin has it too', () => {
  expect(Object.keys(ROWS)).toEqual(REFERENCE_TYPES);
  const awaited = Object.entries(ROWS).flatMap(([type, { never }]) => {
    if (PLUGIN_TYPES.includes(type)) return [];
    return [never === undefined ? type : `${type} (never: ${never})`];
  });
  console.log(`crossed: ${crossed.map(([type]) => type).join(', ')}; not yet served: ${awaited.join(', ')}`);
});

describe.concurrent.for(crossed)('%s', ([type, row]) => {
  test.concurrent.for([
    ['Debian', 'Poplin'],
    ['Poplin', 'Debian'],
  ] as const)('attached by %s, checked and detached by %s', async ([first, second], { expect, skip }) => {
    await using host = await ContainerHost.open();
    const { linkKind } = row;
    if (linkKind !== undefined && !(await hasLinks(host, linkKind)))
      skip(`the kernel has no ${linkKind} links`);
    const paths = { Debian: host.pluginFolder([]), Poplin: host.pluginFolder([type]) };
    const name = `${type}-${first}`.toLowerCase();
    if (row.prepare !== undefined) await host.box.sh(row.prepare);
    const attach = async (pod: string, number: number) => {
      await host.addPod(pod);
      return PodAttachment.add(host, pod, optionsOf(name, row, number, paths[first]));
    };

    const stays = row.single ? undefined : await attach('stays', 0);
    const before = await host.state();
    const stateNow = async () => (await host.state()).replaceAll(row.leavings ?? NOTHING, '');
    await host.addPod('fresh');
    const fresh = await host.podState('fresh');
    const crosses = await attach('crosses', 1);
    if (row.silent !== true) await expectAnswer(host, crosses);
    for (const maker of [first, second])
      if (maker === 'Poplin' || row.uncheckable === undefined) await crosses.checkLast(paths[maker]);
    const repeatable = [second, first].filter((maker) => maker === 'Poplin' || !row.unrepeatable);
    // Its maker is told too, as a runtime that was changed back would do.
    for (const maker of [second, ...repeatable]) {
      await crosses.del(paths[maker]);
      expect(await host.podState('crosses'), 'the pod').toBe(fresh);
      if (maker === first || first === 'Debian' || row.recordStays !== true)
        await expect.poll(stateNow, { timeout: 5000, message: 'the host' }).toBe(before);
    }
    if (stays !== undefined && row.silent !== true) await expectAnswer(host, stays);
    await stays?.del();
  });
});

function optionsOf(name: string, row: Row, number: number, path: string): AttachmentOptions {
  const { plugins = [], ifName, capabilityArgs } = row;
  return {
    name,
    plugins,
    path,
    ...(ifName !== undefined && { ifName }),
    ...(capabilityArgs && { capabilityArgs: capabilityArgs(number) }),
  };
}

/** The pod answers the neighbour outside in both families, after duplicate address detection at the latest. */
async function expectAnswer(host: ContainerHost, { netns, addresses }: PodAttachment): Promise<void> {
  await using _server = await serve(host.box, netns, 'pod', 80);
  if (addresses.length !== 2) throw new Error(`not one address of each family: ${addresses.join(', ')}`);
  for (const address of addresses)
    await until(`${address} answers`, async () => {
      const answer = await ask(host.box, { from: host.outside, address, port: 80 });
      return answer?.name === 'pod';
    });
}

async function hasLinks(host: ContainerHost, kind: string): Promise<boolean> {
  const { stderr } = await host.box.try('ip', 'link', 'add', 'probe', 'type', kind);
  await host.box.try('ip', 'link', 'delete', 'probe');
  return !stderr.includes('Unknown device type');
}
