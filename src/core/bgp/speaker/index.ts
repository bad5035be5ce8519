/** A speaker without its sockets: its configuration, sessions and tables together. */
export type {
  FamilyFilters,
  NeighborConfig,
  NeighborFamily,
  NeighborPolicy,
  NeighborSession,
  SpeakerConfig,
} from './config.ts';
export type { PolicyPorts } from './policy.ts';
export { sessionConfig } from './session-config.ts';
export { Speaker, type SpeakerAction, type SpeakerPorts } from './speaker.ts';
export { type NeighborSummary, summarize, type Why, why } from './views.ts';
