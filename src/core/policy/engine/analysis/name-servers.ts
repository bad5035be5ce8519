/** Whether a pod's policies let it ask anybody for names. */
import { firstIp, type IpPrefix } from '#base/ip/index.ts';
import type { TierStage } from '../../graph.ts';
import { type PolicyRule, PROTOCOLS } from '../../model.ts';
import type { Selector } from '../../selector/index.ts';
import { decide } from '../decide.ts';
import type { PolicyGraph } from '../graph.ts';
import type { Point, PointClass } from './points.ts';
import { Prober } from './prober.ts';

const DNS_PORT = 53;
const DNS_PROTOCOLS: readonly number[] = [PROTOCOLS.udp, PROTOCOLS.tcp];
/** Stand for the world: of the blocks that are kept for documentation (RFC 5737, RFC 3849). */
const ANYWHERE = ['198.51.100.0/24', '2001:db8:53::/48'] as const;

/** Whoever might answer: pods of each class, nodes, addresses outside. */
export class NameServers {
  readonly #graph: PolicyGraph;
  readonly #prober: Prober;
  readonly #selects = new Map<Selector, boolean>();
  readonly #servers: readonly Point[];
  /** One that a pod reached, and the next one is likely to. */
  #likely: Point | undefined;

  constructor(graph: PolicyGraph, classes: readonly PointClass[]) {
    this.#graph = graph;
    this.#prober = new Prober(graph);
    const others = [...graph.members.entries.values()].filter(({ member }) => member.kind !== 'pod');
    const nets = others.flatMap(({ member }) => member.nets);
    this.#servers = [
      ...classes.flatMap((points) => points.slice(0, 2)),
      ...outside(nets),
      ...outside(ANYWHERE),
    ];
  }

  areReachedBy(pod: Point, stages: readonly TierStage[]): boolean {
    const rules = stages.flatMap(({ policies }) => policies.flatMap(({ egress = [] }) => egress));
    // Where the end is a denial and nothing could come before it, nobody need be tried.
    if (
      stages.some(({ tier }) => tier.defaultAction === 'deny') &&
      !rules.some((rule) => this.#mayOpen(rule))
    )
      return false;
    const isReached = (server: Point): boolean =>
      server.name !== pod.name && this.#isOpen(pod, server, stages);
    if (this.#likely !== undefined && isReached(this.#likely)) return true;
    const named = outside(rules.flatMap(({ destination }) => destination.nets ?? []));
    if (named.some(isReached)) return true;
    this.#likely = this.#servers.find(isReached) ?? this.#likely;
    return this.#likely !== undefined && isReached(this.#likely);
  }

  /** False only if the rule lets nobody be asked. */
  #mayOpen({ action, protocol, destination: { selector, ports } }: PolicyRule): boolean {
    return (
      (action === 'allow' || action === 'pass') &&
      (protocol === undefined || DNS_PROTOCOLS.includes(protocol)) &&
      (ports?.some((port) => 'name' in port || (port.from <= DNS_PORT && DNS_PORT <= port.to)) ?? true) &&
      (selector === undefined || this.#selectsAny(selector))
    );
  }

  #selectsAny(selector: Selector): boolean {
    const known = this.#selects.get(selector) ?? this.#graph.members.selectsAny(selector);
    this.#selects.set(selector, known);
    return known;
  }

  #isOpen(pod: Point, server: Point, stages: readonly TierStage[]): boolean {
    return DNS_PROTOCOLS.some((protocol) =>
      this.#prober
        .flows(pod, server, { protocol, port: DNS_PORT })
        .some((known) => decide(stages, known, { direction: 'egress', hasTierDefaults: true }) !== 'deny'),
    );
  }
}

/** The first address of each net. */
function outside(nets: readonly IpPrefix[]): Point[] {
  return [...new Set(nets)].map((net) => ({ name: net, addresses: [firstIp(net)] }));
}
