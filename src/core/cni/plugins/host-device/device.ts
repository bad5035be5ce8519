/** Which link of the host is meant: by name, MAC address, path of the kernel's device, or PCI address (also from the runtime). */
import { z } from 'zod';
import type { MacAddress } from '#base/ip/index.ts';
import { isAttachmentLink, type KernelState, type Link, linkIn } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError, type CniErrorCode } from '../../spec/error.ts';
import { macField } from '../../spec/fields.ts';
import { decodeWith } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';

export type DeviceWish =
  | { readonly by: 'device'; readonly name: string }
  | { readonly by: 'hwaddr'; readonly mac: MacAddress }
  | { readonly by: 'kernelpath'; readonly path: string }
  | { readonly by: 'pciBusID'; readonly address: string };

const PCI_DEVICES = '/sys/bus/pci/devices';
const PCI_DRIVERS = '/sys/bus/pci/drivers';
const USERSPACE_DRIVERS = ['vfio-pci', 'uio_pci_generic', 'igb_uio'];
const PCI_ADDRESS = /^[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]$/;

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  device: z.string().default(''),
  hwaddr: macField.optional(),
  kernelpath: z.string().default(''),
  pciBusID: z.string().default(''),
  runtimeConfig: z.looseObject({ deviceID: z.string().default('') }).optional(),
});

/** Throws CniError 7 if no device is named, or one that cannot be. */
export function parseDevice(network: NetworkConfig): DeviceWish {
  const keys = decodeWith(schema, network.json, 'invalid network config');
  const address = keys.runtimeConfig?.deviceID || keys.pciBusID;
  if (keys.device !== '') return { by: 'device', name: keys.device };
  if (keys.hwaddr !== undefined) return { by: 'hwaddr', mac: keys.hwaddr };
  if (keys.kernelpath !== '') return { by: 'kernelpath', path: kernelPath(keys.kernelpath) };
  if (PCI_ADDRESS.test(address)) return { by: 'pciBusID', address };
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'invalid network config',
    address === ''
      ? 'specify either "device", "hwaddr", "kernelpath" or "pciBusID"'
      : `pciBusID: ${JSON.stringify(address)} is no PCI address such as 0000:01:00.0`,
  );
}

function kernelPath(path: string): string {
  if (path.startsWith('/sys/devices/') && !path.split('/').includes('..')) return path;
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'invalid network config',
    `kernelpath: ${JSON.stringify(path)} must be absolute and begin with /sys/devices/`,
  );
}

/** The folders that tell which link a device is, and which driver holds it. Never throws. */
export function deviceFolders(network: NetworkConfig): string[] {
  let wish: DeviceWish;
  try {
    wish = parseDevice(network);
  } catch {
    return []; // ADD says what is wrong
  }
  if (wish.by === 'kernelpath') return [`${wish.path}/net`];
  if (wish.by !== 'pciBusID') return [];
  const device = `${PCI_DEVICES}/${wish.address}`;
  const virtio = Array.from({ length: 16 }, (_, at) => `${device}/virtio${at}/net`);
  return [`${device}/net`, ...virtio, ...USERSPACE_DRIVERS.map((driver) => `${PCI_DRIVERS}/${driver}`)];
}

/** True for a PCI device that has no link because a driver in userspace works it. */
export function isOfUserspaceDriver(
  wish: DeviceWish,
  folders: ReadonlyMap<string, readonly string[]>,
): boolean {
  if (wish.by !== 'pciBusID') return false;
  return USERSPACE_DRIVERS.some((driver) => folders.get(`${PCI_DRIVERS}/${driver}`)?.includes(wish.address));
}

/** The link that is meant. Throws CniError 7, or the code given, if there is none, or if it is none to give away. */
export function findDevice(
  wish: DeviceWish,
  host: KernelState,
  folders: ReadonlyMap<string, readonly string[]>,
  code: CniErrorCode = CNI_ERROR.invalidNetworkConfig,
): Link {
  const link = lookFor(wish, host, folders);
  if (link === undefined) throw new CniError(code, `failed to find host device: ${textOf(wish)}`);
  if (link.name !== 'lo' && !isAttachmentLink(link)) return link;
  throw new CniError(code, `${textOf(wish)}: ${link.name} is not to be given away`);
}

function lookFor(
  wish: DeviceWish,
  host: KernelState,
  folders: ReadonlyMap<string, readonly string[]>,
): Link | undefined {
  if (wish.by === 'device') return linkIn(host, wish.name);
  if (wish.by === 'hwaddr') {
    for (const object of host.values()) if (object.kind === 'link' && object.mac === wish.mac) return object;
    return undefined;
  }
  for (const [path, names] of folders) {
    if (!path.endsWith('/net')) continue;
    for (const name of names) {
      const link = linkIn(host, name);
      if (link !== undefined) return link;
    }
  }
  return undefined;
}

function textOf(wish: DeviceWish): string {
  switch (wish.by) {
    case 'device':
      return `device ${wish.name}`;
    case 'hwaddr':
      return `hwaddr ${wish.mac}`;
    case 'kernelpath':
      return `kernelpath ${wish.path}`;
    case 'pciBusID':
      return `pciBusID ${wish.address}`;
  }
}
