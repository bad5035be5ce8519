/** CNI without a world: an address store in memory, the tests any address store passes, a node to plan on, plans as text. */
export { addressStoreContract } from './address-store-contract.ts';
export { MemoryAddressStore } from './memory-address-store.ts';
export { cniEnvironment, memoryIpam, nodeFacts, noPlugins, planAddOn, planDelOn } from './node.ts';
export { addPlanText, delPlanText } from './plan-text.ts';
