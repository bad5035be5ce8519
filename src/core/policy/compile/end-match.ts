/** The conditions of one end of a rule: addresses, ports, and who is there, as sets. */
import { familyOf, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import { type Field, field, match, type RulePart } from '#core/nft/index.ts';
import type { PeerSet } from '../graph.ts';
import type { EndMatch, PolicyRule, PortMatch, Protocol } from '../model.ts';
import { type EndSets, endSets } from '../peer-set.ts';
import {
  type Conjunction,
  hasPorts,
  type MatchContext,
  type ProtocolCase,
  product,
  protocolName,
} from './conjunction.ts';
import type { KernelSet } from './kernel-set.ts';
import { outermost } from './nets.ts';
import type { PortRange } from './rule-sets.ts';

type End = 'source' | 'destination';

/** What one end says of ports. */
export function portMatches(
  rule: PolicyRule,
  end: End,
  of: ProtocolCase,
  context: MatchContext,
): Conjunction[] {
  const matcher = new EndMatcher(end, of, context);
  const sets = setsOf(rule, end, context);
  return product([
    matcher.ports(rule[end].ports, sets.ports),
    matcher.notPorts(rule[end].notPorts, sets.notPorts),
  ]);
}

/** What one end says of addresses, and of those that are somebody's. */
export function addressMatches(
  rule: PolicyRule,
  end: End,
  of: ProtocolCase,
  context: MatchContext,
): Conjunction[] {
  const matcher = new EndMatcher(end, of, context);
  const sets = setsOf(rule, end, context);
  return product([
    matcher.nets(rule[end].nets),
    matcher.notNets(rule[end].notNets),
    matcher.addressIn(sets.selector),
    matcher.addressNotIn(sets.notSelector),
    matcher.addressIn(sets.domains),
    matcher.service(rule[end].service, sets.service),
  ]);
}

/** Ports by name are given with a protocol only, and otherwise match nothing. */
function setsOf(rule: PolicyRule, end: End, { policy, direction }: MatchContext): EndSets {
  return endSets(policy, direction, rule, end);
}

const ANY: readonly Conjunction[] = [[]];
const NONE: readonly Conjunction[] = [];

class EndMatcher {
  readonly #of: ProtocolCase;
  readonly #context: MatchContext;
  readonly #address: Field;
  readonly #end: End;

  constructor(end: End, of: ProtocolCase, context: MatchContext) {
    this.#end = end;
    this.#of = of;
    this.#context = context;
    this.#address = end === 'source' ? field.saddr(context.family) : field.daddr(context.family);
  }

  nets(nets: readonly IpPrefix[] | undefined): readonly Conjunction[] {
    if (nets === undefined) return ANY;
    const mine = this.#mine(nets);
    if (mine.length === 0) return NONE;
    if (mine.some(isEverything)) return ANY;
    const [only] = mine;
    return [
      [mine.length === 1 && only !== undefined ? match.is(this.#address, only) : this.#in(this.#nets(mine))],
    ];
  }

  notNets(nets: readonly IpPrefix[] | undefined): readonly Conjunction[] {
    const mine = this.#mine(nets ?? []);
    if (mine.length === 0) return ANY;
    if (mine.some(isEverything)) return NONE;
    const [only] = mine;
    return [
      [
        mine.length === 1 && only !== undefined
          ? match.not(this.#address, only)
          : this.#notIn(this.#nets(mine)),
      ],
    ];
  }

  addressIn(set: PeerSet | undefined): readonly Conjunction[] {
    return set === undefined ? ANY : [[this.#in(this.#peer(set))]];
  }

  addressNotIn(set: PeerSet | undefined): readonly Conjunction[] {
    return set === undefined ? ANY : [[this.#notIn(this.#peer(set))]];
  }

  /** A source is compared by its address alone. */
  service(given: EndMatch['service'], set: PeerSet | undefined): readonly Conjunction[] {
    if (given === undefined || set === undefined) return ANY;
    if (set.kind !== 'service') return this.addressIn(set);
    const { protocol, none } = this.#of;
    if (protocol === undefined ? none.length > 0 : !hasPorts(protocol)) return NONE;
    return [[match.inSet(this.#pair(), this.#peer(set).shape)]];
  }

  ports(given: readonly PortMatch[] | undefined, named: readonly PeerSet[]): readonly Conjunction[] {
    if (given === undefined) return ANY;
    if (!this.#hasPorts()) return NONE;
    const ranges = mergedRanges(given);
    return [
      ...(ranges.length === 0 ? [] : [[this.#portIn(ranges)]]),
      ...named.map((set) => [match.inSet(this.#pair(), this.#peer(set).shape)]),
    ];
  }

  /** What has no ports has none of these. */
  notPorts(given: readonly PortMatch[] | undefined, named: readonly PeerSet[]): readonly Conjunction[] {
    if (given === undefined || !this.#hasPorts()) return ANY;
    const ranges = mergedRanges(given);
    return [
      [
        ...(ranges.length === 0 ? [] : [this.#portNotIn(ranges)]),
        ...named.map((set) => match.notInSet(this.#pair(), this.#peer(set).shape)),
      ],
    ];
  }

  #hasPorts(): boolean {
    return this.#of.protocol !== undefined && hasPorts(this.#of.protocol);
  }

  #portIn(ranges: readonly PortRange[]): RulePart {
    const [{ from, to }, ...more] = ranges as readonly [PortRange, ...PortRange[]];
    if (more.length > 0) return match.inSet(this.#port(), this.#use(this.#context.sets.ports(ranges)).shape);
    return from === to ? match.is(this.#port(), from) : match.between(this.#port(), from, to);
  }

  #portNotIn(ranges: readonly PortRange[]): RulePart {
    const [{ from, to }, ...more] = ranges as readonly [PortRange, ...PortRange[]];
    if (more.length > 0)
      return match.notInSet(this.#port(), this.#use(this.#context.sets.ports(ranges)).shape);
    return from === to ? match.not(this.#port(), from) : match.notBetween(this.#port(), from, to);
  }

  #port(): Field {
    const { protocol } = this.#of;
    if (protocol === undefined) throw new RangeError('a port of no protocol');
    return portField(this.#end, protocol);
  }

  /** As the keys of ports by name and of services are: address, protocol, port. */
  #pair(): readonly Field[] {
    return [this.#address, field.l4proto, this.#end === 'source' ? field.thSport : field.thDport];
  }

  #in(set: KernelSet): RulePart {
    return match.inSet(this.#address, set.shape);
  }

  #notIn(set: KernelSet): RulePart {
    return match.notInSet(this.#address, set.shape);
  }

  #mine(nets: readonly IpPrefix[]): IpPrefix[] {
    return outermost(nets.filter((net) => familyOf(net) === this.#family));
  }

  get #family(): IpFamily {
    return this.#context.family;
  }

  #nets(nets: readonly IpPrefix[]): KernelSet {
    return this.#use(this.#context.sets.nets(nets, this.#family));
  }

  #peer(set: PeerSet): KernelSet {
    return this.#use(this.#context.sets.peer(set, this.#family));
  }

  #use(set: KernelSet): KernelSet {
    this.#context.used.add(set);
    return set;
  }
}

function isEverything(net: IpPrefix): boolean {
  return net.endsWith('/0');
}

function portField(end: End, protocol: Protocol): Field {
  const name = protocolName(protocol) as Parameters<typeof field.dport>[0];
  return end === 'source' ? field.sport(name) : field.dport(name);
}

/** Sorted, and none touching another. */
function mergedRanges(ports: readonly PortMatch[]): PortRange[] {
  const merged: { from: number; to: number }[] = [];
  const ranges = ports.filter((port) => 'from' in port).toSorted((a, b) => a.from - b.from || a.to - b.to);
  for (const { from, to } of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}
