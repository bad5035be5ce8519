/** Checks of the network that the host has: its underlay, addresses, ports and links, against what is planned. */
import { familyOf, type IpFamily, prefixContains, prefixesOverlap } from '#base/ip/index.ts';
import type { HostFacts, HostLink, HostSocket, InstallPlan, VxlanFacts } from './facts.ts';
import { isCarried, plannedLinks, podMtu, portsOf, underlayOf } from './planned-node.ts';
import { AS_ROOT, check, type Outcome, type Told } from './row.ts';

const carrying = (plan: InstallPlan) => !['alloc', 'extension', 'ipsec'].includes(plan.netConf.backend.type);
const CARRYING = { text: 'all backends that carry packets', holds: carrying } as const;
const ENCAPSULATING = {
  text: 'backends `vxlan`, `udp`, `wireguard`',
  holds: ({ netConf }: InstallPlan) => portsOf(netConf.backend) !== undefined,
} as const;

const backend = check({
  looks: 'whether Poplin carries packets as `Backend.Type` says',
  outcomes: {
    carried: { level: 'ok', found: '{type}' },
    'leases-only': { level: 'ok', found: '{type}: the agent leases subnets, and carries no packets itself' },
    'not-carried': {
      level: 'problem',
      found: '{type}: the agent leases subnets, but attaches no pods and sends no packets',
      remedy: 'take another Backend.Type on every node; "wireguard" encrypts, too',
    },
  },
  judge: (_facts, plan) => {
    const { type } = plan.netConf.backend;
    if (!isCarried(plan)) return [['not-carried', { type }]];
    return [[carrying(plan) ? 'carried' : 'leases-only', { type }]];
  },
});

const underlay = check({
  looks: 'the link that leads to other nodes, and its addresses in every family of the network',
  where: CARRYING,
  outcomes: {
    found: { level: 'ok', found: '{link}: {addresses}' },
    none: {
      level: 'problem',
      found: 'no default route tells which link leads to other nodes',
      remedy: 'name it, here and there:\n  poplin install check --iface LINK\n  poplin agent --iface LINK',
    },
    'no-such-link': {
      level: 'problem',
      found: '{link} is no link and no address of this host',
      remedy: 'see\n  ip address',
    },
    'no-address': {
      level: 'problem',
      found: '{link} has no IPv{family} address that other nodes reach, and the network has IPv{family}',
      remedy: 'give it one, name another link with --iface, or leave IPv{family} out of net-conf.json',
    },
  },
  judge: (facts, plan) => {
    const found = underlayOf(facts, plan);
    if (found === undefined)
      return plan.iface === undefined ? [['none']] : [['no-such-link', { link: plan.iface }]];
    if ('lacking' in found) return [['no-address', { ...found.lacking }]];
    const own = found.addresses.filter((address) => plan.families.includes(familyOf(address)));
    return [['found', { link: found.name, addresses: own.join(', ') }]];
  },
});

const ipv6 = check({
  looks: 'whether the kernel has IPv6, and has it turned on for new links and for the underlay',
  where: { text: 'networks with IPv6', holds: ({ families }) => families.includes(6) },
  outcomes: {
    on: { level: 'ok', found: 'turned on' },
    absent: {
      level: 'problem',
      found: 'the kernel has no IPv6',
      remedy: 'boot without ipv6.disable=1, or set EnableIPv6 to false in net-conf.json',
    },
    off: {
      level: 'problem',
      found: 'turned off: {paths}',
      remedy:
        'turn it on, now and at boot\n  sysctl -w net.ipv6.conf.all.disable_ipv6=0\nor set EnableIPv6 to false in net-conf.json',
    },
    'off-at-boot': {
      level: 'warning',
      found: '{file} turns it off at boot: {path} is 1',
      remedy: 'take the line out of {file}',
    },
  },
  judge: (facts, plan) => {
    const { sysctls, bootSysctls } = facts;
    if (!sysctls.has('net/ipv6/conf/default/disable_ipv6')) return [['absent']];
    const link = underlayOf(facts, plan);
    const names = [
      'default',
      ...(link === undefined ? [] : ['lacking' in link ? link.lacking.link : link.name]),
    ];
    const paths = names.map((name) => `net/ipv6/conf/${name}/disable_ipv6`);
    const off = paths.filter((path) => sysctls.get(path) === '1');
    if (off.length > 0) return [['off', { paths: off.join(', ') }]];
    const last = bootSysctls.findLast(({ path }) =>
      /^net\/ipv6\/conf\/(all|default)\/disable_ipv6$/.test(path),
    );
    return last?.value === '1' ? [['off-at-boot', { file: last.file, path: last.path }]] : [['on']];
  },
});

