/**
 * The overlay's nf_tables table. Encapsulated packets are taken from known nodes only: a pod, or anybody in the underlay, who sends
 * to the overlay's port could otherwise speak as any pod. And they bypass connection tracking: it costs, and a NAT rule that meets an
 * outer packet breaks its checksum.
 */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import {
  act,
  element,
  field,
  formatHex,
  match,
  type NftChain,
  type NftSet,
  type RulePart,
  rule,
} from '#core/nft/index.ts';

export const FAMILY = 'inet';
export const TABLE = 'poplin-overlay';
/** As nft's `raw`: before connection tracking. */
export const RAW_PRIORITY = -300;
export const FILTER_PRIORITY = 0;

/**
 * The table, its sets of peers and its chains, for the given outer families. With a `vni` only packets of that VXLAN network are looked
 * at: other devices of the host, of another network's nodes, may share the port.
 */
export function overlayTable(families: readonly IpFamily[], port: number, vni?: number): KernelObject[] {
  const outer = (parts: Parameters<typeof rule>[1]) =>
    rule(FAMILY, [match.is(field.dport('udp'), port), ...parts]);
  const untracked = [outer([act.notrack])];
  const guard = families.map((family) =>
    rule(FAMILY, [
      match.notInSet(field.saddr(family), peers(family)),
      match.is(field.dport('udp'), port),
      ...(vni === undefined ? [] : [ofNetwork(vni)]),
      act.counter,
      act.drop,
    ]),
  );
  return [
    { kind: 'nft-table', family: FAMILY, name: TABLE },
    ...families.map(peers),
    chain('prerouting', 'prerouting', RAW_PRIORITY, untracked),
    chain('output', 'output', RAW_PRIORITY, untracked),
    chain('input', 'input', FILTER_PRIORITY, guard),
  ];
}

/** RFC 7348 section 5: eight bytes of UDP, and the network identifier in bytes 4 to 6 of the VXLAN header. */
function ofNetwork(vni: number): RulePart {
  const value = formatHex(Uint8Array.of(vni >> 16, vni >> 8, vni));
  return () => [
    { op: 'payload', base: 'transport', offset: 12, length: 3, register: 8 },
    { op: 'cmp', register: 8, relation: 'eq', value },
  ];
}

/** A node whose encapsulated packets are taken. */
export function peerElement(family: IpFamily, publicIp: IpAddress): KernelObject {
  return element(peers(family), [publicIp]);
}

/** One for all: each of thousands of elements names it. */
const PEERS: Readonly<Record<IpFamily, NftSet>> = {
  4: { kind: 'nft-set', family: FAMILY, table: TABLE, name: 'peers4', keyType: ['ipv4_addr'] },
  6: { kind: 'nft-set', family: FAMILY, table: TABLE, name: 'peers6', keyType: ['ipv6_addr'] },
};

/** The set of outer addresses of known nodes. */
export function peers(family: IpFamily): NftSet {
  return PEERS[family];
}

/** A chain of the overlay's table. */
export function chain(
  name: string,
  hook: 'prerouting' | 'output' | 'input' | 'forward',
  priority: number,
  rules: NftChain['rules'],
): NftChain {
  return {
    kind: 'nft-chain',
    family: FAMILY,
    table: TABLE,
    name,
    hook: { hook, priority, type: 'filter', policy: 'accept' },
    rules,
  };
}
