/** Short ways to write members, policies and rules down in tests, and to add up deltas. */
import type { PeerElement, PeerSet, PolicyDelta } from '../graph.ts';
import type { EndMatch, Flow, LabelMap, Member, Policy, PolicyRef, PolicyRule, Tier } from '../model.ts';
import type { LabelsOf, Selector } from '../selector/index.ts';

export const TIERS: readonly Tier[] = [
  { name: 'admin', order: 1000, defaultAction: 'pass' },
  { name: 'default', order: 1_000_000, defaultAction: 'deny' },
  { name: 'baseline', order: 10_000_000, defaultAction: 'pass' },
];

/** `a=b` of the member; `ns:a=b`, `sa:a=b`, `self:a=b` of others; `a` alone: the label is there. All must hold. */
export function select(...terms: readonly string[]): Selector {
  const parts = terms.map((term): Selector => {
    const [, prefix, key = '', value] = /^(?:(ns|sa|self):)?([^=]+)(?:=(.*))?$/.exec(term) ?? [];
    const of = ({ ns: 'namespace', sa: 'service-account', self: 'self' }[prefix ?? ''] ??
      'member') as LabelsOf;
    return value === undefined ? { op: 'has', of, key } : { op: 'in', of, key, values: value.split('|') };
  });
  if (parts.length === 0) return { op: 'all' };
  return parts.length === 1 ? (parts[0] as Selector) : { op: 'and', parts };
}

/** A pod `namespace/name` with the addresses 10.0.0.N and fd00::N. */
export function pod(path: string, number: number, labels: LabelMap = {}, more: Partial<Member> = {}): Member {
  const [namespace = '', name = ''] = path.split('/');
  return {
    key: `pod ${path}`,
    kind: 'pod',
    namespace,
    name,
    labels,
    node: 'node-a',
    nets: [`10.0.0.${number}/32`, `fd00::${number.toString(16)}/128`],
    ports: [],
    ...more,
  };
}

export function node(name: string, number: number): Member {
  return {
    key: `node ${name}`,
    kind: 'node',
    name,
    labels: {},
    node: name,
    nets: [`172.16.0.${number}/32`, `fd16::${number.toString(16)}/128`],
    ports: [],
  };
}

/** A rule that allows, unless `more` says otherwise. */
export function rule(
  source: EndMatch,
  destination: EndMatch = {},
  more: Partial<PolicyRule> = {},
): PolicyRule {
  return { origin: { index: 0, path: 'rule' }, action: 'allow', source, destination, ...more };
}

/** A NetworkPolicy of the default tier that selects pods of its namespace by label. */
export function networkPolicy(path: string, terms: readonly string[], more: Partial<Policy>): Policy {
  const [namespace = '', name = ''] = path.split('/');
  return {
    ref: { kind: 'NetworkPolicy', namespace, name },
    tier: 'default',
    order: 1000,
    subject: select('self:kind=pod', `self:namespace=${namespace}`, ...terms),
    ...more,
  };
}

export function policy(ref: PolicyRef, subject: Selector, more: Partial<Policy>): Policy {
  return { ref, tier: 'default', order: 500, subject, ...more };
}

/** TCP from one to another of the numbers that `pod` takes, in one family. */
export function tcp(source: number, destination: number, port: number, family: 4 | 6 = 4): Flow {
  const at = (number: number): string => (family === 4 ? `10.0.0.${number}` : `fd00::${number.toString(16)}`);
  return {
    source: at(source),
    destination: at(destination),
    protocol: 6,
    sourcePort: 40_000,
    destinationPort: port,
  };
}

/** What somebody knows who has heard all deltas; complains of deltas that do not fit what was there. */
export class Listener {
  readonly endpoints = new Map<string, unknown>();
  readonly sets = new Map<string, { readonly set: PeerSet; readonly elements: Set<string> }>();

  hear({ endpoints, sets, dropped }: PolicyDelta): void {
    for (const id of dropped) if (!this.sets.delete(id)) throw new Error(`${id} was dropped and not there`);
    for (const [id, { set, added, removed }] of sets) {
      if (!this.sets.has(id)) this.sets.set(id, { set, elements: new Set() });
      const elements = this.sets.get(id)?.elements as Set<string>;
      for (const each of removed.map(text))
        if (!elements.delete(each)) throw new Error(`${id}: ${each} is not there`);
      for (const each of added.map(text)) {
        if (elements.has(each)) throw new Error(`${id}: ${each} is there`);
        elements.add(each);
      }
    }
    for (const [key, value] of endpoints) {
      if (value === undefined) this.endpoints.delete(key);
      else this.endpoints.set(key, value);
    }
  }

  /** In an order of its own, to be compared. */
  get state(): unknown {
    return {
      endpoints: [...this.endpoints].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      sets: [...this.sets]
        .map(([id, { elements }]) => [id, [...elements].toSorted()] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    };
  }
}

function text(element: PeerElement): string {
  return 'net' in element ? element.net : `${element.address} ${element.protocol} ${element.port}`;
}