const mtu = check({
  looks: 'the MTU of the underlay, and what the backend leaves of it for pods',
  where: CARRYING,
  outcomes: {
    enough: { level: 'ok', found: '{link} carries {outer} bytes, and {type} leaves {inner} for pods' },
    'too-small': {
      level: 'problem',
      found: '{refusal}',
      remedy:
        'if the network carries that, set it where the link is set up; for now\n  ip link set {link} mtu BYTES',
    },
    refused: { level: 'problem', found: '{refusal}', remedy: 'change Backend in net-conf.json' },
    unknown: { level: 'unknown', found: 'not known without an underlay', remedy: 'see the check underlay' },
  },
  judge: (facts, plan) => {
    const link = underlayOf(facts, plan);
    if (link === undefined || 'lacking' in link) return [['unknown']];
    const inner = podMtu(plan, link.mtuBytes);
    const { name, mtuBytes } = link;
    if (typeof inner === 'number')
      return [['enough', { link: name, outer: mtuBytes, inner, type: plan.netConf.backend.type }]];
    return [[inner.isTooSmall ? 'too-small' : 'refused', { link: name, refusal: inner.refusal }]];
  },
});

const overlap = check({
  looks: 'routes of the host into the addresses planned for pods',
  where: { text: 'a network given by `--net-conf`', holds: ({ isExample }) => !isExample },
  outcomes: {
    none: { level: 'ok', found: 'no route of others leads into {networks}' },
    'by-hand': {
      level: 'ok',
      found: '{routes} are as flannel makes them: Poplin takes over those to subnets of nodes',
    },
    overlaps: {
      level: 'problem',
      found: '{link} leads to {route}, which overlaps {network}: one of the two cannot be reached',
      remedy: 'plan another network for the pods, or take that one away',
    },
  },
  judge: ({ foreignRoutes }, { netConf }) => {
    const networks = [netConf.ipv4?.network, netConf.ipv6?.network].filter((each) => each !== undefined);
    const into = networks.flatMap((network) =>
      foreignRoutes
        .filter(({ prefix }) => prefixesOverlap(prefix, network))
        .map((route) => ({
          ...route,
          network,
          isTaken: route.isByHand && prefixContains(network, route.prefix),
        })),
    );
    const routes = into.flatMap(({ prefix, isTaken }) => (isTaken ? [prefix] : []));
    const told = into.flatMap(({ prefix, link, network, isTaken }): Told<'overlaps' | 'by-hand'>[] =>
      isTaken ? [] : [['overlaps', { link, route: prefix, network }]],
    );
    if (routes.length > 0) told.unshift(['by-hand', { routes: routes.join(', ') }]);
    return told.length > 0 ? told : [['none', { networks: networks.join(', ') }]];
  },
});

const PORT = {
  free: { level: 'ok', found: 'UDP {ports}: free' },
  ours: { level: 'ok', found: 'UDP {port}: {holder}, which Poplin goes on with' },
  shared: { level: 'ok', found: 'UDP {port}: VXLAN devices share it ({holder})' },
  taken: {
    level: 'problem',
    found: 'UDP {port} is taken at {address} by {holder}',
    remedy: 'end it, or give every node another port in net-conf.json',
  },
  device: {
    level: 'problem',
    found: 'UDP {port} is taken by the device {holder}, which shares it with none of ours ({kinds})',
    remedy:
      'give every node another port in net-conf.json, or, if nothing uses it\n  ip link delete {holder}',
  },
  kernel: {
    level: 'warning',
    found: 'UDP {port} is taken at {address} by the kernel, for no device of this namespace',
    remedy:
      'look for it where containers have their namespaces, or take another port in net-conf.json:\n  ip -all netns exec ip -details link show type {type}',
  },
  'perhaps-both': {
    level: 'warning',
    found: 'UDP {port} is taken at {address} by {holder}, for IPv4 too unless it asked for IPv6 alone',
    remedy: 'end it, or give every node another port in net-conf.json',
  },
  unseen: {
    level: 'unknown',
    found: 'UDP {port} is taken at {address}; who has it, only root sees',
    remedy: AS_ROOT,
  },
} as const satisfies Record<string, Outcome>;
type PortOutcome = keyof typeof PORT;

