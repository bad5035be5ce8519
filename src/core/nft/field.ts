/**
 * What rules can look at: header fields, packet metadata, connection tracking and the results of small computations.
 * Each field knows its nft spelling, its type, how it is loaded into a register and what must hold for it to be there at all
 * (an IPv4 header, a TCP header); rule() adds those conditions once, as nft does.
 */
import type { IpFamily } from '#base/ip/index.ts';
import { DATA_TYPES, type NftDataType } from './datatype.ts';
import {
  type CtKey,
  FIB_INPUTS,
  type FibInput,
  inOrder,
  type MetaKey,
  type NftExpression,
  type PayloadBase,
  type Register,
} from './expression.ts';
import { formatHex } from './hex.ts';

export type NetworkProtocol = 'ip' | 'ip6' | 'arp';
/** What a field needs: the header of a network or transport protocol, or an Ethernet header. */
export type Requirement =
  | { readonly layer: 'network'; readonly protocol: NetworkProtocol }
  | { readonly layer: 'transport'; readonly protocol: string }
  | { readonly layer: 'link' };

export interface Field {
  /** As nft spells it: `ip saddr`, `meta mark`. */
  readonly text: string;
  readonly type: NftDataType;
  readonly requires: readonly Requirement[];
  load(register: Register): readonly NftExpression[];
}

/** A field of a header: where nft's spelling and the bytes meet. Used both ways, by rules and by the printer. */
export interface HeaderField {
  readonly text: string;
  readonly type: NftDataType;
  readonly base: PayloadBase;
  readonly offset: number;
  readonly length: number;
  readonly requires: readonly Requirement[];
}

const IP: readonly Requirement[] = [{ layer: 'network', protocol: 'ip' }];
const IP6: readonly Requirement[] = [{ layer: 'network', protocol: 'ip6' }];
const ARP: readonly Requirement[] = [{ layer: 'network', protocol: 'arp' }];
const LINK: readonly Requirement[] = [{ layer: 'link' }];
const transport = (protocol: string): readonly Requirement[] => [{ layer: 'transport', protocol }];
const ICMP: readonly Requirement[] = [...IP, { layer: 'transport', protocol: 'icmp' }];
const ICMPV6: readonly Requirement[] = [...IP6, { layer: 'transport', protocol: 'ipv6-icmp' }];

function header(
  text: string,
  type: NftDataType,
  base: PayloadBase,
  offset: number,
  requires: readonly Requirement[],
): HeaderField {
  return { text, type, base, offset, length: DATA_TYPES[type].bytes, requires };
}

export const HEADER_FIELDS: readonly HeaderField[] = [
  header('ether daddr', 'ether_addr', 'link', 0, LINK),
  header('ether saddr', 'ether_addr', 'link', 6, LINK),
  header('ether type', 'ether_type', 'link', 12, LINK),
  header('ip protocol', 'inet_proto', 'network', 9, IP),
  header('ip saddr', 'ipv4_addr', 'network', 12, IP),
  header('ip daddr', 'ipv4_addr', 'network', 16, IP),
  header('ip6 nexthdr', 'inet_proto', 'network', 6, IP6),
  header('ip6 hoplimit', 'byte', 'network', 7, IP6),
  header('ip6 saddr', 'ipv6_addr', 'network', 8, IP6),
  header('ip6 daddr', 'ipv6_addr', 'network', 24, IP6),
  header('arp saddr ether', 'ether_addr', 'network', 8, ARP),
  header('arp saddr ip', 'ipv4_addr', 'network', 14, ARP),
  header('arp daddr ether', 'ether_addr', 'network', 18, ARP),
  header('arp daddr ip', 'ipv4_addr', 'network', 24, ARP),
  header('icmp type', 'icmp_type', 'transport', 0, ICMP),
  header('icmpv6 type', 'icmpv6_type', 'transport', 0, ICMPV6),
  header('icmp code', 'icmp_code', 'transport', 1, ICMP),
  header('icmpv6 code', 'icmpv6_code', 'transport', 1, ICMPV6),
  header('icmpv6 taddr', 'ipv6_addr', 'transport', 8, ICMPV6),
  header('th sport', 'inet_service', 'transport', 0, []),
  header('th dport', 'inet_service', 'transport', 2, []),
  ...['tcp', 'udp', 'sctp', 'dccp', 'udplite'].flatMap((protocol) => [
    header(`${protocol} sport`, 'inet_service', 'transport', 0, transport(protocol)),
    header(`${protocol} dport`, 'inet_service', 'transport', 2, transport(protocol)),
  ]),
  header('tcp flags', 'tcp_flag', 'transport', 13, transport('tcp')),
];

