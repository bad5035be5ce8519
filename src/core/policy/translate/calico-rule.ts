/** A rule of projectcalico.org/v3: action, protocol, and the two ends. https://docs.tigera.io/calico/latest/reference/resources/networkpolicy */
import type { IpFamily } from '#base/ip/index.ts';
import type { Direction, IcmpMatch, PolicyRule, Protocol, RuleAction } from '../model.ts';
import { PROTOCOLS } from '../model.ts';
import { type EndContext, endMatch } from './calico-end.ts';
import { calicoProtocol, PROTOCOL_NAMES } from './calico-protocol.ts';
import { type Fields, shown } from './document.ts';
import { PORT_PROTOCOLS } from './ports.ts';

const ACTIONS = { Allow: 'allow', Deny: 'deny', Pass: 'pass', Log: 'log' } as const satisfies Record<
  string,
  RuleAction
>;

/** `namespace` is the policy's, undefined for one of the whole cluster. Mostly one rule. */
export function calicoRules(
  rule: Fields,
  index: number,
  direction: Direction,
  namespace: string | undefined,
): PolicyRule[] {
  const action = rule.required('action', rule.oneOf('action', keysOf(ACTIONS)));
  const protocol = protocolOf(rule, 'protocol');
  const notProtocol = protocolOf(rule, 'notProtocol');
  const family = familyOf(rule, [protocol, notProtocol]);
  const icmp = icmpOf(rule, 'icmp', protocol);
  const notIcmp = icmpOf(rule, 'notICMP', protocol);
  if (rule.has('http')) rule.fail('is not enforced: Poplin looks at packets, not at requests', 'http');
  const metadata = rule.object('metadata');
  const name = metadata?.map('annotations')['name'];
  metadata?.warnOfOthers();
  const context: EndContext = { direction, namespace, protocol, action: action && ACTIONS[action] };
  const source = endMatch(rule.object('source'), 'source', context);
  const destination = endMatch(rule.object('destination'), 'destination', context);
  rule.warnOfOthers();
  const match: PolicyRule = {
    origin: { index, path: `${direction}[${index}]`, ...(name !== undefined && { name }) },
    action: ACTIONS[action ?? 'Deny'],
    ...(family !== undefined && { family }),
    ...(protocol !== undefined && { protocol }),
    ...(notProtocol !== undefined && { notProtocol }),
    ...(icmp !== undefined && { icmp }),
    ...(notIcmp !== undefined && { notIcmp }),
    source,
    destination,
  };
  return withProtocol(rule, match);
}

/** Ports by name may be given without a protocol: they are those of any protocol that has ports. */
function withProtocol(rule: Fields, match: PolicyRule): PolicyRule[] {
  const { source, destination, protocol } = match;
  if (protocol !== undefined) return [match];
  if (source.ports !== undefined || destination.ports !== undefined)
    return Object.values(PORT_PROTOCOLS).map((each) => ({ ...match, protocol: each }));
  if (source.notPorts !== undefined || destination.notPorts !== undefined)
    rule.fail('is missing: notPorts needs one, or ports beside it', 'protocol');
  return [match];
}

function keysOf<T extends object>(object: T): (keyof T & string)[] {
  return Object.keys(object) as (keyof T & string)[];
}

function protocolOf(rule: Fields, key: string): Protocol | undefined {
  const value = rule.value(key);
  if (value === undefined || value === '') return undefined;
  const protocol = calicoProtocol(value);
  if (protocol === undefined)
    rule.fail(`${shown(value)} is not one of ${PROTOCOL_NAMES.join(', ')}, nor a number from 1 to 255`, key);
  return protocol;
}

const FAMILY_OF_ICMP: Readonly<Record<Protocol, IpFamily>> = { [PROTOCOLS.icmp]: 4, [PROTOCOLS.icmpv6]: 6 };

function familyOf(rule: Fields, protocols: readonly (Protocol | undefined)[]): IpFamily | undefined {
  const family = rule.integer('ipVersion', 4, 6);
  if (family === undefined) return undefined;
  if (family !== 4 && family !== 6) {
    rule.fail(`${family} is neither 4 nor 6`, 'ipVersion');
    return undefined;
  }
  for (const protocol of protocols) {
    const wanted = protocol === undefined ? undefined : FAMILY_OF_ICMP[protocol];
    if (wanted !== undefined && wanted !== family)
      rule.fail(
        `${family} contradicts ICMP${wanted === 4 ? '' : 'v6'}, which is of IPv${wanted}`,
        'ipVersion',
      );
  }
  return family;
}

function icmpOf(
  rule: Fields,
  key: 'icmp' | 'notICMP',
  protocol: Protocol | undefined,
): IcmpMatch | undefined {
  const fields = rule.object(key);
  if (fields === undefined) return undefined;
  const type = fields.integer('type', 0, 254);
  const code = fields.integer('code', 0, 255);
  fields.warnOfOthers();
  if (key === 'icmp' && (protocol === undefined || FAMILY_OF_ICMP[protocol] === undefined))
    rule.fail('needs ICMP or ICMPv6 as protocol', key);
  if (type === undefined) {
    if (code !== undefined) fields.fail('needs type beside it', 'code');
    return undefined;
  }
  return { type, ...(code !== undefined && { code }) };
}
