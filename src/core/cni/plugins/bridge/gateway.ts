/**
 * The bridge as gateway: which addresses it must have, and what to do about others it has.
 * The reference implementation fails with `"cni0" already has an IP address different from …`, for ever, once a network's subnet
 * has changed. Here an unused bridge gets its new address; one in use is left alone and the error says what to do.
 */
import {
  familyOf,
  firstIp,
  type IpInterface,
  networkOf,
  offsetIp,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';
import { type Address, addressesOn, CNI, type KernelState, type Link } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import type { CniIp } from '../../spec/result.ts';
import { type BridgeConfig, DEFAULT_BRIDGE } from './config.ts';

/** The gateway of an address where IPAM names none: the first address of its network. */
export function defaultGateway(address: IpInterface): string {
  return offsetIp(firstIp(address), 1);
}

/** The bridge's addresses for these container addresses: each gateway with the network's length, every one once. */
export function gatewayAddresses(bridge: string, ips: readonly CniIp[]): Address[] {
  const wanted = new Set<IpInterface>();
  for (const { address, gateway } of ips) {
    if (gateway !== undefined) wanted.add(`${gateway}/${prefixParts(address).length}`);
  }
  return Array.from(wanted, (address) => {
    return { kind: 'address', link: bridge, address, ...(familyOf(address) === 6 && { noDad: true }) };
  });
}

/** The addresses to take off an existing bridge so that the wanted ones can serve. Throws CniError 113 if that would cut somebody off. */
export function conflictingAddresses(
  config: BridgeConfig,
  link: Link,
  wanted: readonly Address[],
  host: KernelState,
): Address[] {
  const conflicts = addressesOn(host, config.bridge).filter((present) =>
    wanted.some((address) => conflict(present.address, address.address)),
  );
  const foreign = conflicts.filter((present) => !wanted.some((each) => each.address === present.address));
  const first = foreign[0];
  if (first === undefined || config.forceAddress) return foreign;
  const ports = portsOf(config.bridge, host);
  const isCniBridge = link.alias === CNI.alias || config.bridge === DEFAULT_BRIDGE;
  if (ports.length === 0 && isCniBridge) return foreign;
  const texts = wanted.map((address) => address.address).join(' and ');
  const reason =
    ports.length > 0
      ? `${ports.length} interfaces are attached to it: ${ports.slice(0, 5).join(', ')}`
      : 'it was not made by Poplin';
  throw new CniError(
    CNI_ERROR.linkConflict,
    `"${config.bridge}" already has an IP address different from ${texts}: ${first.address}`,
    `${reason}; detach them, set "forceAddress": true, or name another "bridge"`,
  );
}

// IPv4: any other address; IPv6: another address of an overlapping network. A link-local address is never in the way.
function conflict(present: IpInterface, wanted: IpInterface): boolean {
  if (familyOf(present) !== familyOf(wanted) || present === wanted) return false;
  if (familyOf(present) === 4) return true;
  if (prefixContains('fe80::/10', prefixParts(present).address)) return false;
  return (
    prefixContains(networkOf(present), prefixParts(wanted).address) ||
    prefixContains(networkOf(wanted), prefixParts(present).address)
  );
}

function portsOf(bridge: string, host: KernelState): string[] {
  const found: string[] = [];
  for (const object of host.values()) {
    if (object.kind === 'link' && object.master === bridge) found.push(object.name);
  }
  return found.sort();
}