export const META_TYPES: Readonly<Record<MetaKey, NftDataType>> = {
  len: 'integer',
  protocol: 'ether_type',
  priority: 'integer',
  mark: 'mark',
  iif: 'iface_index',
  oif: 'iface_index',
  iifname: 'ifname',
  oifname: 'ifname',
  iiftype: 'iface_type',
  oiftype: 'iface_type',
  skuid: 'integer',
  skgid: 'integer',
  nftrace: 'boolean',
  rtclassid: 'integer',
  nfproto: 'nf_proto',
  l4proto: 'inet_proto',
  pkttype: 'pkt_type',
  cpu: 'integer',
  iifgroup: 'integer',
  oifgroup: 'integer',
  cgroup: 'integer',
  prandom: 'integer',
};

interface CtRow {
  readonly text: string;
  readonly type: NftDataType;
}

export const CT_FIELDS: Readonly<Record<CtKey, CtRow>> = {
  state: { text: 'state', type: 'ct_state' },
  direction: { text: 'direction', type: 'ct_dir' },
  status: { text: 'status', type: 'ct_status' },
  mark: { text: 'mark', type: 'mark' },
  expiration: { text: 'expiration', type: 'integer' },
  l3proto: { text: 'l3proto', type: 'nf_proto' },
  proto: { text: 'protocol', type: 'inet_proto' },
  protoSource: { text: 'proto-src', type: 'inet_service' },
  protoDestination: { text: 'proto-dst', type: 'inet_service' },
  zone: { text: 'zone', type: 'integer' },
  sourceIp: { text: 'ip saddr', type: 'ipv4_addr' },
  destinationIp: { text: 'ip daddr', type: 'ipv4_addr' },
  sourceIp6: { text: 'ip6 saddr', type: 'ipv6_addr' },
  destinationIp6: { text: 'ip6 daddr', type: 'ipv6_addr' },
};

/** nft prints these without the word `meta`. */
const BARE_META: ReadonlySet<MetaKey> = new Set<MetaKey>([
  'iif',
  'oif',
  'iifname',
  'oifname',
  'iifgroup',
  'oifgroup',
]);
const META_SPELLING: Partial<Record<MetaKey, string>> = { len: 'length', prandom: 'random' };

/** `iifname`, `meta mark`. */
export function metaText(key: MetaKey): string {
  const spelling = META_SPELLING[key] ?? key;
  return BARE_META.has(key) ? spelling : `meta ${spelling}`;
}

/** `ct state`, `ct original saddr`. */
export function ctText(key: CtKey, direction: 'original' | 'reply' | undefined): string {
  return `ct ${direction === undefined ? '' : `${direction} `}${CT_FIELDS[key].text}`;
}

function headerField(text: string): Field {
  const row = HEADER_FIELDS.find((candidate) => candidate.text === text);
  if (row === undefined) throw new RangeError(`no header field is called "${text}"`);
  const { base, offset, length } = row;
  return {
    text,
    type: row.type,
    requires: row.requires,
    load: (register) => [{ op: 'payload', base, offset, length, register }],
  };
}

function meta(key: MetaKey): Field {
  return {
    text: metaText(key),
    type: META_TYPES[key],
    requires: [],
    load: (register) => [{ op: 'meta', key, register }],
  };
}

function ct(key: CtKey, direction?: 'original' | 'reply'): Field {
  return {
    text: ctText(key, direction),
    type: CT_FIELDS[key].type,
    requires: [],
    load: (register) => [{ op: 'ct', key, ...(direction && { direction }), register }],
  };
}

/** `source & mask`: `mask` is a number of the field's type. */
function masked(source: Field, mask: number): Field {
  const row = DATA_TYPES[source.type];
  const bytes = new Uint8Array(row.bytes);
  for (let i = 0; i < row.bytes; i++) {
    bytes[row.order === 'big' ? row.bytes - 1 - i : i] = Math.floor(mask / 256 ** i) % 256;
  }
  const hex = formatHex(bytes);
  const zero = formatHex(new Uint8Array(row.bytes));
  return {
    text: `${source.text} & ${mask}`,
    type: source.type,
    requires: source.requires,
    load: (register) => [
      ...source.load(register),
      { op: 'bitwise', source: register, register, mask: hex, xor: zero },
    ],
  };
}

