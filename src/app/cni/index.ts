export type { LeaseFacts } from './attacher.ts';
export { AttachmentFiles } from './attachments.ts';
export type { HostLoop } from './host-side.ts';
export { CniService, type CniServiceOptions, type RecordedDel, rootedAddresses } from './service.ts';
export type { StoredPart } from './stored-part.ts';