const port = check({
  looks: "who has the backend's UDP port",
  where: ENCAPSULATING,
  outcomes: PORT,
  judge: (facts, plan) => {
    const ports = portsOf(plan.netConf.backend) ?? { 4: 0, 6: 0 };
    const told = facts.sockets
      .filter((socket) => socket.protocol === 'udp')
      .flatMap((socket) => judgeSocket(socket, ports, facts, plan));
    if (told.length > 0) return told;
    const numbers = [...new Set(plan.families.map((family) => ports[family]))];
    return [['free', { ports: numbers.join(', ') }]];
  },
});

function judgeSocket(
  { family, port: number, address, holder }: HostSocket,
  ports: Readonly<Record<IpFamily, number>>,
  { links }: HostFacts,
  plan: InstallPlan,
): Told<PortOutcome>[] {
  const { type } = plan.netConf.backend;
  const values = { port: number, address, holder: holder ?? '', type };
  const isPlanned = plan.families.includes(family) && ports[family] === number;
  if (!isPlanned) {
    // A socket of "::" takes packets of IPv4 as well, unless it was made otherwise, which is not to be seen.
    const isOfBoth = family === 6 && address === '::' && holder !== undefined && holder !== 'kernel';
    return isOfBoth && plan.families.includes(4) && ports[4] === number ? [['perhaps-both', values]] : [];
  }
  if (holder !== undefined && holder !== 'kernel')
    return [[type === 'udp' && holder.startsWith('poplin-tunnel ') ? 'ours' : 'taken', values]];
  const own = plannedLinks(plan);
  const devices = links.filter(
    ({ vxlan, isUp }) => isUp && vxlan?.port === number && vxlan.families.includes(family),
  );
  if (devices.length > 0) {
    const unlike = devices.find(
      ({ name, vxlan }) =>
        type !== 'vxlan' ||
        !sharesWith(
          vxlan,
          plan,
          own.some((link) => link.name === name),
        ),
    );
    if (unlike === undefined)
      return [['shared', { ...values, holder: devices.map(({ name }) => name).join(', ') }]];
    const kinds = unlike.vxlan?.kinds.join(', ') || 'plain VXLAN';
    return [['device', { ...values, holder: unlike.name, kinds }]];
  }
  const wireguards = links.filter((link) => link.kind === 'wireguard' && link.isUp);
  const ours = wireguards.find(({ name }) => own.some((link) => link.name === name));
  if (type === 'wireguard' && ours !== undefined) return [['ours', { ...values, holder: ours.name }]];
  const [other] = wireguards;
  if (type === 'wireguard' && other !== undefined)
    return [['device', { ...values, holder: other.name, kinds: 'WireGuard' }]];
  return [[holder === undefined ? 'unseen' : 'kernel', values]];
}

/** The kernel gives VXLAN devices of one kind one socket, and tells their packets apart by the VNI. */
function sharesWith(vxlan: VxlanFacts | undefined, { netConf }: InstallPlan, isTakenOver: boolean): boolean {
  // Our own is made anew where it is of another kind.
  if (isTakenOver) return true;
  const wanted = netConf.backend.type === 'vxlan' && netConf.backend.gbp ? ['GBP'] : [];
  return vxlan?.kinds.join() === wanted.join();
}

const vni = check({
  looks: 'a VXLAN device of another name with the same VNI and the same port',
  where: { text: 'backend `vxlan`', holds: ({ netConf }) => netConf.backend.type === 'vxlan' },
  outcomes: {
    free: { level: 'ok', found: 'no other device has VNI {vni} on port {port}' },
    taken: {
      level: 'problem',
      found: '{link} has VNI {vni} on port {port}: the kernel refuses a second one',
      remedy: 'give every node another VNI in net-conf.json, or, if nothing uses it\n  ip link delete {link}',
    },
  },
  judge: ({ links }, plan) => {
    const config = plan.netConf.backend;
    if (config.type !== 'vxlan') return [];
    const own = plannedLinks(plan).map(({ name }) => name);
    const values = { vni: config.vni, port: config.port };
    const others = links.filter(
      ({ name, vxlan }) =>
        vxlan?.vni === config.vni &&
        vxlan.port === config.port &&
        vxlan.families.some((family) => plan.families.includes(family)) &&
        sharesWith(vxlan, plan, false) &&
        !own.includes(name),
    );
    return others.length === 0
      ? [['free', values]]
      : others.map(({ name }) => ['taken', { ...values, link: name }] as const);
  },
});

