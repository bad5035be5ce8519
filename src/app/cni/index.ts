export { AttachmentFiles, type StoredPart } from './attachments.ts';
export type { HostLoop } from './host-side.ts';
export {
  CniService,
  type CniServiceOptions,
  type LeaseFacts,
  type RecordedDel,
  rootedAddresses,
} from './service.ts';
