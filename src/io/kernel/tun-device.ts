/**
 * TUN and TAP devices, made by ioctl (linux/if_tun.h): rtnetlink makes none. A device lives as long as a program has it open, unless it
 * is told to stay; so one that cannot be set up as wished, or whose maker is killed, leaves nothing behind.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { utf8 } from '#base/bytes.ts';
import type { KernelOp, Link, LinkDetail } from '#core/kernel/index.ts';
import { errnoText } from '#core/netlink/index.ts';
import { type Namespace, runIn } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';

const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOWNER = 0x400454cc;
const TUNSETGROUP = 0x400454ce;
const IFF = { TUN: 0x1, TAP: 0x2, MULTI_QUEUE: 0x100, NO_PI: 0x1000, TUN_EXCL: 0x8000 } as const;
/** struct ifreq: the name, then the flags. */
const IFREQ_BYTES = 40;
const FLAGS_AT = 16;
/** IFNAMSIZ with its NUL left out. */
const NAME_BYTES_MAX = 15;

type TunDetail = LinkDetail & { readonly type: 'tun' };

class TunDevice implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Makes the device, down and without settings. Throws an error with `code`: EEXIST if the name is taken, ENOENT without /dev/net/tun. */
  static make(namespace: Namespace, { name }: Link, detail: TunDetail): TunDevice {
    const request = interfaceRequest(name, flagsOf(detail));
    // The device belongs to the namespace in which the file was opened.
    const fd = runIn(namespace, () => openSync('/dev/net/tun', constants.O_RDWR));
    const addon = nativeAddon();
    try {
      addon.ioctl(fd, TUNSETIFF, request);
      if (detail.owner !== undefined) addon.ioctlNumber(fd, TUNSETOWNER, detail.owner);
      if (detail.group !== undefined) addon.ioctlNumber(fd, TUNSETGROUP, detail.group);
      return new TunDevice(fd);
    } catch (error) {
      closeSync(fd);
      throw (error as { code?: unknown }).code === 'EBUSY' ? new TakenNameError(error) : error;
    }
  }

  /** From here on it lasts without a program that has it open. */
  keep(): void {
    nativeAddon().ioctlNumber(this.#fd, TUNSETPERSIST, 1);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** Makes the device that an operation asks for; undefined if it asks for none. Throws as TunDevice.make does. */
export function tunDeviceFor(namespace: Namespace, { verb, object }: KernelOp): TunDevice | undefined {
  if (verb !== 'add' || object.kind !== 'link' || object.detail.type !== 'tun') return undefined;
  return TunDevice.make(namespace, object, object.detail);
}

/** What rtnetlink says where a name is taken: with IFF_TUN_EXCL the driver says EBUSY. */
class TakenNameError extends Error {
  override readonly name = 'TakenNameError';
  readonly code = 'EEXIST';

  constructor(cause: unknown) {
    super(`${errnoText('EEXIST')} (EEXIST)`, { cause });
  }
}

function flagsOf({ mode, multiQueue }: TunDetail): number {
  return (
    (mode === 'tap' ? IFF.TAP : IFF.TUN) |
    (multiQueue === true ? IFF.MULTI_QUEUE : 0) |
    IFF.NO_PI |
    IFF.TUN_EXCL
  );
}

function interfaceRequest(name: string, flags: number): Uint8Array {
  const text = utf8(name);
  // In place of an empty name, or a % in one, the kernel would put a name of its choice.
  if (text.length === 0 || text.length > NAME_BYTES_MAX || /[%\0]/.test(name))
    throw new RangeError(
      `link ${JSON.stringify(name)}: a name has 1 to ${NAME_BYTES_MAX} bytes, % and NUL not among them`,
    );
  const request = new Uint8Array(IFREQ_BYTES);
  request.set(text);
  new DataView(request.buffer).setUint16(FLAGS_AT, flags, true);
  return request;
}
