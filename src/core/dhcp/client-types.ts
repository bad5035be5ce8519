/** What the client of client.ts is told, keeps and wants done. Times are milliseconds since 1970. */
import type { IpAddress, MacAddress } from '#base/ip/index.ts';
import type { DhcpLease } from './lease.ts';
import type { DhcpMessage } from './message.ts';
import type { DhcpOptions } from './option-area.ts';

/** The states of RFC 2131 figure 5. `released` is the end. */
export type DhcpPhase =
  | 'init'
  | 'selecting'
  | 'requesting'
  | 'rebooting'
  | 'bound'
  | 'renewing'
  | 'rebinding'
  | 'released';

/** Who asks, and for what; the same for all of a client's life. */
export interface DhcpClientConfig {
  readonly mac: MacAddress;
  /** Answers are to be broadcast: the link cannot take unicast to an address it does not have yet. */
  readonly broadcast: boolean;
  /** Sent with every request, the client identifier (61) among them. */
  readonly provide: DhcpOptions;
  /** Numbers of the options asked for (55), in order of preference. */
  readonly request: readonly number[];
}

export interface DhcpState {
  readonly phase: DhcpPhase;
  readonly config: DhcpClientConfig;
  /** Of the exchange under way. */
  readonly xid: number;
  /** Messages sent in this phase. */
  readonly attempts: number;
  /** Refusals since the last lease: a server that offers and then refuses is not asked in a tight loop. */
  readonly refusals: number;
  /** When the exchange began, and when its last request was sent. */
  readonly startedAtMs: number;
  readonly sentAtMs: number;
  /** When a `time` event is due; absent if never. */
  readonly wakeAtMs?: number;
  readonly offer?: { readonly address: IpAddress; readonly serverId: IpAddress };
  readonly lease?: DhcpLease;
  /** The address to ask for. */
  readonly wanted?: IpAddress;
}

export type DhcpEvent =
  /** With a lease of before, its address is asked for without a discovery (INIT-REBOOT). */
  | { readonly type: 'start'; readonly atMs: number; readonly lease?: DhcpLease }
  /** The process was away, the link and its address were not. */
  | { readonly type: 'resume'; readonly atMs: number; readonly lease: DhcpLease }
  | { readonly type: 'time'; readonly atMs: number }
  | { readonly type: 'message'; readonly atMs: number; readonly message: DhcpMessage }
  /** Somebody else uses the address just granted. */
  | { readonly type: 'conflict'; readonly atMs: number }
  | { readonly type: 'release'; readonly atMs: number };

export type DhcpAction =
  /** `from` is 0.0.0.0 before there is an address; `to` is 255.255.255.255 or a server. */
  | { readonly type: 'send'; readonly message: DhcpMessage; readonly from: IpAddress; readonly to: IpAddress }
  | { readonly type: 'granted'; readonly lease: DhcpLease; readonly previous?: DhcpLease }
  /** The address must not be used any more. */
  | { readonly type: 'lost'; readonly lease: DhcpLease; readonly reason: string }
  /** An answer was not taken. */
  | { readonly type: 'refused'; readonly reason: string };

export interface DhcpStep {
  readonly state: DhcpState;
  readonly actions: readonly DhcpAction[];
}
