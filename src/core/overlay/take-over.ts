/**
 * What flannel left in the kernel becomes ours in place: the same device, routes and neighbours with our marks, so that packets go on
 * while it happens. flannel marks nothing, so what it left is known by its place: the name, kind and VNI of a device we want too, what
 * lies on that device, and routes to subnets we want a route to. Everything else is somebody's, and stays.
 */
import type { IpFamily, MacAddress } from '#base/ip/index.ts';
import {
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  type Link,
  linkIn,
  linksOf,
  OVERLAY,
  type Owner,
  ownerOf,
  type Route,
} from '#core/kernel/index.ts';
import { vxlanLinkName } from './vxlan.ts';

/** RTPROT_BOOT (rtnetlink(7)): what flannel's routes carry, as those of `ip route` do. */
const BOOT_PROTOCOL = 3;

/** What is there, what is wanted, and the devices that are to be taken over, by name. */
interface Scene {
  readonly state: KernelState;
  readonly wish: KernelState;
  readonly owner: Owner;
  readonly devices: ReadonlyMap<string, Link>;
}

/**
 * The operations that make ours what flannel left and `wanted` asks for, and remove what it left on a device to be taken over that
 * nobody asks for. `state` must show what carries no mark, too. The marks of the devices come last: broken off anywhere, the whole is
 * planned again; once a device is marked, what others put on it is left alone. Applied, a second plan is empty.
 */
export function planTakeOver(
  state: KernelState,
  wanted: readonly KernelObject[],
  owner: Owner = OVERLAY,
): KernelOp[] {
  const wish = new Map(wanted.map((object) => [keyOf(object), object]));
  const scene = { state, wish, owner, devices: foreignDevices(state, wanted, owner) };
  const changes: KernelOp[] = [];
  const removals: KernelOp[] = [];
  for (const [key, found] of state) {
    const op = takeOver(found, wish.get(key), scene);
    if (op !== undefined) (op.verb === 'remove' ? removals : changes).push(op);
  }
  const marks = [...scene.devices.values()].map(
    (previous): KernelOp => ({ verb: 'replace', object: { ...previous, alias: owner.alias }, previous }),
  );
  return [...changes, ...removals, ...marks];
}

/**
 * The MAC of the tunnel end of a family that is there already, whoever made it. Other nodes send to it until they are told another, so
 * a node that goes on with the device goes on with its MAC.
 */
export function standingVtepMac(state: KernelState, family: IpFamily, vni: number): MacAddress | undefined {
  const link = linkIn(state, vxlanLinkName(family, vni));
  return link?.detail.type === 'vxlan' && link.detail.vni === vni ? link.mac : undefined;
}

/** Devices nobody marked that are what is wanted under their name. */
function foreignDevices(
  state: KernelState,
  wanted: readonly KernelObject[],
  owner: Owner,
): Map<string, Link> {
  const devices = new Map<string, Link>();
  for (const object of wanted) {
    if (object.kind !== 'link' || ownerOf(object, state) !== owner) continue;
    const found = linkIn(state, object.name);
    // Whoever gave it an alias wants it known by that.
    if (found === undefined || (found.alias ?? '') !== '' || !isSameDevice(object, found)) continue;
    devices.set(found.name, found);
  }
  return devices;
}

function isSameDevice({ detail: wish }: Link, { detail }: Link): boolean {
  if (wish.type !== detail.type) return false;
  return wish.type !== 'vxlan' || detail.type !== 'vxlan' || wish.vni === detail.vni;
}

function takeOver(found: KernelObject, wish: KernelObject | undefined, scene: Scene): KernelOp | undefined {
  if (found.kind === 'route') return takeRoute(found, wish, scene);
  if (found.kind !== 'neighbour' && found.kind !== 'fdb') return undefined;
  if (!scene.devices.has(found.link)) return undefined;
  // Somebody else's neighbours say whose they are; flannel's do not.
  if (found.kind === 'neighbour' && found.protocol !== 0) return undefined;
  if (wish === undefined) return { verb: 'remove', object: found };
  // A forwarding entry has no mark: it is the device's.
  if (found.kind === 'fdb' && wish.kind === 'fdb' && found.dst === wish.dst) return undefined;
  return { verb: 'replace', object: wish, previous: found };
}

function takeRoute(found: Route, wish: KernelObject | undefined, scene: Scene): KernelOp | undefined {
  const isFlannels =
    found.protocol === BOOT_PROTOCOL && found.table === undefined && (found.type ?? 'unicast') === 'unicast';
  if (!isFlannels) return undefined;
  if (wish?.kind === 'route' && wish.protocol === scene.owner.protocol) {
    const ways = linksOf(wish).map((name) => wayOf(name, scene));
    if (ways.includes('blocked')) return undefined;
    // The kernel takes no second route beside this one, and the device to replace it by is made later.
    if (ways.includes('unmade')) return { verb: 'remove', object: found };
    return { verb: 'replace', object: wish, previous: found };
  }
  const links = linksOf(found);
  const isOnDevices = links.length > 0 && links.every((name) => scene.devices.has(name));
  return isOnDevices ? { verb: 'remove', object: found } : undefined;
}

/** Whether a route can leave by a link now, once it is made, or not at all for now. */
function wayOf(name: string, { state, wish, devices, owner }: Scene): 'free' | 'unmade' | 'blocked' {
  const isWanted = linkIn(wish, name) !== undefined;
  const found = linkIn(state, name);
  if (found === undefined) return isWanted ? 'unmade' : 'blocked';
  return !isWanted || devices.has(name) || ownerOf(found, state) === owner ? 'free' : 'blocked';
}
