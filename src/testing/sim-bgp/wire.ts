/**
 * A network of streams between addresses, on simulated time: bytes arrive in order after a latency. Where it is cut, nothing arrives, and both
 * ends believe that all is well; what was on its way arrives when it is whole again, if the ends are still there.
 */
import type { SimAgenda } from './agenda.ts';

/** One end of a stream. */
export class SimEnd {
  readonly localAddress: string;
  readonly remoteAddress: string;
  onBytes: (bytes: Uint8Array) => void = () => undefined;
  onClose: () => void = () => undefined;
  isOpen = true;
  other: SimEnd | undefined;
  readonly #wire: SimWire;

  constructor(wire: SimWire, localAddress: string, remoteAddress: string) {
    this.#wire = wire;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  send(bytes: Uint8Array): void {
    const { other } = this;
    if (!this.isOpen || other === undefined) return;
    this.#wire.carry(this, bytes.length, () => {
      if (other.isOpen) other.onBytes(bytes);
    });
  }

  /** The other end hears of it behind what was sent. */
  close(): void {
    const { other } = this;
    if (!this.isOpen || other === undefined) return;
    this.isOpen = false;
    this.#wire.carry(this, 0, () => {
      if (!other.isOpen) return;
      other.isOpen = false;
      other.onClose();
    });
  }
}

export class SimWire {
  /** Since the beginning. */
  messages = 0;
  bytes = 0;
  readonly #agenda: SimAgenda;
  readonly #latencyMs: number;
  readonly #listeners = new Map<string, (end: SimEnd) => void>();
  readonly #stalled: { readonly from: string; readonly to: string; readonly job: () => void }[] = [];
  #isCut: (from: string, to: string) => boolean = () => false;

  constructor(agenda: SimAgenda, latencyMs: number) {
    this.#agenda = agenda;
    this.#latencyMs = latencyMs;
  }

  listen(address: string, onAccept: (end: SimEnd) => void): void {
    this.#listeners.set(address, onAccept);
  }

  /** Nobody is at the address any more. */
  unlisten(address: string): void {
    this.#listeners.delete(address);
  }

  /** Tells after a while whether it came about; never, if it is cut off. */
  connect(from: string, to: string, onResult: (end: SimEnd | undefined) => void): void {
    this.#agenda.after(2 * this.#latencyMs, () => {
      if (this.#isCut(from, to)) return;
      const onAccept = this.#listeners.get(to);
      if (onAccept === undefined) {
        onResult(undefined);
        return;
      }
      const near = new SimEnd(this, from, to);
      const far = new SimEnd(this, to, from);
      near.other = far;
      far.other = near;
      onAccept(far);
      onResult(near);
    });
  }

  /** Cuts the network between addresses; the last cut only counts. */
  cut(isCut: (from: string, to: string) => boolean): void {
    this.#isCut = isCut;
    for (const { from, to, job } of this.#stalled.splice(0)) this.#deliver(from, to, job);
  }

  carry(end: SimEnd, size: number, job: () => void): void {
    if (size > 0) this.messages++;
    this.bytes += size;
    const { localAddress, remoteAddress } = end;
    this.#agenda.after(this.#latencyMs, () => this.#deliver(localAddress, remoteAddress, job));
  }

  #deliver(from: string, to: string, job: () => void): void {
    if (this.#isCut(from, to)) this.#stalled.push({ from, to, job });
    else job();
  }
}
