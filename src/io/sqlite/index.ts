export { DatabaseError } from './schema.ts';
export { SqliteStore, type SqliteStoreOptions } from './versioned-store.ts';
