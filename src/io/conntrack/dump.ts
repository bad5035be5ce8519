/**
 * All flows of a namespace, a datagram at a time: the kernel goes on with a dump when it is asked for more, so that hundreds of thousands
 * need no more memory than a few, and whoever reads may pause in between. NetlinkSocket is for dumps that are wanted whole.
 */
import { decodeTrackedFlow, type TrackedFlow, trackedFlowsRequest } from '#core/netlink/conntrack/index.ts';
import { decodeVerdict, HEADER_BYTES, messageType, NLM_F, NLMSG } from '#core/netlink/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import { NETLINK_NETFILTER, NetlinkError } from '#io/netlink/index.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const ADDRESS_BYTES = 12;
const PORT_OFFSET = 4;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EMSGSIZE = 90;
/** The kernel's dumps come in pieces of at most 32 KiB. */
const DATAGRAM_BYTES = 64 * 1024;

/** Flows of both families; ended early by its `return`. Throws NetlinkError or SystemCallError. */
export function* trackedFlows(namespace: Namespace): Generator<TrackedFlow, void, void> {
  const addon = nativeAddon();
  const buffer = new Uint8Array(DATAGRAM_BYTES);
  const fd = addon.socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, namespace.fd);
  try {
    const address = new Uint8Array(ADDRESS_BYTES);
    address[0] = AF_NETLINK;
    addon.bind(fd, address);
    check(addon.send(fd, dumpRequest(), 0));
    for (;;) {
      const length = check(addon.recvfrom(fd, buffer, MSG_DONTWAIT | MSG_TRUNC, address));
      if (!isKernel(address)) continue;
      if (length > buffer.length) throw failure(EMSGSIZE);
      for (const message of messagesIn(buffer, length)) {
        if (isEnd(message)) return;
        yield decodeTrackedFlow(message);
      }
    }
  } finally {
    addon.close(fd);
  }
}

/** Sequence and port may stay 0 on a socket that asks but once. */
function dumpRequest(): Uint8Array {
  const message = trackedFlowsRequest();
  new DataView(message.buffer, message.byteOffset).setUint16(6, NLM_F.REQUEST | NLM_F.DUMP, true);
  return message;
}

/** Its port is 0; the address is a sockaddr_nl. */
function isKernel(address: Uint8Array): boolean {
  return address.subarray(PORT_OFFSET, PORT_OFFSET + 4).every((byte) => byte === 0);
}

function check(result: number): number {
  if (result < 0) throw failure(-result);
  return result;
}

function failure(errno: number): NetlinkError {
  return new NetlinkError({ operation: 'dump of flows', errno });
}

/** True for the last message. Throws NetlinkError if it tells of a failure. */
function isEnd(message: Uint8Array): boolean {
  const type = messageType(message);
  if (type !== NLMSG.ERROR && type !== NLMSG.DONE) return false;
  check(-decodeVerdict(message).errno);
  return true;
}

function* messagesIn(bytes: Uint8Array, end: number): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + HEADER_BYTES <= end; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > end) return;
    yield bytes.subarray(at, at + length);
    at += (length + 3) & ~3;
  }
}
