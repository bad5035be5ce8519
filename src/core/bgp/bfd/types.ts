/** The words of a BFD session (RFC 5880 section 6.8): what it is told, what it asks for, and what it knows. */
import type { BfdPacket, BfdPhase } from './packet.ts';

export interface BfdConfig {
  /** Ours: not 0, and of no other session. */
  readonly discriminator: number;
  /** How often we would send at most, and be sent to; in milliseconds. */
  readonly minTxMs: number;
  readonly minRxMs: number;
  /** After how many of ours that do not come the peer gives us up. */
  readonly multiplier: number;
  /** Says nothing before the peer does. */
  readonly isPassive: boolean;
}

export type BfdTimer = 'transmit' | 'detect';

export type BfdEvent =
  | { readonly type: 'start' }
  /** Administratively down until the next start. */
  | { readonly type: 'stop' }
  | { readonly type: 'timer'; readonly timer: BfdTimer }
  | { readonly type: 'packet'; readonly packet: BfdPacket }
  /** Other intervals, which the peer is told of. */
  | { readonly type: 'change'; readonly minTxMs: number; readonly minRxMs: number };

export type BfdAction =
  | { readonly type: 'send'; readonly packet: BfdPacket }
  | { readonly type: 'set-timer'; readonly timer: BfdTimer; readonly ms: number }
  | { readonly type: 'clear-timer'; readonly timer: BfdTimer }
  | { readonly type: 'phase'; readonly phase: BfdPhase; readonly diagnostic: number };

/** Intervals in microseconds, as they are on the wire; the names of RFC 5880 section 6.8.1 in the comments. */
export interface BfdState {
  readonly config: BfdConfig;
  /** bfd.SessionState. */
  readonly phase: BfdPhase;
  /** bfd.LocalDiag. */
  readonly diagnostic: number;
  /** bfd.RemoteSessionState. */
  readonly remotePhase: BfdPhase;
  /** bfd.RemoteDiscr. */
  readonly remoteDiscriminator: number;
  /** bfd.RemoteMinRxInterval: 0, and the peer wants nothing. */
  readonly remoteMinRxUs: number;
  /** bfd.RemoteDemandMode. */
  readonly isRemoteDemand: boolean;
  /** Of the last packet: how often the peer sends, and after how many it is given up. */
  readonly remoteMinTxUs: number;
  readonly remoteMultiplier: number;
  /** What we say of ourselves: slow unless the session is up (section 6.8.3). */
  readonly minTxUs: number;
  readonly minRxUs: number;
  /** What is in use until the peer has confirmed what we say. */
  readonly usedTxUs: number;
  readonly usedRxUs: number;
  readonly isPolling: boolean;
}

export interface BfdStep {
  readonly state: BfdState;
  readonly actions: readonly BfdAction[];
}
