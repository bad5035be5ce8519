/**
 * The operations of host-local over a store whose lock is held: ADD, DEL, CHECK, STATUS and GC.
 * An ADD that fails leaves nothing reserved.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { ReservedAddresses } from '../../ports.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import type { AttachmentId } from '../../spec/network-config.ts';
import type { CniDns, CniIp, CniResult } from '../../spec/result.ts';
import { type Allocation, allocate, countFree } from './allocate.ts';
import type { HostLocalConfig } from './config.ts';
import { type RangeSet, rangeOf, rangeSetText } from './range.ts';

/** Reserves one address from each range set. Throws CniError 110, 111 or 112; then nothing is reserved. */
export function addHostLocal(
  config: HostLocalConfig,
  owner: AttachmentId,
  addresses: ReservedAddresses,
  dns?: CniDns,
): CniResult {
  refuseDuplicate(config, owner, addresses);
  const wanted = assignRequested(config);
  const ips: CniIp[] = [];
  const reserved: IpAddress[] = [];
  try {
    for (const [index, set] of config.rangeSets.entries()) {
      const given = reserveFrom(set, index, owner, addresses, wanted.get(index));
      reserved.push(given.address);
      ips.push({ address: given.interfaceAddress, gateway: given.gateway });
    }
  } catch (error) {
    for (const address of reserved) addresses.releaseAddress(address);
    throw error;
  }
  return { interfaces: [], ips, routes: config.routes, ...(dns && { dns }) };
}

/** Throws CniError 114 if the attachment holds no address. */
export function checkHostLocal(owner: AttachmentId, addresses: ReservedAddresses): void {
  if (addresses.addressesOf(owner).length > 0) return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    `host-local: no address is reserved for container ${owner.containerId} interface ${owner.ifName}`,
  );
}

/** Throws CniError 50 if some range set has no address left. */
export function statusHostLocal(config: HostLocalConfig, addresses: ReservedAddresses): void {
  const isExhausted = (set: RangeSet) => countFree(set, addresses.taken()) <= 0n;
  let full = config.rangeSets.filter(isExhausted);
  if (full.length > 0 && addresses.reclaim().length > 0) full = full.filter(isExhausted);
  if (full.length === 0) return;
  const texts = full.map(rangeSetText).join(' and ');
  throw new CniError(
    CNI_ERROR.notAvailable,
    `host-local: no IP addresses available in range set: ${texts}`,
    `network ${config.network}, reservations in ${config.dataDir}/${config.network}`,
  );
}

// Specification 1.1.0, "ADD": not twice for one (CNI_CONTAINERID, CNI_IFNAME) without a DEL.
function refuseDuplicate(config: HostLocalConfig, owner: AttachmentId, addresses: ReservedAddresses): void {
  for (const address of addresses.addressesOf(owner)) {
    const index = config.rangeSets.findIndex((set) => rangeOf(set, address) !== undefined);
    if (index < 0) continue;
    throw new CniError(
      CNI_ERROR.duplicateAllocation,
      `failed to allocate for range ${index}: ${address} has been allocated to ${owner.containerId}, duplicate allocation is not allowed`,
      `interface ${owner.ifName}; run DEL first`,
    );
  }
}

/** Which range set each requested address is for: at most one each. Throws CniError 112 if some address fits nowhere. */
function assignRequested(config: HostLocalConfig): ReadonlyMap<number, IpAddress> {
  const wanted = new Map<number, IpAddress>();
  const left: IpAddress[] = [];
  for (const address of config.requested) {
    const index = config.rangeSets.findIndex((set, at) => !wanted.has(at) && rangeOf(set, address));
    if (index < 0) left.push(address);
    else wanted.set(index, address);
  }
  if (left.length === 0) return wanted;
  throw new CniError(
    CNI_ERROR.addressUnavailable,
    `failed to allocate all requested IPs: ${left.join(' ')}`,
    `one address is given from each range set: ${config.rangeSets.map(rangeSetText).join(' and ')}`,
  );
}

function reserveFrom(
  set: RangeSet,
  index: number,
  owner: AttachmentId,
  addresses: ReservedAddresses,
  requested: IpAddress | undefined,
): Allocation {
  const isTaken = (address: IpAddress) => addresses.isTaken(address);
  let mayReclaim = true;
  if (requested !== undefined && isTaken(requested)) {
    addresses.reclaim();
    mayReclaim = false;
  }
  for (;;) {
    const found = allocate(set, { lastReserved: addresses.lastReserved(index), isTaken, requested });
    if (found !== undefined) {
      // Another plugin may have been quicker; then the address is known as taken, and the search goes on.
      if (addresses.reserve(found.address, owner, index)) return found;
    } else if (mayReclaim && addresses.reclaim().length > 0) {
      mayReclaim = false;
    } else {
      throw new CniError(
        CNI_ERROR.addressesExhausted,
        `failed to allocate for range ${index}: no IP addresses available in range set: ${rangeSetText(set)}`,
      );
    }
  }
}
