/** A TUN or TAP device whose packets the test itself writes and reads: a pod, or the world, without a namespace of its own. */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { type Namespace, runIn } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';

const TUNSETIFF = 0x400454ca;
const IFF = { tun: 0x1, tap: 0x2, noPi: 0x1000 } as const;
const MAX_BYTES = 2048;

export class PacketDevice implements Disposable {
  readonly name: string;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(MAX_BYTES);

  /** The device is there as long as this is; it is down at first. */
  constructor(namespace: Namespace, name: string, mode: 'tun' | 'tap') {
    this.name = name;
    this.#fd = runIn(namespace, () => openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK));
    const request = Buffer.alloc(40);
    request.write(name);
    request.writeUInt16LE(IFF[mode] | IFF.noPi, 16);
    nativeAddon().ioctl(this.#fd, TUNSETIFF, request);
  }

  /** The kernel takes it in, and has done with it what it does, when this returns. */
  send(packet: Uint8Array): void {
    writeSync(this.#fd, packet);
  }

  /** All that waits to be read. */
  received(): Uint8Array[] {
    const found: Uint8Array[] = [];
    for (;;) {
      try {
        found.push(this.#buffer.slice(0, readSync(this.#fd, this.#buffer)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        return found;
      }
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
