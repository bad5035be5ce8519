/**
 * Elements that an own transaction adds, thousands of them perhaps: what the kernel will tell of them is known beforehand. The
 * generation that follows each transaction names the port it was asked for by, and stands in its place among what others did: at
 * that point the elements are there, and their own notifications need not be read.
 */
import { type KernelOp, keyOf } from '#core/kernel/index.ts';
import type { NftElement, NftSet } from '#core/nft/index.ts';
import { HEADER_BYTES } from '../message.ts';
import { NFT_MESSAGE } from './header.ts';

const TYPE_AT = 4;
const PORT_AT = 12;

export type ElementAddition = KernelOp & { readonly verb: 'add'; readonly object: NftElement };

export class OwnElements {
  private port = 0;
  private awaited: readonly ElementAddition[] | undefined;

  /** Transactions come from this port. */
  setPort(portId: number): void {
    this.port = portId;
  }

  /** A transaction is about to be sent. True if its elements will be told of by isDone alone; else they are read as anybody's. */
  expect(ops: readonly KernelOp[], setOf: (key: string) => NftSet | undefined): boolean {
    this.awaited = this.port === 0 ? undefined : plainElements(ops, setOf);
    return this.awaited !== undefined;
  }

  /** Nothing is under way any more. */
  clear(): void {
    this.awaited = undefined;
  }

  /** True for notifications of what is expected. */
  skips(message: Uint8Array): boolean {
    return (
      this.awaited !== undefined &&
      typeOf(message) === NFT_MESSAGE.NEWSETELEM &&
      portOf(message) === this.port
    );
  }

  /** What is there from this notification on, if it ends the transaction that is expected. */
  takeAt(message: Uint8Array): readonly ElementAddition[] | undefined {
    const { awaited } = this;
    if (awaited === undefined || typeOf(message) !== NFT_MESSAGE.NEWGEN || portOf(message) !== this.port)
      return undefined;
    this.awaited = undefined;
    return awaited;
  }
}

/** Undefined where anything but additions is asked for, or an element that the kernel may tell of in other words than were asked. */
function plainElements(
  ops: readonly KernelOp[],
  setOf: (key: string) => NftSet | undefined,
): ElementAddition[] | undefined {
  const made = new Map<string, NftSet>();
  const elements: ElementAddition[] = [];
  let last: { readonly element: NftElement; readonly isPlain: boolean } | undefined;
  for (const op of ops) {
    if (op.verb !== 'add') return undefined;
    const { object } = op;
    if (object.kind === 'nft-set') made.set(keyOf(object), object);
    if (object.kind !== 'nft-element') continue;
    if (last === undefined || !isSameSet(last.element, object)) {
      const key = `nft set ${object.family} ${object.table} ${object.set}`;
      const set = made.get(key) ?? setOf(key);
      last = { element: object, isPlain: set !== undefined && isPlainSet(set) };
    }
    if (!last.isPlain || object.data !== undefined || object.comment !== undefined) return undefined;
    elements.push(op as ElementAddition);
  }
  return elements;
}

function isSameSet(a: NftElement, b: NftElement): boolean {
  return a.set === b.set && a.table === b.table && a.family === b.family;
}

/** Each element is one of the kernel's, and stays until somebody takes it away. */
function isPlainSet({ interval, dynamic, dataType, timeouts, timeoutMs }: NftSet): boolean {
  return !interval && !dynamic && dataType === undefined && !timeouts && timeoutMs === undefined;
}

function typeOf(message: Uint8Array): number {
  return message.length < HEADER_BYTES
    ? 0
    : (message[TYPE_AT] as number) | ((message[TYPE_AT + 1] as number) << 8);
}

function portOf(message: Uint8Array): number {
  const byte = (at: number) => message[PORT_AT + at] as number;
  return (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0;
}
