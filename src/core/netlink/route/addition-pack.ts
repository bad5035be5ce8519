/**
 * New routes, neighbours and forwarding entries that come by the thousand: their messages lie one behind the other, ready to be sent,
 * and what the kernel will have made of each is known beforehand. So nobody needs the kernel's notification of them.
 */
import { familyOf } from '#base/ip/index.ts';
import type { FdbEntry, KernelOp, Neighbour, Route } from '#core/kernel/index.ts';
import { encodeOp } from './encode.ts';
import { PLAIN_BYTES_MAX, putPlainFdb, putPlainNeighbour, putPlainRoute } from './encode-plain.ts';
import type { LinkIndex } from './link-index.ts';
import { isPlainRoute } from './plain-route.ts';

/** An addition whose result is what was asked for, and of which nothing else follows. */
export type PlainAddition = KernelOp & {
  readonly verb: 'add';
  readonly object: Route | Neighbour | FdbEntry;
};

/** True for what an overlay needs of each node, but for elements of nf_tables. */
export function isPlainAddition(op: KernelOp): op is PlainAddition {
  if (op.verb !== 'add') return false;
  const { object } = op;
  return (
    object.kind === 'neighbour' ||
    object.kind === 'fdb' ||
    (object.kind === 'route' && isPlainRoute(object) && hasOverlayScope(object))
  );
}

function hasOverlayScope({ dst, scope }: Route): boolean {
  return familyOf(dst) === 4 ? typeof scope === 'number' : scope === undefined;
}

/** Messages of additions up to a number, each whole and aligned, with sequence number and port id 0. */
export class AdditionPack {
  readonly ops: PlainAddition[] = [];
  /** Where the messages end. */
  at = 0;
  bytes: Uint8Array;
  /** Where each message begins. */
  private readonly places: number[] = [];

  constructor(bytes: number) {
    this.bytes = new Uint8Array(Math.max(bytes, PLAIN_BYTES_MAX));
  }

  /** All messages so far. */
  get request(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  /** The message of one of the additions. */
  requestOf(index: number): Uint8Array {
    return this.bytes.subarray(this.places[index], this.places[index + 1] ?? this.at);
  }

  /** Throws what encodeOp throws; the pack is then as before. */
  add(op: PlainAddition, links: LinkIndex): void {
    if (this.at + PLAIN_BYTES_MAX > this.bytes.length) this.grow(PLAIN_BYTES_MAX);
    const written = put(op, links, this);
    const length = written < 0 ? this.append(encodeOp(op, links)) : written;
    this.places.push(this.at);
    this.ops.push(op);
    this.at += (length + 3) & ~3;
  }

  private append([message]: readonly Uint8Array[]): number {
    if (message === undefined) return 0;
    if (this.at + message.length > this.bytes.length) this.grow(message.length);
    this.bytes.set(message, this.at);
    return message.length;
  }

  private grow(by: number): void {
    const larger = new Uint8Array(this.bytes.length * 2 + by);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

function put({ object }: PlainAddition, links: LinkIndex, pack: AdditionPack): number {
  if (object.kind === 'route') return putPlainRoute(object, links, pack);
  return object.kind === 'neighbour'
    ? putPlainNeighbour(object, links, pack)
    : putPlainFdb(object, links, pack);
}
