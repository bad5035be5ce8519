/** One of every kind of nf_tables object that the vocabulary can say: what the kernel tests send, read back and print. */
import {
  act,
  element,
  field,
  match,
  type NftChain,
  type NftElement,
  type NftHook,
  type NftObject,
  type NftRule,
  type NftTable,
  type RulePart,
  rule,
} from '#core/nft/index.ts';
import { FILTER_RULES, SETS, set, TABLE } from './nftables-rules.ts';

export { SETS, TABLE } from './nftables-rules.ts';

export function chain(
  family: NftChain['family'],
  name: string,
  rules: readonly (readonly RulePart[] | NftRule)[],
  hook?: NftHook,
): NftChain {
  return {
    kind: 'nft-chain',
    family,
    table: TABLE,
    name,
    ...(hook && { hook }),
    rules: rules.map((each) => ('expressions' in each ? each : rule(family, each))),
  };
}

export const table = (family: NftTable['family'], more: Partial<NftTable> = {}): NftTable => ({
  kind: 'nft-table',
  family,
  name: TABLE,
  ...more,
});

export const ELEMENTS: readonly NftElement[] = [
  element(SETS.hosts4, ['10.0.0.1']),
  element(SETS.hosts4, ['10.0.0.2'], { comment: 'pod default/web-0' }),
  element(SETS.hosts4, ['255.255.255.255']),
  element(SETS.hosts6, ['fd00::1']),
  element(SETS.nets4, ['10.0.0.0/8']),
  element(SETS.nets4, ['11.0.0.0/8'], { comment: 'right behind the one before' }),
  element(SETS.nets4, ['192.168.0.5']),
  element(SETS.nets4, [['192.168.1.10', '192.168.1.19']]),
  element(SETS.nets4, ['255.255.255.0/24']),
  element(SETS.nets6, ['::/64']),
  element(SETS.nets6, ['fd00:1::/64']),
  element(SETS.nets6, ['fd00:2::7']),
  element(SETS.nets6, ['ff00::/8']),
  ...[80, 443, 22, 53, 8080, 9090, 1].map((port) => element(SETS.ports, [port])),
  element(SETS.portRanges, [[1, 1023]]),
  element(SETS.portRanges, [1024]),
  element(SETS.portRanges, [[30_000, 65_535]]),
  element(SETS.protocols, ['tcp']),
  element(SETS.protocols, [132]),
  element(SETS.marks, [0x4000]),
  element(SETS.marks, [1]),
  element(SETS.markRanges, [[0x100, 0x1ff]]),
  element(SETS.links, ['eth0']),
  element(SETS.links, ['veth1']),
  element(SETS.macs, ['00:11:22:33:44:55']),
  element(SETS.types, ['echo-request']),
  element(SETS.types6, ['nd-neighbor-solicit']),
  element(SETS.types6, ['nd-neighbor-advert']),
  element(SETS.endpoints, ['10.0.0.1', 'tcp', 80]),
  element(SETS.endpoints, ['10.0.0.1', 'udp', 53], { comment: 'dns' }),
  element(SETS.endpointRanges, ['10.0.0.0/8', 'tcp', [80, 90]]),
  element(SETS.endpointRanges, ['11.1.1.1', 'udp', 53]),
  element(SETS.endpointRanges6, ['fd00::/64', [1, 65_535]]),
  element(SETS.bound, ['eth0', '00:11:22:33:44:55', '10.0.0.1']),
  element(SETS.leases, ['10.0.0.9']),
  element(SETS.leases, ['10.0.0.10'], { timeoutMs: 3_600_000, comment: 'an hour' }),
  element(SETS.fixed, [22]),
  element(SETS.fixedRanges, [[100, 200]]),
  element(SETS.verdicts, ['10.0.0.1', 'tcp', 80], {
    data: { verdict: 'goto', chain: 'target' },
    comment: 'web',
  }),
  element(SETS.verdicts, ['10.0.0.2', 'tcp', 80], { data: { verdict: 'drop' } }),
  element(SETS.verdicts, ['10.0.0.3', 'tcp', 80], { data: { verdict: 'jump', chain: 'target' } }),
  element(SETS.verdicts, ['10.0.0.4', 'udp', 80], { data: { verdict: 'return' } }),
  element(SETS.verdicts, ['10.0.0.5', 'udp', 80], { data: { verdict: 'continue' } }),
  element(SETS.netVerdicts, ['10.1.0.0/16'], { data: { verdict: 'accept' } }),
  element(SETS.netVerdicts, ['10.2.0.0/16'], { data: { verdict: 'jump', chain: 'target' } }),
  element(SETS.linkVerdicts, ['eth0'], { data: { verdict: 'jump', chain: 'target' } }),
  element(SETS.chances, [0], { data: { verdict: 'goto', chain: 'target' } }),
  element(SETS.chances, [1], { data: { verdict: 'accept' } }),
  element(SETS.backends, ['1.1.1.1', 80], { data: ['10.0.0.1', 8080] }),
  element(SETS.backends6, [80], { data: ['fd00::1', 8080] }),
  element(SETS.addresses, [80], { data: ['10.0.0.1'] }),
  element(SETS.markOf, ['10.0.0.1'], { data: [0x10] }),
];

const { saddr, daddr, dport } = field;

