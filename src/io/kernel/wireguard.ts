/** WireGuard's part of a session: its devices are read and changed by generic netlink, on a socket that is opened when there are any. */
import { describeOp, type KernelOp, type OpFailure, type WireguardEndpoint } from '#core/kernel/index.ts';
import {
  decodeFamily,
  deviceRequest,
  encodeWireguardOp,
  familyRequest,
  type SetEndpoints,
  WIREGUARD_FAMILY,
} from '#core/netlink/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { isNetlinkError, isNotFound, NETLINK_GENERIC, NetlinkSocket } from '#io/netlink/index.ts';
import { describeFailure, encodeFailure } from './failure.ts';

/** Above so many messages a transaction runs on the thread pool: about a millisecond of kernel work. */
const SYNC_MESSAGES = 50;
const CHUNK_MESSAGES = 500;
const MISSING = 'the kernel has no WireGuard (CONFIG_WIREGUARD)';

interface Opened {
  readonly socket: NetlinkSocket;
  readonly familyId: number;
}

export class WireguardSession implements Disposable {
  private readonly namespace: Namespace;
  private opened: Opened | undefined;

  constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  /** All operations in order; adds what failed. */
  async apply(ops: readonly KernelOp[], failures: OpFailure[]): Promise<void> {
    const opened = this.open();
    if (opened === undefined) {
      for (const op of ops)
        failures.push({ op, code: 'EOPNOTSUPP', message: `${describeOp(op)}: ${MISSING} (EOPNOTSUPP)` });
      return;
    }
    for (let at = 0; at < ops.length; at += CHUNK_MESSAGES)
      await send(opened, ops.slice(at, at + CHUNK_MESSAGES), failures);
  }

  /** The answers to deviceRequest; undefined if there is no such link, or it is of another kind. */
  read(link: string): Uint8Array[] | undefined {
    const opened = this.open();
    if (opened === undefined) return undefined;
    try {
      return opened.socket.dump(deviceRequest(opened.familyId, link), `wireguard device ${link}`);
    } catch (error) {
      if (isNotFound(error) || (isNetlinkError(error) && error.code === 'EOPNOTSUPP')) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.opened?.socket.close();
  }

  /** Undefined if the kernel has no WireGuard. */
  private open(): Opened | undefined {
    if (this.opened !== undefined) return this.opened;
    const socket = NetlinkSocket.open({ protocol: NETLINK_GENERIC, namespace: this.namespace });
    try {
      const [answer] = socket.requestSync(
        familyRequest(WIREGUARD_FAMILY),
        `netlink family ${WIREGUARD_FAMILY}`,
      );
      if (answer !== undefined) {
        this.opened = { socket, familyId: decodeFamily(answer).id };
        return this.opened;
      }
    } catch (error) {
      if (!isNotFound(error)) {
        socket.close();
        throw error;
      }
    }
    socket.close();
    return undefined;
  }
}

async function send(
  { socket, familyId }: Opened,
  ops: readonly KernelOp[],
  failures: OpFailure[],
): Promise<void> {
  const messages: Uint8Array[] = [];
  const sources: KernelOp[] = [];
  for (const op of ops) {
    try {
      messages.push(encodeWireguardOp(familyId, op));
      sources.push(op);
    } catch (error) {
      failures.push(encodeFailure(op, error));
    }
  }
  const found =
    messages.length > SYNC_MESSAGES ? await socket.transact(messages) : socket.transactSync(messages);
  for (const failure of found) failures.push(describeFailure(sources[failure.index] as KernelOp, failure));
}

/** The endpoints that operations set, by link and public key; links without any are there too if anything of theirs was changed. */
export function changedEndpoints(
  ops: readonly KernelOp[],
  failures: readonly OpFailure[],
): Map<string, SetEndpoints> {
  const failed = new Set(failures.map(({ op }) => op));
  const changed = new Map<string, Map<string, WireguardEndpoint>>();
  for (const op of ops) {
    const { verb, object } = op;
    const link = wireguardLink(op);
    if (link === undefined) continue;
    let endpoints = changed.get(link);
    if (endpoints === undefined) changed.set(link, (endpoints = new Map()));
    if (object.kind !== 'wireguard-peer' || failed.has(op)) continue;
    if (verb === 'remove') endpoints.delete(object.publicKey);
    else if (object.endpoint !== undefined) endpoints.set(object.publicKey, object.endpoint);
  }
  return changed;
}

function wireguardLink({ object }: KernelOp): string | undefined {
  switch (object.kind) {
    case 'link':
      return object.detail.type === 'wireguard' ? object.name : undefined;
    case 'wireguard-device':
    case 'wireguard-peer':
    case 'wireguard-allowed-ip':
      return object.link;
    default:
      return undefined;
  }
}
