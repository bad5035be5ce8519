export { AttachmentFiles, type StoredPart } from './attachments.ts';
export { CniService, type CniServiceOptions, type HostLoop, rootedAddresses } from './service.ts';
