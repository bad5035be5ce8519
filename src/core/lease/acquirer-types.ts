/**
 * The vocabulary of the acquire protocol: what a node's agent tells the state machine (events) and what the machine
 * wants done (actions). The runner owns the clock, the timer, randomness and the store.
 */
import type { IpAddress, IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { BackendData, FamilyKey, LeaseRecord, SubnetLease } from './model.ts';
import type { NetConf } from './net-conf.ts';

/** What this node publishes beside its subnets; backend data in flannel's JSON. */
export interface LeaseOffer {
  readonly backendType: string;
  readonly ipv4?: { readonly publicIp?: IpAddress; readonly backendData?: BackendData };
  readonly ipv6?: { readonly publicIp?: IpAddress; readonly backendData?: BackendData };
}

export interface AcquirerConfig {
  readonly node: string;
  /** The node object's UID, or the machine id: tells two machines of one name apart. */
  readonly ownerUid: string;
  readonly netConf: NetConf;
  readonly offer: LeaseOffer;
  /** What this node held before, from its subnet.env. */
  readonly previous?: { readonly ipv4?: IpPrefix; readonly ipv6?: IpPrefix };
  /** Default 86400. */
  readonly durationSec?: number;
  /** Default 3600; must be less than the duration. */
  readonly renewMarginSec?: number;
  /** How far clocks of nodes may differ; default 300. */
  readonly clockSkewSec?: number;
}

/** Every event carries the node's clock and a fresh random number in [0, 1). */
export interface EventStamp {
  readonly nowMs: number;
  readonly random: number;
}

/** Why a store call failed; `unavailable` covers timeouts: the call may have been carried out all the same. */
export type CallFailure = 'already-exists' | 'conflict' | 'not-found' | 'unavailable' | 'refused';

export type LeaseEvent = EventStamp &
  (
    | { readonly type: 'start' }
    /** The time of the last `wake` action has come. */
    | { readonly type: 'wake' }
    | { readonly type: 'listed'; readonly call: number; readonly items: readonly KubeObject[] }
    /** A create or replace succeeded; the object as the store returned it. */
    | { readonly type: 'stored'; readonly call: number; readonly object: KubeObject }
    | { readonly type: 'deleted'; readonly call: number }
    | {
        readonly type: 'failed';
        readonly call: number;
        readonly failure: CallFailure;
        readonly message: string;
      }
    /** The watch reports a lease object (optional: without it changes are seen at the next renewal). */
    | { readonly type: 'changed'; readonly object: KubeObject }
    | { readonly type: 'removed'; readonly name: string }
    /** What this node publishes has changed: a new address, a new tunnel MAC. */
    | { readonly type: 'offer'; readonly offer: LeaseOffer }
    /** `release` gives the subnets back; without it they stay this node's until they expire. */
    | { readonly type: 'stop'; readonly release: boolean }
  );

export type LeaseProblemCode =
  | 'out-of-subnets'
  | 'duplicate-subnet'
  | 'malformed-lease'
  | 'unfit-lease'
  | 'other-owner'
  | 'store';

export type LeaseAction =
  /** List leases in LEASE_NAMESPACE by LEASE_SELECTOR, consistently (no cache); answer `listed` or `failed`. */
  | { readonly type: 'list'; readonly call: number }
  /** Create; answer `stored` or `failed`. */
  | { readonly type: 'create'; readonly call: number; readonly object: KubeObject }
  /** Replace; the object carries uid and resourceVersion: a stale one must be refused. */
  | { readonly type: 'replace'; readonly call: number; readonly object: KubeObject }
  /** Delete with the resourceVersion as precondition; answer `deleted` or `failed`. */
  | {
      readonly type: 'delete';
      readonly call: number;
      readonly name: string;
      readonly resourceVersion: string;
    }
  /** Send `wake` at this time; replaces every earlier wake. */
  | { readonly type: 'wake'; readonly atMs: number }
  /** All enabled families are held: the node may use (and announce) these subnets. */
  | { readonly type: 'held'; readonly lease: SubnetLease }
  /** The same subnets, renewed or with a changed offer. */
  | { readonly type: 'renewed'; readonly lease: SubnetLease }
  /** This subnet is no longer this node's: stop using it; another is being acquired. */
  | { readonly type: 'lost'; readonly family: FamilyKey; readonly subnet: IpPrefix; readonly message: string }
  /** Not renewed in time (the store is away): still in use, but the store may give it to another. */
  | {
      readonly type: 'expired';
      readonly family: FamilyKey;
      readonly subnet: IpPrefix;
      readonly message: string;
    }
  /** Something an operator should see; told once until it changes. */
  | {
      readonly type: 'problem';
      readonly code: LeaseProblemCode;
      readonly message: string;
      /** The lease objects concerned. */
      readonly names: readonly string[];
    }
  /** The machine is at its end; no further event does anything. */
  | { readonly type: 'stopped' };

/** A record with the object it was read from, which keeps what others wrote there. */
export interface StoredLease {
  readonly name: string;
  readonly record: LeaseRecord;
  readonly object: KubeObject;
}

export interface FamilyState {
  /** This node's lease as the store last showed it. */
  readonly held?: StoredLease;
  /** The subnet the agent was told to use. */
  readonly using?: IpPrefix;
  /** The subnet to ask for first when none is held. */
  readonly wanted?: IpPrefix;
  /** Created and not yet confirmed by a list. */
  readonly created?: IpPrefix;
  /** Subnets the store refused although no lease shows them. */
  readonly refused: readonly IpPrefix[];
  readonly expiredTold: boolean;
}

export interface PendingCall {
  readonly id: number;
  readonly kind: 'list' | 'create' | 'replace' | 'delete';
  readonly family?: FamilyKey;
  readonly subnet?: IpPrefix;
}

/** The whole state of one node's lease; plain data, to be kept and handed back. */
export interface LeaseState {
  readonly config: Required<Omit<AcquirerConfig, 'previous'>>;
  readonly phase: 'new' | 'listing' | 'writing' | 'waiting' | 'releasing' | 'stopped';
  readonly families: { readonly [K in FamilyKey]?: FamilyState };
  readonly calls: readonly PendingCall[];
  readonly nextCall: number;
  /** Races lost since all families were last held. */
  readonly attempt: number;
  /** Failures of the store since all was last settled; the wait grows with them. */
  readonly failures: number;
  /** A call of this round failed: wait before the next. */
  readonly roundFailed: boolean;
  /** News came while a round was under way: list again at its end. */
  readonly again: boolean;
  /** A delete may still be under way in the store: kept leases are rewritten, so that it finds another version. */
  readonly doubt: boolean;
  readonly releasing: boolean;
  readonly wakeAtMs: number;
  /** Keys of the problems told. */
  readonly told: readonly string[];
  readonly announced?: SubnetLease;
}

export interface LeaseStep {
  readonly state: LeaseState;
  readonly actions: readonly LeaseAction[];
}
