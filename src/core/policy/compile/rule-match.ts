/**
 * The conditions of a rule in one family, exactly as the engine has them (engine/match.ts). What nf_tables cannot say in one rule becomes
 * several: alternatives, each a list of parts that must all hold. No alternatives: the rule matches nothing there.
 */
import type { IpFamily } from '#base/ip/index.ts';
import { field, match } from '#core/nft/index.ts';
import { type IcmpMatch, type PolicyRule, PROTOCOLS, type Protocol } from '../model.ts';
import {
  type Conjunction,
  type MatchContext,
  type ProtocolCase,
  product,
  protocolName,
  WITH_PORTS,
} from './conjunction.ts';
import { addressMatches, portMatches } from './end-match.ts';

const ICMP_OF: Readonly<Record<IpFamily, Protocol>> = { 4: PROTOCOLS.icmp, 6: PROTOCOLS.icmpv6 };

export function ruleMatches(rule: PolicyRule, context: MatchContext): Conjunction[] {
  if (rule.family !== undefined && rule.family !== context.family) return [];
  if (rule.protocol !== undefined && rule.protocol === rule.notProtocol) return [];
  return protocolCases(rule).flatMap((of) =>
    product([
      [protocolParts(of, rule)],
      icmpMatches(rule.icmp, of, context.family),
      notIcmpMatches(rule.notIcmp, of, context.family),
      // Ports first: they cost less to compare than addresses.
      portMatches(rule, 'source', of, context),
      portMatches(rule, 'destination', of, context),
      addressMatches(rule, 'source', of, context),
      addressMatches(rule, 'destination', of, context),
    ]),
  );
}

/** Ports without a protocol are those of any protocol that has ports. */
function protocolCases({ protocol, notProtocol, source, destination }: PolicyRule): ProtocolCase[] {
  if (protocol !== undefined) return [{ protocol, none: [] }];
  const ends = [source, destination];
  const wantsPorts = ends.some(({ ports }) => ports !== undefined);
  if (!wantsPorts && ends.every(({ notPorts }) => notPorts === undefined)) return [{ none: [] }];
  const cases = WITH_PORTS.filter((each) => each !== notProtocol).map((each) => ({
    protocol: each,
    none: [],
  }));
  return wantsPorts ? cases : [...cases, { none: WITH_PORTS }];
}

function protocolParts({ protocol, none }: ProtocolCase, { notProtocol }: PolicyRule): Conjunction {
  if (protocol !== undefined) return [match.is(field.l4proto, protocolName(protocol))];
  const excluded = new Set([...none, ...(notProtocol === undefined ? [] : [notProtocol])]);
  return [...excluded].map((each) => match.not(field.l4proto, protocolName(each)));
}

function icmpMatches(icmp: IcmpMatch | undefined, of: ProtocolCase, family: IpFamily): Conjunction[] {
  if (icmp === undefined) return [[]];
  if (!maybe(of, ICMP_OF[family])) return [];
  const { type, code } = icmpFields(family);
  return [[match.is(type, icmp.type), ...(icmp.code === undefined ? [] : [match.is(code, icmp.code)])]];
}

/** Another protocol, another type, or the type with another code. */
function notIcmpMatches(icmp: IcmpMatch | undefined, of: ProtocolCase, family: IpFamily): Conjunction[] {
  const protocol = ICMP_OF[family];
  if (icmp === undefined || !maybe(of, protocol)) return [[]];
  const { type, code } = icmpFields(family);
  return [
    ...(of.protocol === undefined ? [[match.not(field.l4proto, protocolName(protocol))]] : []),
    [match.not(type, icmp.type)],
    ...(icmp.code === undefined ? [] : [[match.is(type, icmp.type), match.not(code, icmp.code)]]),
  ];
}

function icmpFields(family: IpFamily): { type: typeof field.icmpType; code: typeof field.icmpCode } {
  return family === 4
    ? { type: field.icmpType, code: field.icmpCode }
    : { type: field.icmpv6Type, code: field.icmpv6Code };
}

function maybe(of: ProtocolCase, protocol: Protocol): boolean {
  return of.protocol === undefined ? !of.none.includes(protocol) : of.protocol === protocol;
}
