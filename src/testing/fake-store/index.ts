export { FakeStore, type FakeStoreOptions, OutageError, type RecordedCall } from './fake-store.ts';
export { matchesFields, matchesLabels } from './selectors.ts';
