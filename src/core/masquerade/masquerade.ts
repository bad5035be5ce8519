/**
 * What a node does with the packets of its pods beside carrying them, with the meaning of flannel's -ip-masq, -iptables-forward-rules and
 * -ip-blackhole-route, as objects of a table of our own. flannel's order of rules is kept, so that the two can be compared line by line;
 * it is that of its iptables mode: in its nftables mode the fourth rule hides the last.
 */
import type { IpFamily, IpPrefix } from '#base/ip/index.ts';
import { type KernelObject, OVERLAY } from '#core/kernel/index.ts';
import { act, field, match, type NftChain, type NftRule, type RulePart, rule } from '#core/nft/index.ts';

/** One family of a network of pods, and this node's share of it. */
export interface PodNetwork {
  readonly family: IpFamily;
  readonly network: IpPrefix;
  readonly subnet: IpPrefix;
}

export interface MasqueradeSettings {
  /** Source ports at random, so that connections that begin at once do not contend for one; flannel's default. */
  readonly isFullyRandom: boolean;
  /** Devices that carry pods' addresses to other nodes: what a pod sends to a node by them keeps its source. */
  readonly overlayLinks: readonly string[];
}

const FAMILY = 'inet';
const TABLE = 'poplin-network';
/** As nft's `srcnat` and `filter`. */
export const SRCNAT_PRIORITY = 100;
const FILTER_PRIORITY = 0;
/** What kube-proxy will masquerade itself: doing it twice loses packets on some kernels. */
export const KUBE_PROXY_MARK = 0x4000;
export const MULTICAST: Readonly<Record<IpFamily, IpPrefix>> = { 4: '224.0.0.0/4', 6: 'ff00::/8' };
/** Behind every route to a pod or a bridge, before the one that says that an address of the subnet is unreachable. */
const BLACKHOLE_METRIC = 64_999;

/** Pods reach what is outside of their network with the node's address, and are reached from there with the sender's own. */
export function planMasquerade(
  networks: readonly PodNetwork[],
  settings: MasqueradeSettings,
): KernelObject[] {
  if (networks.length === 0) return [];
  const marked = rule(FAMILY, [match.bits(field.mark, KUBE_PROXY_MARK, KUBE_PROXY_MARK), act.return]);
  return [
    { kind: 'nft-table', family: FAMILY, name: TABLE },
    {
      ...chain('source-nat', [marked, ...networks.flatMap((network) => masqueradeRules(network, settings))]),
      hook: { hook: 'postrouting', priority: SRCNAT_PRIORITY, type: 'nat', policy: 'accept' },
    },
  ];
}

/**
 * Lets pass what comes from the network or goes to it. This ends the journey through our own chain only: what another chain of the
 * forward hook drops, iptables' FORWARD with policy DROP among them, stays dropped.
 */
export function planForward(networks: readonly Pick<PodNetwork, 'family' | 'network'>[]): KernelObject[] {
  if (networks.length === 0) return [];
  return [
    { kind: 'nft-table', family: FAMILY, name: TABLE },
    {
      ...chain(
        'forward',
        networks.flatMap(({ family, network }) => [
          rule(FAMILY, [match.is(field.saddr(family), network), act.accept]),
          rule(FAMILY, [match.is(field.daddr(family), network), act.accept]),
        ]),
      ),
      hook: { hook: 'forward', priority: FILTER_PRIORITY, type: 'filter', policy: 'accept' },
    },
  ];
}

/** What goes to an address of this node's subnet that no pod has vanishes, and is not sent back where it came from. */
export function planBlackhole(networks: readonly Pick<PodNetwork, 'subnet'>[]): KernelObject[] {
  return networks.map(({ subnet }) => ({
    kind: 'route',
    dst: subnet,
    type: 'blackhole',
    nextHops: [],
    metric: BLACKHOLE_METRIC,
    protocol: OVERLAY.protocol,
  }));
}

function masqueradeRules(
  { family, network, subnet }: PodNetwork,
  { isFullyRandom, overlayLinks }: MasqueradeSettings,
): NftRule[] {
  const from = (prefix: IpPrefix) => match.is(field.saddr(family), prefix);
  const to = (prefix: IpPrefix) => match.is(field.daddr(family), prefix);
  const notFrom = (prefix: IpPrefix) => match.not(field.saddr(family), prefix);
  const notTo = (prefix: IpPrefix) => match.not(field.daddr(family), prefix);
  const masquerade = act.masquerade(isFullyRandom ? { flags: ['fully-random'] } : {});
  const lines: (readonly RulePart[])[] = [
    [from(subnet), to(network), act.return],
    [from(network), to(subnet), act.return],
    [notFrom(network), to(subnet), act.return],
    ...overlayLinks.map((link) => [from(network), match.is(field.oifname, link), act.return]),
    [from(network), notTo(MULTICAST[family]), masquerade],
    [notFrom(network), to(network), masquerade],
  ];
  return lines.map((parts) => rule(FAMILY, parts));
}

function chain(name: string, rules: readonly NftRule[]): NftChain {
  return { kind: 'nft-chain', family: FAMILY, table: TABLE, name, rules };
}
