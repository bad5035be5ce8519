export { BgpPart } from './part.ts';
export { placeOf } from './place.ts';
export type { BgpStatus } from './status.ts';
