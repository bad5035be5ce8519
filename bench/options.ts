/** The options of `npm run bench`, as main.ts reads them. */

/** What every benchmark is told. */
export interface BenchOptions {
  /** One JSON line in place of the table. */
  readonly json: boolean;
  /** Sizes other than the usual ones. */
  readonly nodes?: readonly number[];
  /** Parts of the benchmark by name, where it has any; all by default. */
  readonly only?: readonly string[];
  /** One round, no waiting: to see whether it works, not how fast. */
  readonly quick: boolean;
}
