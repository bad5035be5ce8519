/** CNI's ports without a world: an address store in memory, and the tests any address store passes. */
export { addressStoreContract } from './address-store-contract.ts';
export { MemoryAddressStore } from './memory-address-store.ts';
