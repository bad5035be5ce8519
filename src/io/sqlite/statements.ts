/** The statements of the store, prepared once, with their rows typed. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { KeyRange, ListRange, StoredChange, StoredObject } from '#core/kube/index.ts';

const COLUMNS = 'version, namespace, name, json';
/** Larger than any list; SQLite reads a limit of -1 as none. */
const NO_LIMIT = -1;

type Row = Record<string, unknown>;

const objectOf = (row: Row): StoredObject => ({
  version: Number(row['version']),
  namespace: String(row['namespace']),
  name: String(row['name']),
  json: String(row['json']),
});

/** The condition for a range of keys of one resource, with its values. */
function keyRange(
  resource: string,
  { namespace, after }: KeyRange,
): [where: string, values: (string | number)[]] {
  const conditions = ['resource = ?'];
  const values: (string | number)[] = [resource];
  if (namespace !== undefined) {
    conditions.push('namespace = ?');
    values.push(namespace);
  }
  if (after !== undefined) {
    conditions.push('(namespace, name) > (?, ?)');
    values.push(after.namespace, after.name);
  }
  return [conditions.join(' AND '), values];
}

/** Reading and writing rows of the versions table. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #cache = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#cache.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#cache.set(sql, statement);
    }
    return statement;
  }

  exec(sql: string): void {
    this.#prepare(sql).run();
  }

  counter(name: string): number | undefined {
    const row = this.#prepare('SELECT value FROM counters WHERE name = ?').get(name);
    return row === undefined ? undefined : Number(row['value']);
  }

  setCounter(name: string, value: number): void {
    this.#prepare(
      'INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    ).run(name, value);
  }

  highestVersion(): number {
    return Number(this.#prepare('SELECT max(version) AS highest FROM versions').get()?.['highest'] ?? 0);
  }

  get(resource: string, namespace: string, name: string): StoredObject | undefined {
    const row = this.#prepare(
      `SELECT ${COLUMNS} FROM versions WHERE resource = ? AND namespace = ? AND name = ? AND next IS NULL`,
    ).get(resource, namespace, name);
    return row && objectOf(row);
  }

  list(resource: string, { limit, version, ...key }: ListRange): StoredObject[] {
    const [where, values] = keyRange(resource, key);
    // the planner would take the index of all history for the current rows too: they have one of their own
    const [index, versions] =
      version === undefined
        ? ['current', 'next IS NULL']
        : ['history', 'version <= ? AND (next IS NULL OR next > ?)'];
    if (version !== undefined) values.push(version, version);
    return this.#prepare(
      `SELECT ${COLUMNS} FROM versions INDEXED BY ${index} WHERE ${where} AND ${versions}
       ORDER BY namespace, name LIMIT ?`,
    )
      .all(...values, limit ?? NO_LIMIT)
      .map(objectOf);
  }

  count(resource: string, key: KeyRange): number {
    const [where, values] = keyRange(resource, key);
    const row = this.#prepare(
      `SELECT count(*) AS total FROM versions INDEXED BY current WHERE ${where} AND next IS NULL`,
    ).get(...values);
    return Number(row?.['total'] ?? 0);
  }

  resourcesIn(namespace: string): string[] {
    return this.#prepare('SELECT DISTINCT resource FROM versions WHERE namespace = ? AND next IS NULL')
      .all(namespace)
      .map((row) => String(row['resource']));
  }

  hasObjectsIn(namespace: string): boolean {
    return (
      this.#prepare('SELECT 1 FROM versions WHERE namespace = ? AND next IS NULL LIMIT 1').get(namespace) !==
      undefined
    );
  }

  changesAfter(version: number, resource: string): StoredChange[] {
    // the unary plus keeps the planner on the primary key: history is short, an object's life is long
    return this.#prepare(
      `SELECT v.version, v.namespace, v.name, v.json, v.next, p.json AS before
       FROM versions v LEFT JOIN versions p ON p.version = v.previous
       WHERE v.version > ? AND +v.resource = ? ORDER BY v.version`,
    )
      .all(version, resource)
      .map((row) => ({
        ...objectOf(row),
        resource,
        removed: row['next'] === row['version'],
        ...(typeof row['before'] === 'string' && { previous: row['before'] }),
      }));
  }

  /** Adds a version of an object; with `removed` it marks the object's end. */
  insert(resource: string, object: StoredObject, previous: number | undefined, removed: boolean): void {
    if (previous !== undefined) {
      this.#prepare('UPDATE versions SET next = ? WHERE version = ?').run(object.version, previous);
    }
    this.#prepare('INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?)').run(
      object.version,
      resource,
      object.namespace,
      object.name,
      previous ?? null,
      removed ? object.version : null,
      object.json,
    );
  }

  /** Forgets what was replaced or removed up to a version. */
  forget(version: number): void {
    this.#prepare('DELETE FROM versions WHERE next <= ?').run(version);
  }
}
