/** What tables know of a peer: what was agreed, what it has been sent, what it is owed. */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import type { RouterId } from '../model.ts';
import type { Agreed, AgreedFamily } from '../ports.ts';
import type { PeerPolicy } from './config.ts';
import { Outbound } from './outbound.ts';

/** Where a route is from. */
export type SourceKind = 'local' | 'external' | 'internal' | 'confederation';

/** One family of one peer. */
export class PeerFamily {
  readonly family: IpFamily;
  readonly out: Outbound;
  /** Undefined while the session is down. */
  agreed: AgreedFamily | undefined;
  /** Routes, those that were refused too. */
  routes = 0;
  refused = 0;
  /** The peer has said all it had when the session began. */
  isComplete = false;
  /** When stale routes go, in milliseconds; and when those go that have been stale for long. */
  staleUntil: number | undefined;
  longStaleUntil: number | undefined;
  /** More routes than allowed: told once. */
  isOverLimit = false;

  constructor(family: IpFamily) {
    this.family = family;
    this.out = new Outbound();
  }
}

export class RibPeer {
  readonly index: number;
  readonly key: string;
  policy: PeerPolicy;
  kind: SourceKind = 'local';
  /** Undefined while the session is down. */
  agreed: Agreed | undefined;
  /** Of the last session, kept while its routes are. */
  lastAgreed: Agreed | undefined;
  routerId: RouterId = 0;
  address: IpAddress = '';
  /** Peers of one kind get the same attributes. */
  exportKind = 0;
  readonly families: { readonly 4: PeerFamily; readonly 6: PeerFamily } = {
    4: new PeerFamily(4),
    6: new PeerFamily(6),
  };

  constructor(index: number, key: string, policy: PeerPolicy) {
    this.index = index;
    this.key = key;
    this.policy = policy;
  }

  get isInternal(): boolean {
    return this.kind === 'internal';
  }
}

export const FAMILIES = [4, 6] as const;
