/** A speaker with its sockets, for whoever runs one: `poplin bgp run` and the agent. */
export { answerControl } from './control.ts';
export { BgpService, type NeighborStatus, type ServiceEvent, type SpeakerSetup } from './service.ts';
export type { StationConfig } from './station.ts';
