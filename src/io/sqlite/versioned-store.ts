/**
 * The VersionedStore on SQLite (node:sqlite). Works submitted in one turn of the event loop share one transaction and
 * one fsync; each is a savepoint, so that a refused one leaves nothing behind. A work is acknowledged after its commit.
 */
import type {
  KeyRange,
  ListRange,
  StoredChange,
  StoredObject,
  UnitOfWork,
  VersionedStore,
} from '#core/kube/index.ts';
import { DatabaseError, openDatabase } from './schema.ts';
import { Statements } from './statements.ts';

export interface SqliteStoreOptions {
  /** A file, or `:memory:`. */
  readonly path: string;
  /** How many past versions watches can resume from. */
  readonly historyLimit?: number;
  /** The first version a new file gives out; the file of a later start should give out higher ones. */
  readonly firstVersion?: number;
  /** Called with each commit's changes, in order, before the works that made them are acknowledged. */
  readonly onCommit?: (changes: readonly StoredChange[]) => void;
}

interface Pending {
  readonly work: (unit: UnitOfWork) => unknown;
  readonly settle: (outcome: Outcome) => void;
}

type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

const DEFAULT_HISTORY = 10_000;
/** Works per transaction, so that one commit does not hold up readers for long. */
const BATCH_LIMIT = 256;
const COMPACTED = 'compacted';

export class SqliteStore implements VersionedStore {
  readonly #database: ReturnType<typeof openDatabase>;
  readonly #statements: Statements;
  readonly #historyLimit: number;
  readonly #onCommit: (changes: readonly StoredChange[]) => void;
  #latest: number;
  #oldest: number;
  readonly #queue: Pending[] = [];
  #scheduled = false;
  #closed = false;

  /** Opens or creates the file. Throws DatabaseError. */
  constructor(options: SqliteStoreOptions) {
    this.#database = openDatabase(options.path);
    this.#statements = new Statements(this.#database);
    this.#historyLimit = options.historyLimit ?? DEFAULT_HISTORY;
    this.#onCommit = options.onCommit ?? (() => {});
    const compacted = this.#statements.counter(COMPACTED);
    this.#oldest = compacted ?? (options.firstVersion ?? 1) - 1;
    if (compacted === undefined) this.#statements.setCounter(COMPACTED, this.#oldest);
    this.#latest = Math.max(this.#oldest, this.#statements.highestVersion());
  }

  get latestVersion(): number {
    return this.#latest;
  }

  get oldestVersion(): number {
    return this.#oldest;
  }

  get(resource: string, namespace: string, name: string): StoredObject | undefined {
    return this.#statements.get(resource, namespace, name);
  }

  list(resource: string, range: ListRange = {}): StoredObject[] {
    const { version, ...latest } = range;
    // the newest version reads the index of current rows alone
    return this.#statements.list(resource, version === this.#latest ? latest : range);
  }

  count(resource: string, range: KeyRange = {}): number {
    return this.#statements.count(resource, range);
  }

  changesAfter(version: number, resource: string): StoredChange[] {
    return this.#statements.changesAfter(version, resource);
  }

  submit<T>(work: (unit: UnitOfWork) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new DatabaseError('the store is closed'));
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        work,
        settle: (outcome) => (outcome.ok ? resolve(outcome.value as T) : reject(outcome.error)),
      });
      this.#schedule();
    });
  }

  /** Commits what was submitted, then closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#queue.length > 0) this.#flush();
    this.#database.close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#queue.length === 0) return;
      this.#flush();
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  #flush(): void {
    const batch = this.#queue.splice(0, BATCH_LIMIT);
    const changes: StoredChange[] = [];
    const outcomes: Outcome[] = [];
    try {
      this.#statements.exec('BEGIN IMMEDIATE');
      for (const { work } of batch) outcomes.push(this.#run(work, changes));
      this.#compact(this.#latest + changes.length);
      this.#statements.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      const failure = new DatabaseError(
        `cannot write to the database: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error },
      );
      for (const { settle } of batch) settle({ ok: false, error: failure });
      return;
    }
    this.#latest += changes.length;
    this.#oldest = Math.max(this.#oldest, this.#compactionPoint(this.#latest));
    if (changes.length > 0) this.#onCommit(changes);
    for (const [index, { settle }] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined) settle(outcome);
    }
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // BEGIN itself failed, or SQLite has rolled back already: nothing is open
    }
  }

  #run(work: (unit: UnitOfWork) => unknown, changes: StoredChange[]): Outcome {
    const before = changes.length;
    this.#statements.exec('SAVEPOINT work');
    try {
      const value = work(this.#unit(changes));
      this.#statements.exec('RELEASE work');
      return { ok: true, value };
    } catch (error) {
      changes.length = before;
      this.#statements.exec('ROLLBACK TO work');
      this.#statements.exec('RELEASE work');
      return { ok: false, error };
    }
  }

  #unit(changes: StoredChange[]): UnitOfWork {
    const statements = this.#statements;
    const record = (
      resource: string,
      key: { namespace: string; name: string },
      text: (version: number) => string,
      removed: boolean,
    ): StoredObject => {
      const version = this.#latest + changes.length + 1;
      const object = { ...key, version, json: text(version) };
      const before = statements.get(resource, key.namespace, key.name);
      statements.insert(resource, object, before?.version, removed);
      changes.push({ ...object, resource, removed, ...(before && { previous: before.json }) });
      return object;
    };
    return {
      get: (resource, namespace, name) => statements.get(resource, namespace, name),
      list: (resource, range = {}) => statements.list(resource, range),
      resourcesIn: (namespace) => statements.resourcesIn(namespace),
      hasObjectsIn: (namespace) => statements.hasObjectsIn(namespace),
      put: (resource, namespace, name, text) => record(resource, { namespace, name }, text, false),
      remove: (resource, namespace, name, text) => {
        record(resource, { namespace, name }, text, true);
      },
    };
  }

  /** History is cut by a tenth of its length at a time, not with every write. */
  #compactionPoint(latest: number): number {
    const excess = latest - this.#historyLimit - this.#oldest;
    return excess > this.#historyLimit / 10 ? latest - this.#historyLimit : this.#oldest;
  }

  #compact(latest: number): void {
    const point = this.#compactionPoint(latest);
    if (point <= this.#oldest) return;
    this.#statements.forget(point);
    this.#statements.setCounter(COMPACTED, point);
  }
}
