export { BGP_KINDS } from './kinds.ts';
export { BgpPart } from './part.ts';
export { placeOf } from './place.ts';
export { PodAddresses } from './pod-addresses.ts';
export type { BgpStatus } from './status.ts';
