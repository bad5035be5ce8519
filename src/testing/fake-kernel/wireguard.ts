/** WireGuard in FakeKernel: what its devices keep, what follows from what, and what reading them shows. */
import {
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  ownerOf,
  type WireguardAllowedIp,
  type WireguardDevice,
  type WireguardPeer,
} from '#core/kernel/index.ts';
import { FakeErrno, type FakeState } from './errno.ts';

type WireguardObject = WireguardDevice | WireguardPeer | WireguardAllowedIp;

export function isOfWireguard(object: KernelObject): object is WireguardObject {
  return object.kind.startsWith('wireguard-');
}

export function isOwned(object: KernelObject, state: KernelState): boolean {
  return ownerOf(object, state) !== undefined;
}

/** Adds or changes; a prefix of a peer that is not there is passed over without an error. */
export function setWireguard(state: FakeState, object: WireguardObject): void {
  requireDevice(state, object.link);
  const key = keyOf(object);
  if (object.kind === 'wireguard-allowed-ip') {
    if (!state.has(`wireguard peer ${object.publicKey} dev ${object.link}`)) return;
    state.set(key, object);
    return;
  }
  // What is not told stays; of a peer and a device that are new it is what the kernel begins with.
  const before = (state.get(key) as WireguardObject | undefined) ?? blank(object);
  const wish = Object.fromEntries(
    Object.entries(object).filter(([field, value]) => value !== undefined && field !== 'rank'),
  );
  state.set(key, { ...before, ...wish } as KernelObject);
}

/** What is not there counts as removed. */
export function removeWireguard(state: FakeState, object: WireguardObject): void {
  requireDevice(state, object.link);
  state.delete(keyOf(object));
  if (object.kind === 'wireguard-allowed-ip') return;
  for (const [key, each] of state) {
    if (!isOfWireguard(each) || each.link !== object.link || each.kind === 'wireguard-device') continue;
    if (object.kind === 'wireguard-device' || each.publicKey === object.publicKey) state.delete(key);
  }
}

/** What is read of all devices; endpoints are as set by `ops`, or as read before, or as they are. */
export function readDevices(state: FakeState, before: KernelState, ops: readonly KernelOp[] = []): FakeState {
  const read: FakeState = new Map();
  for (const [key, object] of state) {
    if (!isOfWireguard(object)) continue;
    const known = before.get(key);
    const isKept = object.kind === 'wireguard-peer' && known?.kind === 'wireguard-peer' && !isSet(key, ops);
    const endpoint = isKept ? known.endpoint : undefined;
    read.set(key, endpoint === undefined ? object : ({ ...object, endpoint } as WireguardPeer));
  }
  return read;
}

function isSet(key: string, ops: readonly KernelOp[]): boolean {
  return ops.some(
    ({ verb, object }) =>
      verb !== 'remove' &&
      object.kind === 'wireguard-peer' &&
      object.endpoint !== undefined &&
      keyOf(object) === key,
  );
}

function blank(object: WireguardDevice | WireguardPeer): KernelObject {
  return object.kind === 'wireguard-peer'
    ? { ...object, presharedKey: '', keepaliveSec: 0 }
    : { ...object, listenPort: object.listenPort ?? 0, fwmark: 0 };
}

function requireDevice(state: FakeState, name: string): void {
  const link = state.get(`link ${name}`);
  if (link?.kind !== 'link') throw new FakeErrno('ENODEV');
  if (link.detail.type !== 'wireguard') throw new FakeErrno('EOPNOTSUPP');
}
