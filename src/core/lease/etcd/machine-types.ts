/** The vocabulary of a node's lease in etcd: what the runner tells the state machine, and what the machine wants done. */
import type { IpPrefix } from '#base/ip/index.ts';
import type { LeaseOffer } from '../acquirer-types.ts';
import type { FamilyKey } from '../model.ts';
import type { EtcdProblem } from './census.ts';
import type { EtcdLayout, SubnetPair } from './layout.ts';
import type { EtcdFailure, EtcdKeyValue, EtcdTxn, TxnAnswer } from './ports.ts';
import type { EtcdIdentity, StoredReading, StoredSubnet } from './stored.ts';

export interface EtcdLeaseConfig extends EtcdIdentity {
  readonly layout: EtcdLayout;
  /** How long a key lives without renewal, seconds. */
  readonly durationSec: number;
  /** How long before its end it is renewed, seconds. */
  readonly renewMarginSec: number;
}

/** A key to be written, in one transaction with the keys to be deleted. */
export interface WritePlan {
  readonly key: string;
  readonly value: string;
  readonly subnets: SubnetPair;
  /** Written without a lease. */
  readonly reserved: boolean;
  /** The key as it must still be; undefined: neither it nor any other key may be newer than the list. */
  readonly before: EtcdKeyValue | undefined;
  readonly deletes: readonly EtcdKeyValue[];
}

export interface LostSubnet {
  readonly family: FamilyKey;
  readonly subnet: IpPrefix;
  readonly message: string;
}

/** `nowMs` is of a clock that only goes forward, and is compared with nothing outside this process; `random` lies in [0, 1). */
export interface EtcdStamp {
  readonly nowMs: number;
  readonly random: number;
}

export type EtcdLeaseEvent = EtcdStamp &
  (
    | { readonly type: 'start' }
    | { readonly type: 'wake' }
    | {
        readonly type: 'listed';
        readonly call: number;
        readonly revision: number;
        readonly kvs: readonly EtcdKeyValue[];
      }
    | { readonly type: 'granted'; readonly call: number; readonly lease: string; readonly ttlSec: number }
    | { readonly type: 'txn-done'; readonly call: number; readonly answer: TxnAnswer }
    /** What a lease has left, in seconds; nothing, or less, if it is gone. */
    | { readonly type: 'ttl'; readonly call: number; readonly ttlSec: number }
    | {
        readonly type: 'failed';
        readonly call: number;
        readonly failure: EtcdFailure;
        readonly mayBeDone: boolean;
        readonly message: string;
      }
    /** The watch shows a key, or its end. */
    | { readonly type: 'changed'; readonly kv: EtcdKeyValue }
    | { readonly type: 'removed'; readonly key: string; readonly modRevision: number }
    /** Two keys of others have a subnet in common. */
    | { readonly type: 'doubles' }
    /** etcd is back after it was away. */
    | { readonly type: 'connected' }
    | { readonly type: 'offer'; readonly offer: LeaseOffer }
    | { readonly type: 'stop' }
  );

export type EtcdLeaseAction =
  /** List the subnet keys; with `since` only those created after that revision. Answer `listed` or `failed`. */
  | { readonly type: 'list'; readonly call: number; readonly since?: number }
  | { readonly type: 'grant'; readonly call: number; readonly ttlSec: number }
  | { readonly type: 'txn'; readonly call: number; readonly txn: EtcdTxn }
  | { readonly type: 'ttl'; readonly call: number; readonly lease: string }
  /** End a lease that no key has any more; nothing waits for it. */
  | { readonly type: 'revoke'; readonly lease: string }
  /** Send `wake` at this time; replaces every earlier wake. */
  | { readonly type: 'wake'; readonly atMs: number }
  /** All families are held: the node may use (and announce) these subnets. */
  | { readonly type: 'held'; readonly stored: StoredSubnet }
  /** The same subnets, renewed or with another offer. */
  | { readonly type: 'renewed'; readonly stored: StoredSubnet }
  /** This subnet is no longer this node's: stop using it; another is being acquired. */
  | ({ readonly type: 'lost' } & LostSubnet)
  /** Everything an operator should see, whenever it changes. */
  | { readonly type: 'problems'; readonly problems: readonly EtcdProblem[] };

export interface EtcdPending {
  readonly id: number;
  readonly kind: 'list' | 'grant' | 'txn' | 'ttl';
  /** What a transaction writes, and with which lease. */
  readonly plan?: WritePlan;
  readonly grant?: Grant | undefined;
}

/** A lease this process was given. */
export interface Grant {
  readonly lease: string;
  readonly ttlSec: number;
  /** When it was asked for: it ends no earlier than `ttlSec` after that. */
  readonly askedAtMs: number;
}

/** The keys as of a revision; keys deleted since may still be there. */
export interface EtcdSnapshot {
  readonly revision: number;
  readonly readings: ReadonlyMap<string, StoredReading>;
}

export interface EtcdLeaseState {
  readonly config: EtcdLeaseConfig;
  readonly phase: 'new' | 'busy' | 'waiting' | 'stopped';
  readonly pending: EtcdPending | undefined;
  readonly nextCall: number;
  /** Kept while the node contends with others for a subnet. */
  readonly snapshot: EtcdSnapshot | undefined;
  /** Given, and on no key yet. */
  readonly spare: Grant | undefined;
  /** On the held key. */
  readonly grant: Grant | undefined;
  /** This node's key as etcd last showed it. */
  readonly held: StoredSubnet | undefined;
  /** What the agent was told to use. */
  readonly using: SubnetPair;
  readonly wanted: SubnetPair;
  readonly yielded: ReadonlySet<string>;
  /** Races lost since the key was last held. */
  readonly attempt: number;
  /** Failures of etcd in a row. */
  readonly failures: number;
  /** News came while a call was under way. */
  readonly again: boolean;
  readonly isShort: boolean;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
  readonly wakeAtMs: number;
  readonly askedAtMs: number;
  /** The revision of the key that the agent was told of. */
  readonly announcedRevision: number;
  readonly problems: readonly EtcdProblem[];
}

export interface EtcdLeaseStep {
  readonly state: EtcdLeaseState;
  readonly actions: readonly EtcdLeaseAction[];
}
