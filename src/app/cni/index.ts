export { AttachmentFiles, type StoredPart } from './attachments.ts';
export type { HostLoop } from './host-side.ts';
export { CniService, type CniServiceOptions, type LeaseFacts, rootedAddresses } from './service.ts';
