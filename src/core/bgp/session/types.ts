/** The words of a session's state machine (RFC 4271 section 8): what it is told, what it asks for, and what it knows in between. */
import type { IpAddress } from '#base/ip/index.ts';
import type { Asn, Nlri, RouteFamily, RouterId } from '../model.ts';
import type { Agreed, AgreedFamily, SessionNews, SessionSend } from '../ports.ts';
import type {
  AttributeMemory,
  LongLivedAbility,
  Message,
  Notification,
  Open,
  RestartAbility,
  UpdateDecoder,
  UpdateFault,
} from '../wire/index.ts';

export interface SessionConfig {
  readonly localAsn: Asn;
  /** RFC 5065: the number others know the whole by, and the members, us included. */
  readonly confederation?: { readonly identifier: Asn; readonly members: readonly Asn[] };
  readonly routerId: RouterId;
  readonly peerAddress: IpAddress;
  /** Absent: of whatever AS it says it is, as for dynamic neighbours. */
  readonly peerAsn?: Asn;
  /** Absent: of any; beside peerAsn of no use. */
  readonly peerAsns?: readonly Asn[];
  /** Of another AS than ours, or of ours; beside the two above of no use. */
  readonly peerAs?: 'external' | 'internal';
  /** Waits for the peer to connect. */
  readonly isPassive: boolean;
  /** What we would do, by family; what comes of it depends on the peer. */
  readonly families: ReadonlyMap<RouteFamily, AgreedFamily>;
  /** 0, or 3 and more; what is kept is the lesser of both sides'. */
  readonly holdTimeSec: number;
  /** How long between two attempts to connect. */
  readonly connectRetrySec: number;
  /** How long our OPEN waits for the peer's (DelayOpen); 0: not at all. */
  readonly openDelaySec: number;
  /** How long after a failure nothing is tried: doubled with each, up to the longest. */
  readonly idleHoldSec: { readonly initial: number; readonly max: number };
  /** RFC 8654. */
  readonly hasExtendedMessages: boolean;
  /** RFC 4724; absent: not spoken, and the peer's routes go when it does. */
  readonly restart?: RestartAbility;
  readonly longLived?: ReadonlyMap<RouteFamily, LongLivedAbility>;
  readonly isFirstAsnChecked?: boolean;
}

export type Phase = 'idle' | 'connect' | 'active' | 'open-sent' | 'open-confirm' | 'established';

/** settled: the session is old enough for its failures to be forgotten; second-hold: of a connection that collides with another. */
export type TimerName =
  | 'connect-retry'
  | 'hold'
  | 'keepalive'
  | 'delay-open'
  | 'idle-hold'
  | 'second-hold'
  | 'settled';

/** Numbers of connections are given by who makes them, and never twice. */
export type SessionEvent =
  | { readonly type: 'start' }
  /** Ends it until the next start; absent: an administrative shutdown. */
  | { readonly type: 'stop'; readonly notification?: Notification }
  /** Ends it for now. */
  | { readonly type: 'reset'; readonly notification: Notification }
  | { readonly type: 'timer'; readonly timer: TimerName }
  | { readonly type: 'accepted'; readonly connection: number; readonly localAddress: IpAddress }
  | { readonly type: 'connected'; readonly connection: number; readonly localAddress: IpAddress }
  | { readonly type: 'connect-failed'; readonly reason: string }
  | { readonly type: 'closed'; readonly connection: number; readonly reason: string }
  | { readonly type: 'message'; readonly connection: number; readonly message: Message }
  /** What came is no message; nothing more is read. */
  | {
      readonly type: 'malformed';
      readonly connection: number;
      readonly notification: Notification;
      readonly reason: string;
    }
  | { readonly type: 'send'; readonly send: SessionSend };

export type SessionAction =
  | { readonly type: 'connect' }
  | { readonly type: 'cancel-connect' }
  /** After what was sent before has gone out. */
  | { readonly type: 'close'; readonly connection: number }
  | { readonly type: 'send'; readonly connection: number; readonly bytes: Uint8Array }
  /** Longer messages than this are malformed from here on. */
  | { readonly type: 'limit'; readonly connection: number; readonly maxMessageBytes: number }
  | { readonly type: 'set-timer'; readonly timer: TimerName; readonly ms: number }
  | { readonly type: 'clear-timer'; readonly timer: TimerName }
  | { readonly type: 'news'; readonly news: SessionNews }
  /** Why a connection, or an attempt at one, has ended. */
  | { readonly type: 'ended'; readonly phase: Phase; readonly reason: string }
  | { readonly type: 'fault'; readonly fault: UpdateFault }
  /** Prefixes whose attributes leave no room for them in a message: they are withdrawn instead. */
  | { readonly type: 'unsent'; readonly family: RouteFamily; readonly nlri: readonly Nlri[] };

/** A TCP connection to the peer. */
export interface Connection {
  readonly id: number;
  /** Who made it decides which of two stays (RFC 4271 section 6.8). */
  readonly isOutgoing: boolean;
  readonly localAddress: IpAddress;
  readonly phase: 'open-delayed' | 'open-sent' | 'open-confirm' | 'established';
  /** In open-confirm: the peer's KEEPALIVE has come, and the other connection has yet to go. */
  readonly isConfirmed?: true;
}

/** What came of both OPENs. */
export interface Bargain {
  readonly agreed: Agreed;
  readonly open: Open;
  /** 0: the session is held without KEEPALIVEs. */
  readonly holdTimeSec: number;
  /** RFC 8538: on both sides a NOTIFICATION other than a hard reset leaves routes in place. */
  readonly keepsAfterNotification: boolean;
}

export interface SessionState {
  readonly config: SessionConfig;
  readonly phase: Phase;
  /** Between start and stop. */
  readonly isStarted: boolean;
  readonly isDialing: boolean;
  readonly main?: Connection;
  /** The other one, until the peer has said who it is. */
  readonly second?: Connection;
  readonly bargain?: Bargain;
  /** Reads UPDATEs; remembers attributes, which changes nothing but the time it takes. */
  readonly decoder?: UpdateDecoder;
  /** For decoders, if others read into it, too. */
  readonly attributeMemory?: AttributeMemory;
  /** Since the last session that lasted. */
  readonly failures: number;
  /** We have just restarted, and have told nobody yet (RFC 4724). */
  readonly isRestarting: boolean;
  /** The last thing that ended a connection. */
  readonly lastReason?: string;
}

export interface SessionStep {
  readonly state: SessionState;
  readonly actions: readonly SessionAction[];
}
