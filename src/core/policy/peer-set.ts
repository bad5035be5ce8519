/**
 * Which sets of addresses the rules of a policy compare with, and by which name a set goes. Engine and compiler both ask here, so that
 * what the one keeps is what the other looks up.
 */
import type { PeerSet } from './graph.ts';
import type { Direction, EndMatch, Policy, PolicyRule, PortMatch } from './model.ts';
import type { Selector } from './selector/index.ts';
import { canonical, selectorText } from './selector/index.ts';

/** The sets that one end of a rule compares with. */
export interface EndSets {
  readonly selector?: PeerSet;
  readonly notSelector?: PeerSet;
  /** One for each port that is given by name: alternatives, beside those by number. */
  readonly ports: readonly PeerSet[];
  readonly notPorts: readonly PeerSet[];
  readonly domains?: PeerSet;
  readonly service?: PeerSet;
}

/** The identity of a set: two that are asked for alike are one. */
export function peerSetId(set: PeerSet): string {
  switch (set.kind) {
    case 'members':
      return `members ${selectorText(set.selector)}`;
    case 'named-port': {
      const of = set.selector === undefined ? '' : ` ${selectorText(set.selector)}`;
      return `port ${set.protocol} ${set.port}${of}`;
    }
    case 'service':
    case 'service-addresses':
      return `${set.kind} ${set.namespace}/${set.name}`;
    case 'domains':
      return `domains ${set.names.join(' ')}`;
  }
}

/** The sets of all rules of a policy, each once, by peerSetId. */
export function policySets(policy: Policy): ReadonlyMap<string, PeerSet> {
  const sets = new Map<string, PeerSet>();
  for (const direction of ['ingress', 'egress'] as const) {
    for (const rule of policy[direction] ?? []) {
      for (const end of ['source', 'destination'] as const) {
        const { ports, notPorts, ...single } = endSets(policy, direction, rule, end);
        for (const set of [...Object.values(single), ...ports, ...notPorts]) sets.set(peerSetId(set), set);
      }
    }
  }
  return sets;
}

/**
 * The sets of one end of a rule. Ports by name at the policy's own end (the destination of ingress, the source of egress) are looked for
 * among the policy's subjects alone, for nobody else can be at that end.
 */
export function endSets(
  policy: Policy,
  direction: Direction,
  rule: PolicyRule,
  end: 'source' | 'destination',
): EndSets {
  const match = rule[end];
  const isOwn = (direction === 'ingress') === (end === 'destination');
  const holders = conjunction(isOwn ? policy.subject : undefined, match.selector);
  return {
    ...(match.selector && { selector: membersSet(match.selector) }),
    ...(match.notSelector && { notSelector: membersSet(match.notSelector) }),
    ports: namedPortSets(match.ports, rule, holders),
    notPorts: namedPortSets(match.notPorts, rule, holders),
    ...domainsAndService(match, end),
  };
}

function domainsAndService(
  { domains, service }: EndMatch,
  end: 'source' | 'destination',
): Pick<EndSets, 'domains' | 'service'> {
  const kind = end === 'destination' ? 'service' : 'service-addresses';
  return {
    ...(domains && { domains: { kind: 'domains', names: [...new Set(domains)].toSorted() } }),
    ...(service && { service: { kind, namespace: service.namespace, name: service.name } }),
  };
}

const membersSet = (selector: Selector): PeerSet => ({ kind: 'members', selector: canonical(selector) });

function namedPortSets(
  ports: readonly PortMatch[] | undefined,
  { protocol }: PolicyRule,
  selector: Selector | undefined,
): PeerSet[] {
  if (protocol === undefined) return []; // ports are given with a protocol only
  return (ports ?? []).flatMap((port): PeerSet[] =>
    'name' in port ? [{ kind: 'named-port', protocol, port: port.name, ...(selector && { selector }) }] : [],
  );
}

function conjunction(a: Selector | undefined, b: Selector | undefined): Selector | undefined {
  if (a === undefined || b === undefined) return a === undefined ? b && canonical(b) : canonical(a);
  return canonical({ op: 'and', parts: [a, b] });
}
