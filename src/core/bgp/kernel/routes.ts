/**
 * Best routes as the kernel is to have them: the next hops of all that are as good, own aggregates as black holes, nothing for what this node
 * has itself. A next hop need not be on a link: it is gone to by whatever the kernel reaches it by. What changed costs, and nothing else.
 */
import { familyOf, type IpAddress, type IpPrefix, isLinkLocal } from '#base/ip/index.ts';
import { type Amendment, BGP, keyOf, type NextHop, type Route } from '#core/kernel/index.ts';
import type { BestChange, BestHop, BestRoute } from '../rib/index.ts';

/** How the kernel reaches a next hop without any route of BGP's; undefined: not at all. `link` is that of a link-local one. */
export type WayTo = (nextHop: IpAddress, link: string | undefined) => NextHop | undefined;

/** What holds for all routes. */
export interface KernelRouteRules {
  /** Of routes that nobody has given another. */
  readonly metric: { readonly 4: number; readonly 6: number };
  /** False where others have a route, the overlay such as: then it is not wanted from us. */
  readonly isWanted: (prefix: IpPrefix, nextHop: IpAddress) => boolean;
  /** The way by a tunnel, where packets of the prefix are not to go to the next hop as they are. */
  readonly tunnelTo?: (prefix: IpPrefix, nextHop: IpAddress) => NextHop | undefined;
  /** The link that a peer's link-local next hops are on; undefined if it is not known. */
  readonly linkOf: (peer: string) => string | undefined;
}

interface Kept {
  readonly best: BestRoute;
  /** Absent: the kernel is to have none, or can have none as long as no next hop is reached. */
  readonly route?: Route;
}

const NOTHING: Amendment = { put: [], removed: [] };

export class KernelRoutes {
  readonly #wayTo: WayTo;
  #rules: KernelRouteRules;
  readonly #kept = new Map<IpPrefix, Kept>();
  /** By next hop and link: thousands of routes share a few. */
  #ways = new Map<string, NextHop | undefined>();
  readonly #withoutWay = new Set<IpPrefix>();

  constructor(rules: KernelRouteRules, wayTo: WayTo) {
    this.#rules = rules;
    this.#wayTo = wayTo;
  }

  /** Routes the kernel is to have. */
  get size(): number {
    let size = 0;
    for (const { route } of this.#kept.values()) if (route !== undefined) size++;
    return size;
  }

  /** Prefixes none of whose next hops is reached. */
  get unreachable(): ReadonlySet<IpPrefix> {
    return this.#withoutWay;
  }

  /** Takes what the speaker says is best from now on. */
  apply(changes: readonly BestChange[]): Amendment {
    const amendment = { put: [] as Route[], removed: [] as string[] };
    for (const { prefix, route } of changes) this.#set(prefix, route, amendment);
    return amendment;
  }

  /** Other rules. */
  configure(rules: KernelRouteRules): Amendment {
    this.#rules = rules;
    return this.#again();
  }

  /** Next hops may be reached another way. Costs a question for each next hop, and more only where the answer is another. */
  refresh(): Amendment {
    const before = this.#ways;
    this.#ways = new Map();
    let isOther = false;
    for (const [key, way] of before) {
      const [nextHop = '', link = ''] = key.split(' ');
      isOther = !isSameWay(this.#way(nextHop, link === '' ? undefined : link), way) || isOther;
    }
    return isOther ? this.#again() : NOTHING;
  }

  #again(): Amendment {
    const amendment = { put: [] as Route[], removed: [] as string[] };
    for (const [prefix, { best }] of this.#kept) this.#set(prefix, best, amendment);
    return amendment;
  }

  #set(prefix: IpPrefix, best: BestRoute | undefined, to: { put: Route[]; removed: string[] }): void {
    const before = this.#kept.get(prefix)?.route;
    const route = best === undefined ? undefined : this.#routeOf(prefix, best);
    if (best === undefined) {
      this.#kept.delete(prefix);
      this.#withoutWay.delete(prefix);
    } else this.#kept.set(prefix, route === undefined ? { best } : { best, route });
    if (before !== undefined && (route === undefined || keyOf(route) !== keyOf(before)))
      to.removed.push(keyOf(before));
    if (route !== undefined && (before === undefined || !isSameRoute(before, route))) to.put.push(route);
  }

  #routeOf(prefix: IpPrefix, { peer, nextHops, isDiscard, attributes }: BestRoute): Route | undefined {
    const base = {
      kind: 'route',
      dst: prefix,
      metric: attributes.priority ?? this.#rules.metric[familyOf(prefix)],
      protocol: BGP.protocol,
    } as const;
    this.#withoutWay.delete(prefix);
    if (isDiscard) return { ...base, type: 'blackhole', nextHops: [] };
    // What is ours is where it was before it was told.
    if (peer === '') return undefined;
    const hops = new Map<string, NextHop>();
    for (const bestHop of nextHops) {
      const { address } = bestHop;
      if (!this.#rules.isWanted(prefix, address)) return undefined;
      const hop = this.#rules.tunnelTo?.(prefix, address) ?? this.#hop(bestHop);
      if (hop !== undefined) hops.set(`${hop.via ?? ''} ${hop.link ?? ''}`, hop);
    }
    if (hops.size > 0) return { ...base, nextHops: [...hops.values()] };
    this.#withoutWay.add(prefix);
    return undefined;
  }

  #hop({ address, linkLocal, peer }: BestHop): NextHop | undefined {
    const local = isLinkLocal(address) ? address : linkLocal;
    const link = local === undefined ? undefined : this.#rules.linkOf(peer);
    // RFC 2545 section 3: the global one says who, and the link-local one where, if it is known on which link.
    if (local !== undefined && link !== undefined) return this.#way(local, link) && { via: local, link };
    if (isLinkLocal(address)) return undefined;
    const way = this.#way(address, undefined);
    return way && { ...way, via: way.via ?? address };
  }

  #way(nextHop: IpAddress, link: string | undefined): NextHop | undefined {
    const key = `${nextHop} ${link ?? ''}`;
    if (this.#ways.has(key)) return this.#ways.get(key);
    const way = this.#wayTo(nextHop, link);
    this.#ways.set(key, way);
    return way;
  }
}

function isSameWay(a: NextHop | undefined, b: NextHop | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.via === b.via && a.link === b.link);
}

function isSameRoute(a: Route, b: Route): boolean {
  return (
    a.metric === b.metric &&
    a.type === b.type &&
    a.nextHops.length === b.nextHops.length &&
    a.nextHops.every((hop, at) => isSameWay(hop, b.nextHops[at]))
  );
}
