/** What the conditions of rules are made of: alternatives of parts that must all hold, and what is known of the packet in one of them. */
import type { IpFamily } from '#base/ip/index.ts';
import { canonicalValue, type RulePart } from '#core/nft/index.ts';
import { type Direction, type Policy, PROTOCOLS, type Protocol } from '../model.ts';
import type { KernelSet } from './kernel-set.ts';
import type { RuleSets } from './rule-sets.ts';

/** Parts of which all must hold. */
export type Conjunction = readonly RulePart[];

export interface MatchContext {
  readonly policy: Policy;
  readonly direction: Direction;
  readonly family: IpFamily;
  readonly sets: RuleSets;
  /** Takes up every set that a part looks into. */
  readonly used: Set<KernelSet>;
}

/** Protocols whose packets have ports. */
export const WITH_PORTS: readonly Protocol[] = [
  PROTOCOLS.tcp,
  PROTOCOLS.udp,
  PROTOCOLS.sctp,
  PROTOCOLS.udplite,
];

/** The protocol of the packets that an alternative is about; undefined: any but those without. */
export interface ProtocolCase {
  readonly protocol?: Protocol;
  /** It is none of these. */
  readonly none: readonly Protocol[];
}

/** Whether its packets have ports. */
export function hasPorts(protocol: Protocol): boolean {
  return WITH_PORTS.includes(protocol);
}

/** `tcp`, or a number that has no name. */
export function protocolName(protocol: Protocol): string | number {
  return canonicalValue('inet_proto', protocol);
}

/** One from each, in every way. */
export function product(choices: readonly (readonly Conjunction[])[]): Conjunction[] {
  let all: Conjunction[] = [[]];
  for (const choice of choices) all = all.flatMap((before) => choice.map((parts) => [...before, ...parts]));
  return all;
}
