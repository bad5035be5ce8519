/**
 * Gives a VXLAN device of ours the checksum offload it should have: gathers the facts, decides, and switches the feature if it is
 * otherwise. Devices of others are left alone, and `auto` never switches on what somebody switched off.
 */
import type { Logger } from 'pino';
import { familyOf, type IpFamily } from '#base/ip/index.ts';
import { isOverlay, type KernelState, type Link, linkIn, ownerOf } from '#core/kernel/index.ts';
import { dumpRequests, RouteMirror } from '#core/netlink/index.ts';
import {
  type ChecksumOffload,
  decideChecksumOffload,
  type FaultyDriver,
  faultyDriver,
  type KernelFindings,
  type OffloadFacts,
  type OffloadMode,
} from '#core/offload/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';
import { driverOf } from './ethtool-ioctl.ts';
import { CHECKSUM_FEATURE, readFeatures, setFeature } from './features.ts';
import { kernelFindings } from './probe-cache.ts';

/** The device and the namespace it lives in. */
export interface OffloadDevice {
  readonly namespace: Namespace;
  readonly link: string;
}

export interface ApplyOffloadOptions extends OffloadDevice {
  readonly mode: OffloadMode;
  /** Where the kernel's findings are kept from one start to the next. */
  readonly cacheFile: string;
  readonly logger: Logger;
  /** Where the kernel's findings come from; the file, then an experiment, if absent. Asked in mode `auto` only. */
  readonly findings?: () => Promise<KernelFindings>;
  /** All links of the namespace; read anew if absent. */
  readonly state?: KernelState;
  /** What is known against a driver; the table of core/offload if absent. */
  readonly faultyDriver?: (driver: string) => FaultyDriver | undefined;
}

/** Idempotent. Tells how the device is now, and why. Throws NetlinkError, isNotFound if there is no such link. */
export async function applyChecksumOffload(options: ApplyOffloadOptions): Promise<ChecksumOffload> {
  const { namespace, link: name, logger } = options;
  const before = isOn(namespace, name);
  const state = options.state ?? readLinks(namespace);
  const link = linkIn(state, name);
  if (link?.detail.type !== 'vxlan' || !isOverlay(ownerOf(link, state)))
    return { offload: before, reason: `link ${name} is not a device of ours: left alone` };
  const wanted = decideChecksumOffload(await gatherFacts(options, state, link));
  if (before === wanted.offload) return wanted;
  if (wanted.offload && options.mode === 'auto')
    return { offload: false, reason: `off since before, which "auto" respects; ${wanted.reason}` };
  setFeature(namespace, name, CHECKSUM_FEATURE, wanted.offload);
  logger.info({ link: name, ...wanted }, 'checksum offload switched');
  return wanted;
}

async function gatherFacts(
  options: ApplyOffloadOptions,
  state: KernelState,
  link: Link,
): Promise<OffloadFacts> {
  const { namespace, mode, cacheFile, logger } = options;
  if (mode !== 'auto') return { mode };
  const suspect = suspectOf(namespace, state, link, options.faultyDriver ?? faultyDriver);
  const findings = await (options.findings?.() ?? kernelFindings({ cacheFile, logger }));
  const kernel = findings[outerFamily(link)];
  return { mode, ...(suspect !== undefined && { suspect }), ...(kernel !== undefined && { kernel }) };
}

function outerFamily({ detail }: Link): IpFamily {
  return detail.type === 'vxlan' && detail.local !== undefined ? familyOf(detail.local) : 4;
}

/** The first link of a doubtful driver among the underlay and, if it is a bond or a bridge, its ports. */
function suspectOf(
  namespace: Namespace,
  state: KernelState,
  { detail }: Link,
  rowOf: typeof faultyDriver,
): OffloadFacts['suspect'] {
  const underlay = detail.type === 'vxlan' ? detail.underlay : undefined;
  if (underlay === undefined) return undefined;
  const ports = [...state.values()].flatMap((object) =>
    object.kind === 'link' && object.master === underlay ? [object.name] : [],
  );
  for (const link of [underlay, ...ports]) {
    const driver = driverIfAny(namespace, link);
    const row = driver === undefined ? undefined : rowOf(driver);
    if (row !== undefined) return { ...row, link };
  }
  return undefined;
}

function driverIfAny(namespace: Namespace, link: string): string | undefined {
  try {
    return driverOf(namespace, link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return undefined; // gone since
    throw error;
  }
}

function readLinks(namespace: Namespace): KernelState {
  using socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace });
  const mirror = new RouteMirror();
  for (const request of dumpRequests(['link'])) {
    for (const message of socket.dump(request, 'dump links')) mirror.apply(message);
  }
  return mirror.state;
}

function isOn(namespace: Namespace, link: string): boolean {
  return readFeatures(namespace, link).get(CHECKSUM_FEATURE) ?? false;
}
