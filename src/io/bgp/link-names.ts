/** Names and numbers of links, as the namespace of a socket has them (netdevice(7)). */
import { nativeAddon } from '#io/native/index.ts';

const SIOCGIFNAME = 0x8910;
const SIOCGIFFLAGS = 0x8913;
const SIOCGIFINDEX = 0x8933;
const NAME_BYTES = 16;
const REQUEST_BYTES = 40;
const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;

/** The number of a link. Throws a SystemCallError, ENODEV if there is none of that name. */
export function linkIndexOn(fd: number, name: string): number {
  const request = requestOf(name);
  nativeAddon().ioctl(fd, SIOCGIFINDEX, request);
  return viewOf(request).getInt32(NAME_BYTES, true);
}

/** The name of a link; undefined if there is none of that number any more. */
export function linkNameOn(fd: number, index: number): string | undefined {
  const request = new Uint8Array(REQUEST_BYTES);
  viewOf(request).setInt32(NAME_BYTES, index, true);
  try {
    nativeAddon().ioctl(fd, SIOCGIFNAME, request);
  } catch {
    return undefined;
  }
  const end = request.indexOf(0);
  return new TextDecoder().decode(request.subarray(0, end));
}

/** What a link is at: its number, and whether packets can pass. Undefined if there is none of that name. */
export function linkStateOn(
  fd: number,
  name: string,
): { readonly index: number; readonly isUp: boolean } | undefined {
  try {
    const index = linkIndexOn(fd, name);
    const request = requestOf(name);
    nativeAddon().ioctl(fd, SIOCGIFFLAGS, request);
    const wanted = IFF_UP | IFF_RUNNING;
    return { index, isUp: (viewOf(request).getUint16(NAME_BYTES, true) & wanted) === wanted };
  } catch {
    return undefined;
  }
}

function requestOf(name: string): Uint8Array {
  const request = new Uint8Array(REQUEST_BYTES);
  const bytes = new TextEncoder().encode(name);
  if (bytes.length >= NAME_BYTES) throw new RangeError(`link "${name}" has a name of ${bytes.length} bytes`);
  request.set(bytes);
  return request;
}

function viewOf({ buffer, byteOffset }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset);
}
