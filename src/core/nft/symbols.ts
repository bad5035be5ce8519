/** nft's names for the values of its types. Where a value has two names the one that nft prints stands here. */

export type Symbols = Readonly<Record<string, number>>;

export const CT_STATES: Symbols = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 };
export const CT_DIRECTIONS: Symbols = { original: 0, reply: 1 };
export const CT_STATUSES: Symbols = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
};
export const TCP_FLAGS: Symbols = {
  fin: 1,
  syn: 2,
  rst: 4,
  psh: 8,
  ack: 16,
  urg: 32,
  ecn: 64,
  cwr: 128,
};
export const NF_PROTOCOLS: Symbols = { ipv4: 2, ipv6: 10 };
/** nft reads /etc/protocols; these are the ones a network plugin meets, under the names of that file. */
export const INET_PROTOCOLS: Symbols = {
  icmp: 1,
  igmp: 2,
  ipencap: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  ospf: 89,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
};
export const ETHER_TYPES: Symbols = {
  ip: 0x0800,
  arp: 0x0806,
  ip6: 0x86dd,
  '8021q': 0x8100,
  '8021ad': 0x88a8,
};
export const PACKET_TYPES: Symbols = { host: 0, broadcast: 1, multicast: 2, other: 3 };
export const FIB_ADDRESS_TYPES: Symbols = {
  unspec: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
};
export const ICMP_TYPES: Symbols = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicitation': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
  'timestamp-request': 13,
  'timestamp-reply': 14,
  'info-request': 15,
  'info-reply': 16,
  'address-mask-request': 17,
  'address-mask-reply': 18,
};
export const ICMP_CODES: Symbols = {
  'net-unreachable': 0,
  'host-unreachable': 1,
  'prot-unreachable': 2,
  'port-unreachable': 3,
  'frag-needed': 4,
  'net-prohibited': 9,
  'host-prohibited': 10,
  'admin-prohibited': 13,
};
export const ICMPV6_CODES: Symbols = {
  'no-route': 0,
  'admin-prohibited': 1,
  'addr-unreachable': 3,
  'port-unreachable': 4,
  'policy-fail': 5,
  'reject-route': 6,
};
export const ICMPV6_TYPES: Symbols = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'mld-listener-query': 130,
  'mld-listener-report': 131,
  'mld-listener-done': 132,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
  'router-renumbering': 138,
  'ind-neighbor-solicit': 141,
  'ind-neighbor-advert': 142,
  'mld2-listener-report': 143,
};
export const INTERFACE_TYPES: Symbols = {
  ether: 1,
  ppp: 512,
  ipip: 768,
  ip6tnl: 769,
  loopback: 772,
  sit: 776,
  ipgre: 778,
};

/** The name of a value, or undefined. */
export function symbolOf(symbols: Symbols, value: number): string | undefined {
  return Object.keys(symbols).find((name) => symbols[name] === value);
}

/** Names of a bit mask's bits, joined by commas in the table's order; undefined for 0 or bits without a name. */
export function symbolsOfBits(symbols: Symbols, value: number): string | undefined {
  let left = value;
  const names: string[] = [];
  for (const [name, bit] of Object.entries(symbols)) {
    if ((value & bit) === 0) continue;
    names.push(name);
    left &= ~bit;
  }
  return left === 0 && names.length > 0 ? names.join(',') : undefined;
}
