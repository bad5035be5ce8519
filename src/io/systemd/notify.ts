/** Tells systemd how a service is (sd_notify(3)): one datagram to the socket it names in the environment. */
import { nativeAddon } from '#io/native/index.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** sun_path of sockaddr_un. */
const MAX_PATH_BYTES = 108;

/**
 * Sends a state such as `READY=1`; false where no service manager asked for it (NOTIFY_SOCKET), so that nothing was sent. Throws an Error
 * for a socket that is there and cannot be used.
 */
export function notifySystemd(
  state: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  const name = env['NOTIFY_SOCKET'];
  if (name === undefined || name === '') return false;
  const path = new TextEncoder().encode(name);
  if (!/^[/@]./.test(name) || path.length > MAX_PATH_BYTES) {
    throw new Error(`NOTIFY_SOCKET "${name}" is no path of a unix socket`);
  }
  // An abstract socket is written with @ in place of its zero.
  if (path[0] === 0x40) path[0] = 0;
  const address = new Uint8Array(2 + path.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(path, 2);
  const addon = nativeAddon();
  const fd = addon.socket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    const sent = addon.sendto(fd, new TextEncoder().encode(state), 0, address);
    if (sent < 0) throw new Error(`NOTIFY_SOCKET ${name}: error ${-sent} when "${state}" was sent`);
  } finally {
    addon.close(fd);
  }
  return true;
}
