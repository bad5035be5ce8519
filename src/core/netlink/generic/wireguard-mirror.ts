/**
 * What WireGuard knows of our links, as live state beside that of rtnetlink. The kernel announces none of it: whole devices are read,
 * and what was not read is gone. An endpoint is kept as it was set, or as it was found at first, however the peer roams.
 */
import { base64 } from '#base/bytes.ts';
import {
  type KernelObject,
  type KernelState,
  keyOf,
  ownerOf,
  type WireguardDevice,
  type WireguardEndpoint,
  type WireguardPeer,
} from '#core/kernel/index.ts';
import { decodeMessage } from '../message.ts';
import type { RouteMirror } from '../route/mirror.ts';
import { type DeviceAttributes, type PeerAttributes, wireguardMessage } from './wireguard.ts';

/** Endpoints that were set by us since the last reading, by public key. */
export type SetEndpoints = ReadonlyMap<string, WireguardEndpoint>;

const NONE: SetEndpoints = new Map();

export class WireguardMirror {
  private readonly parts: RouteMirror['parts'];
  private readonly state: KernelState;

  /** Beside the mirror that knows the links; what changes is told by it. */
  constructor({ parts, state }: RouteMirror) {
    this.parts = parts;
    this.state = state;
  }

  /** The WireGuard links that carry an owner's mark. */
  links(): string[] {
    const names: string[] = [];
    for (const { name } of this.parts.links.all()) {
      const link = this.state.get(`link ${name}`);
      if (
        link?.kind === 'link' &&
        link.detail.type === 'wireguard' &&
        ownerOf(link, this.state) !== undefined
      )
        names.push(name);
    }
    return names;
  }

  /** Takes in all answers to deviceRequest for a link. Throws DecodeError, and then has taken in nothing. */
  take(link: string, messages: readonly Uint8Array[], set: SetEndpoints = NONE): void {
    const seen = new Map<string, KernelObject>();
    for (const message of messages) {
      const { attributes } = decodeMessage(wireguardMessage, message).payload;
      const device = deviceOf(link, attributes);
      if (device !== undefined) seen.set(keyOf(device), device);
      for (const peer of attributes.peers ?? []) {
        for (const object of this.peerObjects(link, peer, set)) seen.set(keyOf(object), object);
      }
    }
    const { links, store } = this.parts;
    for (const key of [...(links.named(link)?.dependents ?? [])])
      if (key.startsWith('wireguard ') && !seen.has(key)) store.drop(key);
    for (const [key, object] of seen) store.place(key, object);
  }

  private peerObjects(link: string, attributes: PeerAttributes, set: SetEndpoints): KernelObject[] {
    if (attributes.publicKey === undefined) return [];
    const publicKey = base64(attributes.publicKey);
    const objects: KernelObject[] = [];
    // A peer with many prefixes is spread over several messages; only the first has all of it.
    if (attributes.presharedKey !== undefined) {
      const peer = peerOf(link, publicKey, attributes);
      const before = this.parts.store.get(keyOf(peer));
      const known = before?.kind === 'wireguard-peer' ? before.endpoint : undefined;
      const endpoint = set.get(publicKey) ?? known ?? peer.endpoint;
      objects.push(endpoint === undefined ? peer : { ...peer, endpoint });
    }
    for (const { address, length } of attributes.allowedIps ?? []) {
      if (address === undefined || length === undefined) continue;
      objects.push({ kind: 'wireguard-allowed-ip', link, prefix: `${address}/${length}`, publicKey });
    }
    return objects;
  }
}

function deviceOf(link: string, attributes: DeviceAttributes): WireguardDevice | undefined {
  const { privateKey, listenPort, fwmark } = attributes;
  if (privateKey === undefined || isZero(privateKey)) return undefined;
  return {
    kind: 'wireguard-device',
    link,
    privateKey: base64(privateKey),
    ...(listenPort !== undefined && { listenPort }),
    ...(fwmark !== undefined && { fwmark }),
  };
}

function peerOf(link: string, publicKey: string, attributes: PeerAttributes): WireguardPeer {
  const { presharedKey, endpoint, keepaliveSec } = attributes;
  return {
    kind: 'wireguard-peer',
    link,
    publicKey,
    presharedKey: presharedKey === undefined || isZero(presharedKey) ? '' : base64(presharedKey),
    ...(endpoint !== undefined && { endpoint }),
    ...(keepaliveSec !== undefined && { keepaliveSec }),
  };
}

function isZero(key: Uint8Array): boolean {
  return key.every((byte) => byte === 0);
}
