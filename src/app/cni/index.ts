export type { LeaseFacts } from './attacher.ts';
export { AttachmentJournal, readAttachments } from './attachment-journal.ts';
export { DhcpLeases } from './dhcp/index.ts';
export type { EndpointPolicy, PodEndpoint } from './endpoint.ts';
export type { HostLoop } from './host-side.ts';
export { endedBy, ipamExec } from './ipam-exec.ts';
export { CniService, type CniServiceOptions, type RecordedDel, rootedAddresses } from './service.ts';
export type { StoredPart } from './stored-part.ts';
