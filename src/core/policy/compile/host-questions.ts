/**
 * What host endpoints are asked, and by which base chain: when a packet is not tracked yet, before its addresses are translated, when it
 * comes to the host or leaves it, and when the host forwards it. Each looks for the endpoint by the host's address, then by the link, then takes
 * the one of all links, as the engine does (engine/hosts.ts). A chain that is gone to ends the question.
 */
import type { IpFamily } from '#base/ip/index.ts';
import { act, field, match, type NftHook, type RulePart } from '#core/nft/index.ts';
import type { FailsafePort } from '../engine/index.ts';
import type { Direction, Policy } from '../model.ts';
import { FAMILIES, KNOWN, PASSED } from './base-chains.ts';
import { LOCAL_PODS } from './guard.ts';
import { addressType, type SetShape } from './place.ts';
import type { Use } from './policy-chain.ts';
import { EARLY_MARK } from './words.ts';

export interface Question {
  /** Of the base chain. */
  readonly name: string;
  readonly direction: Direction;
  readonly use: Use;
  readonly hook: Pick<NftHook, 'hook' | 'priority'>;
  /** The policies that are asked. */
  readonly counts: (policy: Policy) => boolean;
  /** Endpoints are looked for by the host's address, and not by the link alone. */
  readonly isByAddress: boolean;
  /** An endpoint denies what its policies do not allow. */
  readonly isFinal: boolean;
}

const isUntracked = ({ host }: Policy): boolean => host?.doNotTrack === true;
const isEarly = ({ host }: Policy): boolean => host?.preDnat === true && !host.doNotTrack;
const isNormal = (policy: Policy): boolean => !isUntracked(policy) && !isEarly(policy);
const isForForwarded = (policy: Policy): boolean => isNormal(policy) && policy.host?.applyOnForward === true;

const RAW = -300;
/** nft's mangle: connections are tracked, and addresses not translated yet. */
const MANGLE = -150;

export const QUESTIONS: readonly Question[] = [
  {
    name: 'host-untracked-ingress',
    direction: 'ingress',
    use: 'untracked',
    // Behind the guard, which drops what no pod may send.
    hook: { hook: 'prerouting', priority: RAW + 1 },
    counts: isUntracked,
    isByAddress: true,
    isFinal: false,
  },
  {
    name: 'host-untracked-egress',
    direction: 'egress',
    use: 'untracked',
    hook: { hook: 'output', priority: RAW + 1 },
    counts: isUntracked,
    isByAddress: true,
    isFinal: false,
  },
  {
    name: 'host-early-ingress',
    direction: 'ingress',
    use: 'early',
    hook: { hook: 'prerouting', priority: MANGLE },
    counts: isEarly,
    isByAddress: true,
    isFinal: false,
  },
  {
    name: 'host-ingress',
    direction: 'ingress',
    use: 'host',
    hook: { hook: 'input', priority: 1 },
    counts: isNormal,
    isByAddress: true,
    isFinal: true,
  },
  {
    name: 'host-egress',
    direction: 'egress',
    use: 'host',
    hook: { hook: 'output', priority: 0 },
    counts: isNormal,
    isByAddress: true,
    isFinal: true,
  },
  {
    name: 'host-forward-ingress',
    direction: 'ingress',
    use: 'host',
    hook: { hook: 'forward', priority: 2 },
    counts: isForForwarded,
    isByAddress: false,
    isFinal: false,
  },
  {
    name: 'host-forward-egress',
    direction: 'egress',
    use: 'host',
    hook: { hook: 'forward', priority: 3 },
    counts: isForForwarded,
    isByAddress: false,
    isFinal: false,
  },
];

/** Link → chain of its endpoint. */
export function linkMap({ name }: Question, family: IpFamily): SetShape {
  return { name: `${name}-links${family}`, keyType: ['ifname'], dataType: 'verdict' };
}

/** Address of the host → chain of the endpoint that has it. */
export function addressMap({ name }: Question, family: IpFamily): SetShape {
  return { name: `${name}${family}`, keyType: [addressType(family)], dataType: 'verdict' };
}

/** `tcp . 22`: what stays open. */
export function failsafeSet(direction: Direction): SetShape {
  return { name: `failsafe-${direction}`, keyType: ['inet_proto', 'inet_service'] };
}

/** Listeners' and senders' reports: RFC 2710, RFC 3810. Neighbours are found without them, too. */
export const MLD_TYPES: SetShape = { name: 'mld-types', keyType: ['icmpv6_type'] };
export const MLD = [130, 131, 132, 143];

/** The rules of a question's base chain; `others` are the chains of the endpoint of all links, where there is one. */
export function questionRules(
  question: Question,
  others: Partial<Readonly<Record<IpFamily, string>>>,
  failsafe: Readonly<Record<Direction, readonly FailsafePort[]>>,
): (readonly RulePart[])[] {
  const isIn = question.direction === 'ingress';
  const link = isIn ? field.iifname : field.oifname;
  const own = isIn ? field.daddr : field.saddr;
  return [
    ...exceptions(question, failsafe),
    ...FAMILIES.flatMap((family): (readonly RulePart[])[] => {
      const other = others[family];
      const isFamily = match.is(field.nfproto, family === 4 ? 'ipv4' : 'ipv6');
      return [
        ...(question.isByAddress ? [[match.vmap(own(family), addressMap(question, family))]] : []),
        [isFamily, match.vmap(link, linkMap(question, family))],
        ...(other === undefined ? [] : [[isFamily, act.goto(other)]]),
      ];
    }),
  ];
}

/** What is not asked about. */
function exceptions(
  { name, direction, use }: Question,
  failsafe: Readonly<Record<Direction, readonly FailsafePort[]>>,
): (readonly RulePart[])[] {
  const isIn = direction === 'ingress';
  if (name.startsWith('host-forward')) return [...PASSED];
  const pods = FAMILIES.map((family) => [
    match.inSet(
      isIn ? [field.iifname, field.saddr(family)] : [field.oifname, field.daddr(family)],
      LOCAL_PODS[family],
    ),
    act.accept,
  ]);
  const tracked = [
    ...(name === 'host-egress' ? KNOWN : PASSED),
    [match.inSet(field.icmpv6Type, MLD_TYPES), act.accept],
    // Allowed already, or not ours to ask: what bypasses tracking has been asked before.
    [match.is(field.ctState, 'untracked'), act.accept],
    ...(name === 'host-ingress' ? [[match.bits(field.mark, EARLY_MARK, EARLY_MARK), act.accept]] : []),
  ];
  const open = (of: Direction, port: typeof field.thDport): readonly (readonly RulePart[])[] =>
    failsafe[of].length === 0 ? [] : [[match.inSet([field.l4proto, port], failsafeSet(of)), act.accept]];
  return [
    [match.is(isIn ? field.iifname : field.oifname, 'lo'), act.accept],
    ...(use === 'untracked' ? [] : tracked),
    ...pods,
    ...open(direction, field.thDport),
    // Without tracking an answer is known by where it comes from.
    ...(use === 'untracked' ? open(isIn ? 'egress' : 'ingress', field.thSport) : []),
    ...(use === 'host' ? [[match.not(field.fibType(isIn ? 'daddr' : 'saddr'), 'local'), act.accept]] : []),
  ];
}