const linkNames = check({
  looks:
    'links of others under the names of the ones that the backend makes; what flannel left is taken over',
  where: { text: 'backends with a device', holds: (plan) => plannedLinks(plan).length > 0 },
  outcomes: {
    free: { level: 'ok', found: '{names}: no link has such a name' },
    ours: { level: 'ok', found: '{names}: there, and Poplin goes on with it' },
    taken: {
      level: 'problem',
      found: 'the link {link} is not what Poplin would make under that name: {why}',
      remedy: 'rename it, or, if nothing uses it\n  ip link delete {link}',
    },
  },
  judge: ({ links }, plan) => {
    const planned = plannedLinks(plan);
    const found = planned.flatMap((wish) => links.find(({ name }) => name === wish.name) ?? []);
    const taken = found.flatMap((link): Told<'taken'>[] => {
      const why = whyForeign(link, plan);
      return why === undefined ? [] : [['taken', { link: link.name, why }]];
    });
    if (taken.length > 0) return taken;
    return found.length > 0
      ? [['ours', { names: found.map(({ name }) => name).join(', ') }]]
      : [['free', { names: planned.map(({ name }) => name).join(', ') }]];
  },
});

/** Why a link is not taken over (core/overlay/take-over.ts), though it has the name; undefined if it is. */
function whyForeign(link: HostLink, plan: InstallPlan): string | undefined {
  if (link.isOurs) return undefined;
  const wish = plannedLinks(plan).find(({ name }) => name === link.name)?.detail;
  if (wish?.type !== link.kind) return `it is of kind ${link.kind}`;
  if (link.alias !== undefined && link.alias !== '') return `its alias "${link.alias}" says whose it is`;
  if (wish.type === 'vxlan' && link.vxlan?.vni !== wish.vni) return `it has VNI ${link.vxlan?.vni}`;
  return undefined;
}

const healthPort = check({
  looks: 'who has the TCP port of `/healthz`',
  where: { text: '`--healthz-port`', holds: (plan) => plan.healthPort !== undefined },
  outcomes: {
    free: { level: 'ok', found: 'TCP {port}: free' },
    ours: { level: 'ok', found: 'TCP {port}: {holder}' },
    taken: {
      level: 'problem',
      found: 'TCP {port} is taken at {address} by {holder}',
      remedy: 'end it, or give the agent another with --healthz-port',
    },
    unseen: {
      level: 'unknown',
      found: 'TCP {port} is taken at {address}; who has it, only root sees',
      remedy: AS_ROOT,
    },
  },
  judge: ({ sockets }, { healthPort: number = 0 }) => {
    const first = sockets.find((socket) => socket.protocol === 'tcp' && socket.port === number);
    if (first === undefined) return [['free', { port: number }]];
    const values = { port: number, address: first.address, holder: first.holder ?? '' };
    if (first.holder === undefined) return [['unseen', values]];
    return [[/^poplin (agent|flanneld) /.test(first.holder) ? 'ours' : 'taken', values]];
  },
});

const rpFilter = check({
  looks: 'strict reverse path filters, on hosts with more than one link to the world',
  where: { text: 'networks with IPv4', holds: (plan) => carrying(plan) && plan.families.includes(4) },
  outcomes: {
    off: { level: 'ok', found: 'not strict' },
    harmless: { level: 'ok', found: 'strict, which does no harm where one link alone leads to other nodes' },
    strict: {
      level: 'warning',
      found:
        'strict on {link}, and {others} lead to other hosts too: what nodes send by another way than that of the answers is dropped',
      remedy: 'loose will do:\n  sysctl -w net.ipv4.conf.{link}.rp_filter=2',
    },
  },
  judge: (facts, plan) => {
    const link = underlayOf(facts, plan);
    if (link === undefined || 'lacking' in link) return [['off']];
    const value = (name: string) => Number(facts.sysctls.get(`net/ipv4/conf/${name}/rp_filter`) ?? 0);
    // Documentation/networking/ip-sysctl: the larger of the two counts.
    if (Math.max(value('all'), value(link.name)) !== 1) return [['off']];
    const others = facts.links.filter(
      ({ name, isOurs, isUp, kind, addresses }) =>
        !isOurs &&
        isUp &&
        name !== link.name &&
        !/^(bridge|veth|tun|vxlan)$/.test(kind) &&
        addresses.some((each) => familyOf(each) === 4),
    );
    if (others.length === 0) return [['harmless']];
    return [['strict', { link: link.name, others: others.map(({ name }) => name).join(', ') }]];
  },
});

export const NETWORK_CHECKS = {
  backend,
  ipv6,
  underlay,
  mtu,
  overlap,
  port,
  vni,
  'link-names': linkNames,
  'healthz-port': healthPort,
  'rp-filter': rpFilter,
} as const;