/** Fields by name: `field.saddr(4)`, `field.dport('tcp')`, `field.mark`. */
export const field = {
  saddr: (family: IpFamily) => headerField(family === 4 ? 'ip saddr' : 'ip6 saddr'),
  daddr: (family: IpFamily) => headerField(family === 4 ? 'ip daddr' : 'ip6 daddr'),
  sport: (protocol: 'tcp' | 'udp' | 'sctp' | 'dccp' | 'udplite') => headerField(`${protocol} sport`),
  dport: (protocol: 'tcp' | 'udp' | 'sctp' | 'dccp' | 'udplite') => headerField(`${protocol} dport`),
  /** The ports of whatever transport protocol it is: compare l4proto beside it. */
  thSport: headerField('th sport'),
  thDport: headerField('th dport'),
  tcpFlags: headerField('tcp flags'),
  hopLimit: headerField('ip6 hoplimit'),
  icmpType: headerField('icmp type'),
  icmpv6Type: headerField('icmpv6 type'),
  icmpCode: headerField('icmp code'),
  icmpv6Code: headerField('icmpv6 code'),
  /** The address that a neighbour solicitation or advertisement is about. */
  icmpv6Target: headerField('icmpv6 taddr'),
  etherSaddr: headerField('ether saddr'),
  etherDaddr: headerField('ether daddr'),
  etherType: headerField('ether type'),
  arpSenderIp: headerField('arp saddr ip'),
  arpTargetIp: headerField('arp daddr ip'),
  arpSenderMac: headerField('arp saddr ether'),
  nfproto: meta('nfproto'),
  l4proto: meta('l4proto'),
  /** EtherType of the packet; the way to tell protocols apart in bridge and netdev tables. */
  protocol: meta('protocol'),
  mark: meta('mark'),
  iif: meta('iif'),
  oif: meta('oif'),
  iifname: meta('iifname'),
  oifname: meta('oifname'),
  iiftype: meta('iiftype'),
  oiftype: meta('oiftype'),
  pkttype: meta('pkttype'),
  lengthBytes: meta('len'),
  ctState: ct('state'),
  ctStatus: ct('status'),
  ctMark: ct('mark'),
  ctDirection: ct('direction'),
  ctProtocol: ct('proto'),
  /** The destination the connection was opened to, before any translation. */
  ctOriginalDaddr: (family: IpFamily) => ct(family === 4 ? 'destinationIp' : 'destinationIp6', 'original'),
  ctOriginalSaddr: (family: IpFamily) => ct(family === 4 ? 'sourceIp' : 'sourceIp6', 'original'),
  ctOriginalDport: ct('protoDestination', 'original'),
  ctOriginalSport: ct('protoSource', 'original'),
  masked,
  /** The kind of address, seen from this host's routing table: `field.fibType('daddr')` is `local` for its own. */
  fibType: (...input: FibInput[]) => fib(input, 'type', 'fib_addrtype'),
  /** The link a route to the input leaves by. */
  fibOifname: (...input: FibInput[]) => fib(input, 'oifname', 'ifname'),
  /** 1 if there is a route to the input (and, with `iif`, back by the link it came from); 0 if not. */
  fibPresent: (...input: FibInput[]): Field => ({
    text: `fib ${input.join(' . ')} oif`,
    type: 'integer',
    requires: [],
    load: (register) => [
      { op: 'fib', input: inOrder(FIB_INPUTS, input), result: 'oif', present: true, register },
    ],
  }),
  /** 0 to modulus - 1, in turn or at random. */
  numgen: (mode: 'inc' | 'random', modulus: number): Field => ({
    text: `numgen ${mode} mod ${modulus}`,
    type: 'integer',
    requires: [],
    load: (register) => [{ op: 'numgen', mode, modulus, register }],
  }),
  /** 0 to modulus - 1, by the hash of other fields. */
  jhash: (sources: readonly Field[], modulus: number, seed?: number): Field => jhash(sources, modulus, seed),
} as const;

function fib(input: readonly FibInput[], result: 'oifname' | 'type', type: NftDataType): Field {
  return {
    text: `fib ${input.join(' . ')} ${result}`,
    type,
    requires: [],
    load: (register) => [{ op: 'fib', input: inOrder(FIB_INPUTS, input), result, register }],
  };
}

function jhash(sources: readonly Field[], modulus: number, seed: number | undefined): Field {
  return {
    text: `jhash ${sources.map((source) => source.text).join(' . ')} mod ${modulus}`,
    type: 'integer',
    requires: sources.flatMap((source) => source.requires),
    load: (register) => {
      const loads: NftExpression[] = [];
      let length = 0;
      // The sources lie behind the result's register.
      for (const source of sources) {
        loads.push(...source.load(register + 1 + length / 4));
        length += (DATA_TYPES[source.type].bytes + 3) & ~3;
      }
      const last = sources.at(-1);
      const unpadded = sources.length === 1 && last !== undefined ? DATA_TYPES[last.type].bytes : length;
      return [
        ...loads,
        {
          op: 'jhash',
          source: register + 1,
          length: unpadded,
          modulus,
          ...(seed !== undefined && { seed }),
          register,
        },
      ];
    },
  };
}
