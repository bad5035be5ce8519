/**
 * Operations on WireGuard's objects as WG_CMD_SET_DEVICE: each sends what differs and leaves all other peers, and all other prefixes of
 * a peer, as they are.
 */
import { fromBase64, utf8 } from '#base/bytes.ts';
import { prefixParts } from '#base/ip/index.ts';
import type {
  KernelOp,
  WireguardAllowedIp,
  WireguardDevice,
  WireguardEndpoint,
  WireguardPeer,
} from '#core/kernel/index.ts';
import { encodeMessage } from '../message.ts';
import { AF } from '../route/scope.ts';
import {
  type DeviceAttributes,
  KEY_BYTES,
  type PeerAttributes,
  WG_CMD,
  WGDEVICE_F,
  WGPEER_F,
  wireguardMessage,
} from './wireguard.ts';

/** The family's name, see familyRequest. */
export const WIREGUARD_FAMILY = 'wireguard';
const VERSION = 1;
const NO_KEY = new Uint8Array(KEY_BYTES);
/** A public key whose private key nobody has. */
const NOBODY = utf8('poplin: what no peer shall have.');

type Verb = KernelOp['verb'];

/** Dumps a device with its peers; ENODEV is the answer if there is no such link, EOPNOTSUPP if it is of another kind. */
export function deviceRequest(familyId: number, link: string): Uint8Array {
  return message(familyId, WG_CMD.GET_DEVICE, { name: link });
}

/** The message that carries an operation out. Throws RangeError for an object of another kind, or a key that is none. */
export function encodeWireguardOp(familyId: number, op: KernelOp): Uint8Array {
  const { verb, object } = op;
  const previous = op.verb === 'replace' ? op.previous : undefined;
  switch (object.kind) {
    case 'wireguard-device':
      return set(familyId, object.link, deviceChange(verb, object, previous as WireguardDevice | undefined));
    case 'wireguard-peer':
      return set(familyId, object.link, { peers: [peerChange(verb, object, previous as WireguardPeer)] });
    case 'wireguard-allowed-ip':
      return set(familyId, object.link, { peers: allowedIpChange(verb, object) });
    default:
      throw new RangeError(`a ${object.kind} is nothing of WireGuard's`);
  }
}

/** Removed, a device is as if new, but for the port it listens on. */
function deviceChange(
  verb: Verb,
  { privateKey, listenPort, fwmark }: WireguardDevice,
  previous: WireguardDevice | undefined,
): DeviceAttributes {
  if (verb === 'remove') return { privateKey: NO_KEY, fwmark: 0, flags: WGDEVICE_F.REPLACE_PEERS };
  return {
    ...(privateKey !== previous?.privateKey && { privateKey: keyBytes(privateKey) }),
    ...(listenPort !== undefined && listenPort !== previous?.listenPort && { listenPort }),
    ...(fwmark !== undefined && fwmark !== previous?.fwmark && { fwmark }),
  };
}

function peerChange(verb: Verb, peer: WireguardPeer, previous: WireguardPeer | undefined): PeerAttributes {
  const publicKey = keyBytes(peer.publicKey);
  if (verb === 'remove') return { publicKey, flags: WGPEER_F.REMOVE_ME };
  const { presharedKey, endpoint, keepaliveSec } = peer;
  return {
    publicKey,
    ...(presharedKey !== undefined &&
      presharedKey !== previous?.presharedKey && {
        presharedKey: presharedKey === '' ? NO_KEY : keyBytes(presharedKey),
      }),
    ...(previous !== undefined && { flags: WGPEER_F.UPDATE_ONLY }),
    ...(endpoint !== undefined && !equalEndpoints(endpoint, previous?.endpoint) && { endpoint }),
    ...(keepaliveSec !== undefined && keepaliveSec !== previous?.keepaliveSec && { keepaliveSec }),
  };
}

/** Given to one peer, a prefix is taken from another. Kernels before 6.16 take it away no other way: so it is given to a peer that goes. */
function allowedIpChange(verb: Verb, { prefix, publicKey }: WireguardAllowedIp): PeerAttributes[] {
  const { address, length, family } = prefixParts(prefix);
  const allowedIps = [{ family: family === 4 ? AF.INET : AF.INET6, address, length }];
  if (verb !== 'remove') return [{ publicKey: keyBytes(publicKey), flags: WGPEER_F.UPDATE_ONLY, allowedIps }];
  return [
    { publicKey: NOBODY, allowedIps },
    { publicKey: NOBODY, flags: WGPEER_F.REMOVE_ME },
  ];
}

function equalEndpoints(a: WireguardEndpoint, b: WireguardEndpoint | undefined): boolean {
  return a.address === b?.address && a.port === b.port;
}

/** Says nothing of the key where it is none: it may be a secret. */
function keyBytes(key: string): Uint8Array {
  let raw: Uint8Array | undefined;
  try {
    raw = fromBase64(key);
  } catch {
    // told below
  }
  if (raw?.length !== KEY_BYTES) throw new RangeError(`a key is not ${KEY_BYTES} bytes in base64`);
  return raw;
}

function set(familyId: number, link: string, change: DeviceAttributes): Uint8Array {
  return message(familyId, WG_CMD.SET_DEVICE, { name: link, ...change });
}

function message(familyId: number, command: number, attributes: DeviceAttributes): Uint8Array {
  return encodeMessage(wireguardMessage, {
    type: familyId,
    flags: 0,
    payload: { command, version: VERSION, attributes },
  });
}
