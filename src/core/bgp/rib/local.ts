/** Routes of our own: announced by whoever has them, and aggregates of what is there. */
import { familyOf, type IpFamily, networkOf } from '#base/ip/index.ts';
import { Aggregates } from './aggregates.ts';
import type { TableAttributes } from './attribute-identity.ts';
import type { Aggregate, LocalRoute } from './config.ts';
import { ROUTE_FLAGS } from './family-table.ts';
import { removeRoute } from './import.ts';
import type { Tables } from './tables.ts';

const AGGREGATE = 'aggregate';

/** Own routes. Who wants one is its path identifier. */
export class LocalRoutes {
  readonly #tables: Tables;
  readonly #origins = new Map<string, number>();
  readonly #aggregates: { readonly 4: Aggregates; readonly 6: Aggregates };
  readonly #onHidden: (family: IpFamily, summary: number) => void;
  #now = 0;

  /** `onHidden`: what is within a summary is told again, or to nobody any more. */
  constructor(tables: Tables, onHidden: (family: IpFamily, summary: number) => void) {
    this.#tables = tables;
    this.#onHidden = onHidden;
    const of = (family: IpFamily): Aggregates =>
      new Aggregates(tables.families[family], (aggregate, prefix, isActive) =>
        this.#aggregate(family, aggregate, prefix, isActive),
      );
    this.#aggregates = { 4: of(4), 6: of(6) };
  }

  /** Announces a route, or changes it. Throws a RangeError on a prefix that is none. */
  announce(route: LocalRoute, now: number): void {
    const family = familyOf(route.prefix);
    const table = this.#tables.families[family];
    const index = table.internPrefix(networkOf(route.prefix));
    const pathId = this.#pathId(route.origin);
    const number = table.find(index, 0, pathId) || table.add(index, 0, pathId);
    const isDiscard = route.isDiscard === true;
    if (table.hasFlag(number, ROUTE_FLAGS.discard) !== isDiscard) {
      table.setFlag(number, ROUTE_FLAGS.discard, isDiscard);
      table.touch(number);
    }
    const attributes: TableAttributes = {
      origin: 'igp',
      asPath: [],
      nextHop: family === 4 ? '0.0.0.0' : '::',
      ...route.attributes,
    };
    const entry = this.#tables.pool.intern(attributes);
    this.#tables.pool.hold(entry);
    table.fill(number, entry, entry, now);
    this.#tables.pool.release(entry);
  }

  /** False if there was no such route. */
  withdraw(prefix: string, origin: string): boolean {
    const table = this.#tables.families[familyOf(prefix)];
    const index = table.prefixes.find(networkOf(prefix));
    const route = index === 0 ? 0 : table.find(index, 0, this.#pathId(origin));
    if (route === 0) return false;
    removeRoute(this.#tables, table, route);
    return true;
  }

  setAggregates(aggregates: readonly Aggregate[], now: number): void {
    this.#now = now;
    for (const family of [4, 6] as const)
      this.#aggregates[family].set(aggregates.filter(({ prefix }) => familyOf(prefix) === family));
  }

  /** A prefix has got its first route (1), or lost its last (-1). */
  changed(family: IpFamily, prefix: number, by: 1 | -1, now: number): void {
    if (this.#aggregates[family].isEmpty) return;
    this.#now = now;
    this.#aggregates[family].changed(prefix, by);
  }

  /** The name of who wants an own route. */
  originOf(pathId: number): string {
    for (const [origin, id] of this.#origins) if (id === pathId) return origin;
    return '';
  }

  #pathId(origin: string): number {
    const id = this.#origins.get(origin) ?? this.#origins.size + 1;
    this.#origins.set(origin, id);
    return id;
  }

  #aggregate(family: IpFamily, aggregate: Aggregate, prefix: number, isActive: boolean): void {
    const hidden = this.#tables.hidden[family];
    const text = this.#tables.families[family].prefixes.textOf(prefix);
    if (isActive) {
      const { attributes } = aggregate;
      const extra = { atomicAggregate: true, ...attributes } as const;
      this.announce({ prefix: text, origin: AGGREGATE, attributes: extra, isDiscard: true }, this.#now);
    } else this.withdraw(text, AGGREGATE);
    if (aggregate.isSummaryOnly !== true) return;
    if (isActive) hidden.set(prefix, text);
    else hidden.delete(prefix);
    this.#onHidden(family, prefix);
  }
}
