/** How the state of a node's lease in etcd begins. */
import { LEASE_DURATION_SEC, RENEW_MARGIN_SEC } from '../model.ts';
import type { SubnetPair } from './layout.ts';
import type { EtcdLeaseConfig, EtcdLeaseState } from './machine-types.ts';

export interface EtcdLeaseOptions extends Omit<EtcdLeaseConfig, 'durationSec' | 'renewMarginSec'> {
  /** What this node held before, from its subnet.env. */
  readonly previous?: SubnetPair;
  /** Default 86400. */
  readonly durationSec?: number;
  /** Default 3600; must be less than the duration. */
  readonly renewMarginSec?: number;
}

/** The state before the first event; throws a RangeError for a margin that leaves no time to hold the lease. */
export function initialEtcdLease(options: EtcdLeaseOptions): EtcdLeaseState {
  const { previous, durationSec = LEASE_DURATION_SEC, renewMarginSec = RENEW_MARGIN_SEC, ...rest } = options;
  if (!(renewMarginSec > 0 && renewMarginSec < durationSec))
    throw new RangeError(
      `renew margin ${renewMarginSec} s must be above 0 and below the lease duration ${durationSec} s`,
    );
  return {
    config: { ...rest, durationSec, renewMarginSec },
    phase: 'new',
    pending: undefined,
    nextCall: 1,
    snapshot: undefined,
    spare: undefined,
    grant: undefined,
    held: undefined,
    using: {},
    wanted: previous ?? {},
    yielded: new Set(),
    attempt: 0,
    failures: 0,
    again: false,
    isShort: false,
    renewAtMs: 0,
    endsAtMs: Number.POSITIVE_INFINITY,
    wakeAtMs: 0,
    askedAtMs: 0,
    announcedRevision: 0,
    problems: [],
  };
}
