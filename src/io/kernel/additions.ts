/**
 * Many new routes, neighbours and forwarding entries, as a first list of nodes brings them: over a socket of their own, whose port tells
 * a monitor which notifications it can do without. While the thread pool sends one pack, the next is encoded.
 */
import type { OpFailure } from '#core/kernel/index.ts';
import { AdditionPack, type LinkIndex, type PlainAddition } from '#core/netlink/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { type MessageFailure, NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';
import { describeFailure, encodeFailure } from './failure.ts';

/** So many make the system calls, and what is waited for between them, small beside the work. */
const PACK_MESSAGES = 1000;
const PACK_BYTES = 64 * 1024;

/** Who keeps a picture of the namespace, and need not hear of these additions from the kernel. */
export interface AdditionFollower {
  /** All requests come from this port. Called once. */
  portOpened(portId: number): void;
  begin(): void;
  /** The kernel carried out what of the pack it did not refuse. */
  acknowledged(pack: AdditionPack, refused: ReadonlySet<number>): void;
  /** Nothing is under way any more; `isComplete` is false if answers are missing. */
  end(isComplete: boolean): void;
}

interface Answered {
  readonly pack: AdditionPack;
  readonly refusals: readonly MessageFailure[];
}

export class AdditionSender implements Disposable {
  private readonly namespace: Namespace;
  private readonly links: LinkIndex;
  private readonly follower: AdditionFollower | undefined;
  private socket: NetlinkSocket | undefined;

  constructor(namespace: Namespace, links: LinkIndex, follower?: AdditionFollower) {
    this.namespace = namespace;
    this.links = links;
    this.follower = follower;
  }

  /** All in their order; returns what failed. Rejects with NetlinkError if answers are missing. */
  async send(ops: readonly PlainAddition[]): Promise<OpFailure[]> {
    const socket = this.open();
    let isComplete = false;
    this.follower?.begin();
    try {
      const failures = await this.sendPacks(socket, ops);
      isComplete = true;
      return failures;
    } finally {
      this.follower?.end(isComplete);
    }
  }

  [Symbol.dispose](): void {
    this.socket?.close();
  }

  private open(): NetlinkSocket {
    if (this.socket !== undefined) return this.socket;
    const { namespace } = this;
    const { socket, poolPortId } = NetlinkSocket.openWithPorts({ protocol: NETLINK_ROUTE, namespace });
    this.socket = socket;
    this.follower?.portOpened(poolPortId());
    return socket;
  }

  private async sendPacks(socket: NetlinkSocket, ops: readonly PlainAddition[]): Promise<OpFailure[]> {
    const failures: OpFailure[] = [];
    let underway: Promise<Answered> | undefined;
    for (let next = 0; next < ops.length; ) {
      const pack = new AdditionPack(PACK_BYTES);
      next = this.encode(pack, ops, next, failures);
      const before = await underway;
      underway = socket.transactPacked(pack.request).then((refusals) => ({ pack, refusals }));
      if (before !== undefined) this.settle(before, failures);
    }
    const last = await underway;
    if (last !== undefined) this.settle(last, failures);
    return failures;
  }

  /** Encodes until the pack is full; returns where to go on. */
  private encode(
    pack: AdditionPack,
    ops: readonly PlainAddition[],
    from: number,
    failures: OpFailure[],
  ): number {
    let next = from;
    for (; next < ops.length && pack.ops.length < PACK_MESSAGES; next++) {
      const op = ops[next] as PlainAddition;
      try {
        pack.add(op, this.links);
      } catch (error) {
        failures.push(encodeFailure(op, error));
      }
    }
    return next;
  }

  private settle({ pack, refusals }: Answered, failures: OpFailure[]): void {
    for (const refusal of refusals) {
      const op = pack.ops[refusal.index];
      if (op !== undefined) failures.push(describeFailure(op, refusal));
    }
    this.follower?.acknowledged(pack, new Set(refusals.map(({ index }) => index)));
  }
}