export const INET: readonly NftObject[] = [
  table('inet', { comment: 'everything there is' }),
  ...Object.values(SETS),
  chain('inet', 'target', [rule('inet', [act.counter, act.return], 'a rule with a comment')]),
  chain('inet', 'forward', Object.values(FILTER_RULES), {
    hook: 'forward',
    priority: -5,
    type: 'filter',
    policy: 'drop',
  }),
  chain('inet', 'raw', [[match.is(field.iifname, 'lo'), act.notrack]], {
    hook: 'prerouting',
    priority: -300,
    type: 'filter',
  }),
  chain('inet', 'route', [[act.setMark(1)]], { hook: 'output', priority: -150, type: 'route' }),
  chain(
    'inet',
    'prerouting',
    [
      [act.dnat({ family: 4, address: '10.0.0.5' })],
      [match.is(dport('tcp'), 80), act.dnat({ family: 4, address: '10.0.0.5', port: 8080 })],
      [match.is(dport('tcp'), 80), act.dnat({ family: 6, address: 'fd00::1', port: 8080 })],
      [
        match.is(dport('tcp'), 81),
        act.dnat({
          family: 4,
          address: '10.0.0.5',
          addressEnd: '10.0.0.9',
          port: 80,
          portEnd: 90,
          flags: ['random'],
        }),
      ],
      [
        match.is(dport('udp'), 81),
        act.dnat({ family: 6, address: 'fd00::1', addressEnd: 'fd00::9', flags: ['persistent'] }),
      ],
      [match.is(field.l4proto, 'tcp'), act.dnatMap([daddr(4), field.thDport], SETS.backends)],
      [match.is(field.l4proto, 'tcp'), act.dnatMap(field.thDport, SETS.backends6)],
      [act.dnatMap(dport('udp'), SETS.addresses)],
      [match.is(dport('tcp'), 82), act.redirect({ port: 8082 })],
      [act.redirect()],
    ],
    { hook: 'prerouting', priority: -100, type: 'nat' },
  ),
  chain(
    'inet',
    'postrouting',
    [
      [act.masquerade()],
      [match.is(field.mark, 0x4000), act.masquerade({ flags: ['random', 'fully-random', 'persistent'] })],
      [match.is(field.l4proto, 'tcp'), act.masquerade({ port: 1024, portEnd: 65_535, flags: ['random'] })],
      [act.snat({ family: 4, address: '192.0.2.1' })],
      [act.snat({ family: 6, address: 'fd00::1', addressEnd: 'fd00::9' })],
    ],
    { hook: 'postrouting', priority: 100, type: 'nat', policy: 'accept' },
  ),
  ...ELEMENTS,
];

/** Tables of the other families: what is said differently there. */
export const OTHERS: readonly NftObject[] = [
  table('ip'),
  set('hosts', ['ipv4_addr'], {}, 'ip'),
  chain(
    'ip',
    'input',
    [
      [match.is(saddr(4), '10.0.0.0/8'), match.is(dport('tcp'), 80), act.reject()],
      [match.is(field.icmpType, 'echo-request'), act.accept],
      [match.inSet(saddr(4), { name: 'hosts', keyType: ['ipv4_addr'] }), act.accept],
    ],
    { hook: 'input', priority: 0, type: 'filter', policy: 'accept' },
  ),
  chain(
    'ip',
    'nat',
    [
      [match.is(dport('tcp'), 80), act.dnat({ family: 4, address: '10.0.0.5', port: 8080 })],
      [match.is(saddr(4), '10.0.0.5'), act.masquerade()],
    ].slice(0, 1),
    { hook: 'output', priority: -100, type: 'nat' },
  ),
  element({ family: 'ip', table: TABLE, name: 'hosts', keyType: ['ipv4_addr'] }, ['10.0.0.1']),
  table('ip6'),
  chain(
    'ip6',
    'input',
    [
      [match.is(saddr(6), 'fd00::/64'), act.reject()],
      [match.is(field.icmpv6Type, 'nd-neighbor-solicit'), act.accept],
    ],
    { hook: 'input', priority: 12, type: 'filter', policy: 'accept' },
  ),
  chain(
    'ip6',
    'srcnat',
    [[match.is(saddr(6), 'fd00::/64'), act.snat({ family: 6, address: '2001:db8::1' })]],
    { hook: 'postrouting', priority: 101, type: 'nat' },
  ),
  table('arp', { dormant: true }),
  chain(
    'arp',
    'input',
    [
      [match.is(field.arpSenderIp, '10.0.0.1'), match.is(field.arpTargetIp, '10.0.0.2'), act.drop],
      [match.is(field.arpSenderMac, '00:11:22:33:44:55'), act.drop],
    ],
    { hook: 'input', priority: 0, type: 'filter' },
  ),
  table('bridge'),
  chain(
    'bridge',
    'forward',
    [
      [match.is(field.etherSaddr, '00:11:22:33:44:55'), match.is(saddr(4), '10.0.0.1'), act.accept],
      [match.is(field.etherType, 'arp'), act.accept],
      [match.is(field.protocol, 'ip6'), act.drop],
    ],
    { hook: 'forward', priority: -200, type: 'filter', policy: 'accept' },
  ),
  table('netdev'),
  chain('netdev', 'ingress', [[match.is(saddr(4), '10.0.0.1'), act.drop]], {
    hook: 'ingress',
    priority: 0,
    type: 'filter',
    devices: ['lo'],
  }),
];
