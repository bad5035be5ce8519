/** Bidirectional forwarding detection (RFC 5880) as a pure state machine, and its packets. */
export { BFD_DIAGNOSTICS, type BfdPacket, type BfdPhase, decodeBfd, encodeBfd } from './packet.ts';
export { newBfd, stepBfd } from './session.ts';
export type { BfdAction, BfdConfig, BfdEvent, BfdState, BfdStep, BfdTimer } from './types.ts';
