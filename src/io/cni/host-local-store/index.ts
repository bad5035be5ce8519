/** host-local's reservations on disk, in the reference plugin's layout. */
export type { Durability } from './address-directory.ts';
export { type DirectoryLock, type FlockCall, flockDirectoryLock, processLock } from './directory-lock.ts';
export { DiskAddressStore, type DiskAddressStoreOptions } from './store.ts';
