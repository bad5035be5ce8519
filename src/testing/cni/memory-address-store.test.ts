import { describe } from 'vitest';
import { addressStoreContract } from './address-store-contract.ts';
import { MemoryAddressStore } from './memory-address-store.ts';

describe('the address store in memory', () => {
  addressStoreContract((isOwnerAlive) => ({
    store: new MemoryAddressStore(isOwnerAlive),
    dataDir: '/memory',
  }));
});
