/** The state of one node's lease: how it begins, what can be asked of it, and its mutable form within one step. */
import { isAlreadyExists, isConflict, isGone, isNotFound, StoreError } from '#core/store/index.ts';
import type { AcquirerConfig, CallFailure, FamilyState, LeaseState } from './acquirer-types.ts';
import {
  CLOCK_SKEW_SEC,
  enabledFamilies,
  expiresAtMs,
  type FamilyKey,
  isExpired,
  LEASE_DURATION_SEC,
  RENEW_MARGIN_SEC,
  type SubnetLease,
} from './model.ts';

/** The state before the first event; throws a RangeError for a margin that leaves no time to hold the lease. */
export function initialLeaseState(config: AcquirerConfig): LeaseState {
  const { previous, ...rest } = config;
  const full = {
    durationSec: LEASE_DURATION_SEC,
    renewMarginSec: RENEW_MARGIN_SEC,
    clockSkewSec: CLOCK_SKEW_SEC,
    ...rest,
  };
  if (!(full.renewMarginSec > 0 && full.renewMarginSec < full.durationSec))
    throw new RangeError(
      `renew margin ${full.renewMarginSec} s must be above 0 and below the lease duration ${full.durationSec} s`,
    );
  const families: { [K in FamilyKey]?: FamilyState } = {};
  for (const key of enabledFamilies(config.netConf)) {
    const wanted = previous?.[key];
    families[key] = { refused: [], expiredTold: false, ...(wanted === undefined ? {} : { wanted }) };
  }
  return {
    config: full,
    phase: 'new',
    families,
    calls: [],
    nextCall: 1,
    attempt: 0,
    failures: 0,
    roundFailed: false,
    again: false,
    doubt: false,
    releasing: false,
    wakeAtMs: 0,
    told: [],
  };
}

/** The subnets this node may use, or undefined before all families are held. */
export function leaseInUse(state: LeaseState): SubnetLease | undefined {
  return Object.values(state.families).every((family) => family.using !== undefined)
    ? state.announced
    : undefined;
}

/** True while no other node can hold these subnets: every family's lease is this node's and not over. */
export function isConfirmed(state: LeaseState, nowMs: number): boolean {
  if (state.phase === 'stopped' || state.releasing) return false;
  return Object.values(state.families).every(
    (family) => family.held !== undefined && !isExpired(family.held.record, nowMs),
  );
}

/** When the leases in use run out unless renewed, in milliseconds since 1970; Infinity for reservations alone. */
export function leaseEndMs(state: LeaseState): number {
  const held = Object.values(state.families).flatMap((family) => (family.held ? [family.held.record] : []));
  return Math.min(...held.map(expiresAtMs));
}

/** What an error of a store call means to the machine; whatever may have been carried out is `unavailable`. */
export function callFailure(error: unknown): CallFailure {
  if (isAlreadyExists(error)) return 'already-exists';
  if (isConflict(error)) return 'conflict';
  if (isNotFound(error)) return 'not-found';
  const isFinal = error instanceof StoreError && error.code >= 400 && error.code < 500;
  return isFinal && error.code !== 408 && error.code !== 429 && !isGone(error) ? 'refused' : 'unavailable';
}

/** A FamilyState under construction. */
export interface FamilyDraft {
  held: FamilyState['held'] | undefined;
  using: FamilyState['using'] | undefined;
  wanted: FamilyState['wanted'] | undefined;
  created: FamilyState['created'] | undefined;
  refused: FamilyState['refused'];
  expiredTold: boolean;
}

/** The families of a state, opened for change. */
export function openFamilies(state: LeaseState): ReadonlyMap<FamilyKey, FamilyDraft> {
  const entries = Object.entries(state.families) as [FamilyKey, FamilyState][];
  return new Map(
    entries.map(([key, { held, using, wanted, created, refused, expiredTold }]) => [
      key,
      { held, using, wanted, created, refused, expiredTold },
    ]),
  );
}

/** The reverse of openFamilies. */
export function closeFamilies(drafts: ReadonlyMap<FamilyKey, FamilyDraft>): LeaseState['families'] {
  const families: { [K in FamilyKey]?: FamilyState } = {};
  for (const [key, { held, using, wanted, created, refused, expiredTold }] of drafts) {
    families[key] = {
      refused,
      expiredTold,
      ...(held === undefined ? {} : { held }),
      ...(using === undefined ? {} : { using }),
      ...(wanted === undefined ? {} : { wanted }),
      ...(created === undefined ? {} : { created }),
    };
  }
  return families;
}
