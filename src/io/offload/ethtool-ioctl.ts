/** SIOCETHTOOL: the driver of a device, and its features on kernels without ethtool netlink. Source: linux/ethtool.h. */
import type { DeviceFeatures } from '#core/netlink/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
/** ETHTOOL_* commands. */
const COMMAND = {
  GDRVINFO: 0x03,
  GSTRINGS: 0x1b,
  GSSET_INFO: 0x37,
  GFEATURES: 0x3a,
  SFEATURES: 0x3b,
} as const;
/** struct ethtool_drvinfo; the driver's name follows the command. */
const DRIVER_BYTES = 196;
const NAME_BYTES = 32;
const ETH_SS_FEATURES = 4;
/** struct ethtool_get_features_block: available, requested, active, never changed. */
const BLOCK_BYTES = 16;

/** The name of the driver, as `ethtool -i` gives it; undefined if the device has none. Throws ENODEV. */
export function driverOf(namespace: Namespace, link: string): string | undefined {
  const command = commandOf(COMMAND.GDRVINFO, DRIVER_BYTES);
  try {
    ethtool(namespace, link, command);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EOPNOTSUPP') return undefined;
    throw error;
  }
  return textAt(command, 4) || undefined;
}

/** As readFeatures of features.ts. Throws SystemCallError, ENODEV if there is no such link. */
export function featuresByIoctl(namespace: Namespace, link: string): DeviceFeatures {
  const names = featureNames(namespace, link);
  const blocks = Math.ceil(names.length / 32);
  const command = commandOf(COMMAND.GFEATURES, 8 + blocks * BLOCK_BYTES, blocks);
  ethtool(namespace, link, command);
  const namesIn = (field: number) =>
    new Set(
      names.filter((name, bit) => {
        const word = viewOf(command).getUint32(8 + (bit >> 5) * BLOCK_BYTES + field * 4, true);
        return name !== '' && ((word >>> (bit & 31)) & 1) === 1;
      }),
    );
  return { changeable: namesIn(0), active: namesIn(2) };
}

/** As setFeature of features.ts, without looking whether it took effect. */
export function switchByIoctl(namespace: Namespace, link: string, name: string, on: boolean): void {
  const names = featureNames(namespace, link);
  const bit = names.indexOf(name);
  if (bit < 0) throw new RangeError(`link ${link}: this kernel knows no feature "${name}"`);
  const blocks = Math.ceil(names.length / 32);
  // Of each block: the valid bits, then what they are to be.
  const command = commandOf(COMMAND.SFEATURES, 8 + blocks * 8, blocks);
  const at = 8 + (bit >> 5) * 8;
  const mask = (1 << (bit & 31)) >>> 0;
  viewOf(command).setUint32(at, mask, true);
  viewOf(command).setUint32(at + 4, on ? mask : 0, true);
  ethtool(namespace, link, command);
}

/** By bit number; empty where the kernel has none. */
function featureNames(namespace: Namespace, link: string): string[] {
  const sizes = commandOf(COMMAND.GSSET_INFO, 20);
  viewOf(sizes).setBigUint64(8, 1n << BigInt(ETH_SS_FEATURES), true);
  ethtool(namespace, link, sizes);
  const count = viewOf(sizes).getUint32(16, true);
  const strings = commandOf(COMMAND.GSTRINGS, 12 + count * NAME_BYTES, ETH_SS_FEATURES, count);
  ethtool(namespace, link, strings);
  return Array.from({ length: count }, (_, at) => textAt(strings, 12 + at * NAME_BYTES));
}

function ethtool(namespace: Namespace, link: string, command: Uint8Array): void {
  const addon = nativeAddon();
  const fd = addon.socket(AF_INET, SOCK_DGRAM, 0, namespace.fd);
  try {
    addon.ethtool(fd, link, command);
  } finally {
    addon.close(fd);
  }
}

function commandOf(command: number, bytes: number, ...words: number[]): Uint8Array {
  const structure = new Uint8Array(bytes);
  for (const [at, word] of [command, ...words].entries()) viewOf(structure).setUint32(at * 4, word, true);
  return structure;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textAt(bytes: Uint8Array, at: number): string {
  const [text = ''] = new TextDecoder('latin1').decode(bytes.subarray(at, at + NAME_BYTES)).split('\0');
  return text;
}
