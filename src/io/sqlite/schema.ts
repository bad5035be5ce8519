/**
 * The database file. One table holds every version of every object that is current or still within the watch history:
 * `next` is the version that replaced a row, NULL while it is current, and the row's own version when it marks a removal.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const FORMAT = 1;

const TABLES = `
CREATE TABLE versions (
  version INTEGER PRIMARY KEY,
  resource TEXT NOT NULL,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL,
  previous INTEGER,
  next INTEGER,
  json TEXT NOT NULL
);
CREATE UNIQUE INDEX current ON versions (resource, namespace, name) WHERE next IS NULL;
CREATE INDEX current_by_namespace ON versions (namespace, resource) WHERE next IS NULL;
CREATE INDEX history ON versions (resource, namespace, name, version);
CREATE INDEX superseded ON versions (next) WHERE next IS NOT NULL;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

/** A database that cannot be opened or used; the message names the file and what to do. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

function prepareFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  // SQLite gives its -wal file the mode of the database: secrets stay readable for the owner alone
  closeSync(openSync(path, 'a', 0o600));
}

function configure(database: DatabaseSync, path: string): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  // takes the lock now, so that a second server on the same file fails at its start and not at a write
  database.exec('BEGIN EXCLUSIVE; COMMIT;');
  const format = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (format > FORMAT) {
    throw new DatabaseError(
      `database ${path} has format ${format}, this release reads up to ${FORMAT}: use the newer release`,
    );
  }
  if (format === 0) database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${FORMAT}; COMMIT;`);
}

/** Opens or creates the file and takes it for this process. Throws DatabaseError. */
export function openDatabase(path: string): DatabaseSync {
  const inMemory = path === ':memory:';
  const file = inMemory ? path : resolve(path);
  let database: DatabaseSync | undefined;
  try {
    if (!inMemory) prepareFile(file);
    database = new DatabaseSync(file);
    configure(database, file);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof DatabaseError) throw error;
    const cause = error instanceof Error ? error.message : String(error);
    const advice = /locked/.test(cause)
      ? ': another process uses it; stop that one or choose another file'
      : /not a database/.test(cause)
        ? ': it is no SQLite file; choose another file'
        : '';
    throw new DatabaseError(`cannot open database ${file}: ${cause}${advice}`, { cause: error });
  }
}
