/** A speaker with its sockets, for whoever runs one: `poplin bgp run` and the agent. */
export { answerControl } from './control.ts';
export type { NeighborStatus, ServiceEvent } from './model.ts';
export { BgpService } from './service.ts';
export type { StationConfig } from './station.ts';
