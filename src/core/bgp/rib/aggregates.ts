/** Own routes that are there while there are longer ones within them. Packets to what is missing in them are thrown away. */
import { networkOf } from '#base/ip/index.ts';
import type { Aggregate } from './config.ts';
import type { FamilyTable } from './family-table.ts';

/** An aggregate and how many prefixes are within it. */
interface Kept {
  readonly aggregate: Aggregate;
  readonly prefix: number;
  contributors: number;
}

/** The aggregates of one family. */
export class Aggregates {
  readonly #table: FamilyTable;
  readonly #onChange: (aggregate: Aggregate, prefix: number, isActive: boolean) => void;
  #kept: readonly Kept[] = [];

  constructor(
    table: FamilyTable,
    onChange: (aggregate: Aggregate, prefix: number, isActive: boolean) => void,
  ) {
    this.#table = table;
    this.#onChange = onChange;
  }

  get isEmpty(): boolean {
    return this.#kept.length === 0;
  }

  /** Takes other aggregates; those that were are no more. */
  set(aggregates: readonly Aggregate[]): void {
    for (const { aggregate, prefix, contributors } of this.#kept) {
      if (contributors > 0) this.#onChange(aggregate, prefix, false);
      this.#table.prefixes.release(prefix);
    }
    this.#kept = aggregates.map((aggregate) => {
      const prefix = this.#table.internPrefix(networkOf(aggregate.prefix));
      this.#table.prefixes.hold(prefix);
      return { aggregate, prefix, contributors: 0 };
    });
    for (let prefix = 1; prefix < this.#table.prefixes.end; prefix++)
      if (this.#table.best[prefix] !== 0) this.changed(prefix, 1);
  }

  /** A prefix has got its first route (1), or lost its last (-1). */
  changed(prefix: number, by: 1 | -1): void {
    for (const kept of this.#kept) {
      if (prefix === kept.prefix || !this.#table.prefixes.isWithin(prefix, kept.prefix)) continue;
      const had = kept.contributors;
      kept.contributors += by;
      if ((had === 0) !== (kept.contributors === 0))
        this.#onChange(kept.aggregate, kept.prefix, kept.contributors > 0);
    }
  }
}
