/**
 * Rules out of readable parts: `rule('inet', [match.is(field.saddr(4), '10.0.0.0/8'), act.accept])`.
 * A part is a function of the rule's scope, in which the conditions that fields depend on are noted, so that each appears once.
 */
import { valueBytes } from './datatype.ts';
import { type NftExpression, FIRST_REGISTER as R } from './expression.ts';
import type { NetworkProtocol, Requirement } from './field.ts';
import { formatHex } from './hex.ts';
import type { NftFamily, NftRule } from './objects.ts';

/** What is known about the packet at some point of a rule. */
export interface RuleScope {
  readonly family: NftFamily;
  network: NetworkProtocol | undefined;
  transport: string | undefined;
  ethernet: boolean;
}

export type RulePart = (scope: RuleScope) => readonly NftExpression[];

/** Puts a rule together. Throws RangeError for what cannot match, such as an IPv6 address in an `ip` table. */
export function rule(family: NftFamily, parts: readonly RulePart[], comment?: string): NftRule {
  const scope: RuleScope = {
    family,
    network: impliedNetwork(family),
    transport: undefined,
    ethernet: family === 'bridge' || family === 'netdev' || family === 'arp',
  };
  const expressions = parts.flatMap((part) => part(scope));
  return { expressions, ...(comment !== undefined && { comment }) };
}

/** The network protocol every packet of a family's chains has. */
export function impliedNetwork(family: NftFamily): NetworkProtocol | undefined {
  return family === 'ip' || family === 'ip6' || family === 'arp' ? family : undefined;
}

/** The comparisons that make sure of a field's header, unless the rule has made them before. */
export function satisfy(scope: RuleScope, requirements: readonly Requirement[]): NftExpression[] {
  return requirements.flatMap((requirement): NftExpression[] => {
    switch (requirement.layer) {
      case 'link':
        if (scope.ethernet) return [];
        scope.ethernet = true;
        return [
          { op: 'meta', key: 'iiftype', register: R },
          equals(formatHex(valueBytes('iface_type', 'ether'))),
        ];
      case 'network':
        return satisfyNetwork(scope, requirement.protocol);
      case 'transport':
        if (scope.transport === requirement.protocol) return [];
        if (scope.transport !== undefined)
          throw new RangeError(`a ${scope.transport} packet has no ${requirement.protocol} header`);
        scope.transport = requirement.protocol;
        return [
          { op: 'meta', key: 'l4proto', register: R },
          equals(formatHex(valueBytes('inet_proto', requirement.protocol))),
        ];
    }
  });
}

function satisfyNetwork(scope: RuleScope, protocol: NetworkProtocol): NftExpression[] {
  if (scope.network === protocol) return [];
  if (scope.network !== undefined)
    throw new RangeError(
      `an ${scope.network} packet (table family ${scope.family}) has no ${protocol} header`,
    );
  scope.network = protocol;
  if (scope.family === 'inet') {
    if (protocol === 'arp') throw new RangeError('inet tables see no arp packets');
    const value = formatHex(valueBytes('nf_proto', protocol === 'ip' ? 'ipv4' : 'ipv6'));
    return [{ op: 'meta', key: 'nfproto', register: R }, equals(value)];
  }
  return [
    { op: 'meta', key: 'protocol', register: R },
    equals(formatHex(valueBytes('ether_type', protocol))),
  ];
}

function equals(value: string): NftExpression {
  return { op: 'cmp', register: R, relation: 'eq', value };
}
