/**
 * Points between which traffic is looked at, pods and addresses beyond, and classes of points that no policy can tell apart: verdicts
 * are asked for one pair of two classes and hold for all of their pairs.
 */
import { familyOf, type IpAddress } from '#base/ip/index.ts';
import type { Policy } from '../../model.ts';
import type { Selector } from '../../selector/index.ts';
import { selectorText } from '../../selector/index.ts';
import { hostOf, isHost } from '../addresses.ts';
import type { Entry } from '../entry.ts';
import type { PolicyGraph } from '../graph.ts';
import { Address, isInNets } from '../net-matcher.ts';
import { type Indexed, indexed, SelectorIndex } from '../selector-index.ts';

export interface Point {
  /** The member's key, or the address. */
  readonly name: string;
  /** Of pods. */
  readonly entry?: Entry;
  readonly addresses: readonly IpAddress[];
}

/** Points that are alike for every policy; never empty. */
export type PointClass = readonly Point[];

/** All pods that have an address, by key, and addresses beyond. */
export function pointsOf(graph: PolicyGraph, outside: readonly IpAddress[] = []): Point[] {
  const pods = [...graph.members.entries.values()]
    .filter(({ member }) => member.kind === 'pod')
    .map((entry): Point => {
      const { key: name, nets } = entry.member;
      return { name, entry, addresses: nets.filter(isHost).map(hostOf) };
    })
    .filter(({ addresses }) => addresses.length > 0)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return [...pods, ...outside.map((address): Point => ({ name: address, addresses: [address] }))];
}

/** The classes of points under the policies of several graphs at once; `points` are those of the first. */
export function classesOf(graphs: readonly PolicyGraph[], points: readonly Point[]): PointClass[] {
  const signs = graphs.map((graph) => new Signs(graph));
  const classes = new Map<string, Point[]>();
  for (const point of points) {
    const text = signs.map((each) => each.of(point)).join('\n');
    const found = classes.get(text);
    if (found === undefined) classes.set(text, [point]);
    else found.push(point);
  }
  return [...classes.values()];
}

interface Numbered extends Indexed {
  readonly number: number;
}

/** What policies can see of a point, as text. */
class Signs {
  readonly #graph: PolicyGraph;
  readonly #index = new SelectorIndex<Numbered>();
  readonly #selectors = new Set<string>();
  // Each by its text, so that what many rules say is looked at once.
  readonly #nets = new Map<string, readonly string[]>();
  readonly #services = new Map<string, { readonly namespace: string; readonly name: string }>();
  readonly #domains = new Map<string, readonly string[]>();
  /** Where host endpoints have a say, it matters on which node a pod is. */
  readonly #isNodeSeen: boolean;
  #hasNamedPorts = false;

  constructor(graph: PolicyGraph) {
    this.#graph = graph;
    for (const policy of graph.policies.byRef.values()) this.#see(policy);
    this.#isNodeSeen = graph.members.hasHostEndpoints;
  }

  of({ name, addresses }: Point): string {
    const { members } = this.#graph;
    const entry = members.entries.get(name);
    // Who has another's address is mistaken for it: no two of them are alike.
    if (addresses.some((address) => members.at(address).some((each) => each !== entry))) return name;
    const own = entry === undefined ? [] : [numbersOf(this.#index.selecting(entry))];
    if (entry !== undefined && this.#hasNamedPorts) own.push(JSON.stringify(entry.member.ports));
    if (this.#isNodeSeen) own.push(entry?.member.node ?? '');
    return [...own, ...addresses.map((address) => `${familyOf(address)} ${this.#ofAddress(address)}`)].join(
      '|',
    );
  }

  #ofAddress(text: IpAddress): string {
    const { members, lookups } = this.#graph;
    const found = new Set<Numbered>();
    for (const entry of members.covering(text))
      for (const each of this.#index.selecting(entry)) found.add(each);
    const { bytes } = new Address(text);
    return [
      numbersOf(found),
      [...this.#nets.values()].map((nets) => (isInNets(nets, bytes) ? 1 : 0)).join(''),
      [...this.#domains.values()].map((names) => (lookups.domains.isOf(names, text) ? 1 : 0)).join(''),
      [...this.#services.values()]
        .map(({ namespace, name }) => lookups.portsOfService(namespace, name, text))
        .join(';'),
    ].join(' ');
  }

  #see(policy: Policy): void {
    this.#seeSelector(policy.subject);
    for (const rule of [...(policy.ingress ?? []), ...(policy.egress ?? [])]) {
      for (const end of [rule.source, rule.destination]) {
        if (end.selector) this.#seeSelector(end.selector);
        if (end.notSelector) this.#seeSelector(end.notSelector);
        for (const nets of [end.nets ?? [], end.notNets ?? []]) this.#nets.set(nets.join(), nets);
        if (end.domains) this.#domains.set(end.domains.join(), end.domains);
        if (end.service) this.#services.set(`${end.service.namespace}/${end.service.name}`, end.service);
        this.#hasNamedPorts ||= [...(end.ports ?? []), ...(end.notPorts ?? [])].some(
          (port) => 'name' in port,
        );
      }
    }
  }

  #seeSelector(selector: Selector): void {
    const text = selectorText(selector);
    if (this.#selectors.has(text)) return;
    this.#index.add({ ...indexed(selector, this.#graph.members.weigh), number: this.#selectors.size });
    this.#selectors.add(text);
  }
}

function numbersOf(selectors: ReadonlySet<Numbered>): string {
  return [...selectors]
    .map(({ number }) => number)
    .toSorted((a, b) => a - b)
    .join();
}
