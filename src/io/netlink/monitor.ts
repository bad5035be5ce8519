/** A netlink socket that listens to multicast groups. */
import type { Namespace } from '#io/namespace/index.ts';
import type { NetlinkProtocol } from './socket.ts';

export interface NetlinkMonitorOptions {
  readonly protocol: NetlinkProtocol;
  readonly namespace?: Namespace;
  /** Multicast group numbers, e.g. RTNLGRP_LINK = 1, NFNLGRP_NFTABLES = 7. */
  readonly groups: readonly number[];
  /** Receives the notifications in order, each with its header. */
  readonly onMessages: (messages: Uint8Array[]) => void;
  /** Notifications were lost; the owner dumps again. Called before the messages that came after the gap. */
  readonly onLost: () => void;
  /** Default 8 MiB, forced if allowed. */
  readonly receiveBufferBytes?: number;
  /** Whether the monitor keeps the process alive; default true. */
  readonly keepsProcessAlive?: boolean;
}

export class NetlinkMonitor implements Disposable {
  static open(options: NetlinkMonitorOptions): NetlinkMonitor {
    throw new Error(`not written yet: ${options.protocol}`);
  }

  /** Receives at once all that is queued and returns it instead of passing it to onMessages; a loss is still told to onLost. */
  drain(): Uint8Array[] {
    throw new Error('not written yet');
  }

  /** Stops; no callback runs afterwards. Harmless if repeated. */
  close(): void {}

  [Symbol.dispose](): void {
    this.close();
  }
}
