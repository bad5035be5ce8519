/** What policies did with packets, from the packets that rules log: each flow with its names, its verdict, and who gave it. */
export { POLICY_LOG_GROUP } from '../rule-tag.ts';
export { isWanted, type LineFilter } from './filter.ts';
export { type FlowLine, type LineEnd, type LineOrigin, lineEnd } from './flow-line.ts';
export { FlowTeller, type PacketCounts, type TaggedPacket } from './teller.ts';
