/** A speaker with its sockets, for whoever runs one: `poplin bgp run` and the agent. */
export { BgpService, type NeighborStatus, type ServiceEvent, type SpeakerSetup } from './service.ts';
