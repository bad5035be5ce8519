export { AttachmentFiles } from './attachments.ts';
export type { HostLoop } from './host-side.ts';
export { ipamExec } from './ipam-exec.ts';
export {
  CniService,
  type CniServiceOptions,
  type LeaseFacts,
  type RecordedDel,
  rootedAddresses,
} from './service.ts';
export type { StoredPart } from './stored-part.ts';
