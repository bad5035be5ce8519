/** flannel's /run/flannel/subnet.env: how other software on the host learns the node's subnet. */
import {
  type IpFamily,
  type IpPrefix,
  networkOf,
  offsetIp,
  parsePrefix,
  prefixParts,
} from '#base/ip/index.ts';
import type { SubnetLease } from './model.ts';
import type { NetConf } from './net-conf.ts';

/** What subnet.env says. A node of one family has the other's networks empty and its subnet absent. */
export interface SubnetEnv {
  /** FLANNEL_NETWORK, which may list several. */
  readonly network: readonly IpPrefix[];
  /** FLANNEL_SUBNET, without the host bits it is written with. */
  readonly subnet?: IpPrefix;
  readonly ipv6Network: readonly IpPrefix[];
  readonly ipv6Subnet?: IpPrefix;
  readonly mtuBytes: number;
  readonly ipMasq: boolean;
}

/** A subnet.env that lacks something, or says something that cannot be. */
export class SubnetEnvError extends Error {
  override readonly name = 'SubnetEnvError';
}

/** The file's text. The subnet is written as flannel writes it: the first usable address with the subnet's length. */
export function encodeSubnetEnv(
  netConf: NetConf,
  lease: SubnetLease,
  mtuBytes: number,
  ipMasq: boolean,
): string {
  const lines: string[] = [];
  if (netConf.ipv4 && lease.ipv4) {
    lines.push(`FLANNEL_NETWORK=${netConf.ipv4.network}`, `FLANNEL_SUBNET=${hostForm(lease.ipv4.subnet)}`);
  }
  if (netConf.ipv6 && lease.ipv6) {
    lines.push(
      `FLANNEL_IPV6_NETWORK=${netConf.ipv6.network}`,
      `FLANNEL_IPV6_SUBNET=${hostForm(lease.ipv6.subnet)}`,
    );
  }
  lines.push(`FLANNEL_MTU=${mtuBytes}`, `FLANNEL_IPMASQ=${ipMasq}`);
  return `${lines.join('\n')}\n`;
}

/**
 * Reads the file's text; `file` is its name, for errors. Throws SubnetEnvError with everything that is missing, as flannel's plugin
 * says it (`/run/flannel/subnet.env is missing FLANNEL_MTU, FLANNEL_IPMASQ`), or with the first value that cannot be read. Lines
 * of other names, empty lines and comments are passed over; of two lines of one name the last counts.
 */
export function decodeSubnetEnv(text: string, file: string): SubnetEnv {
  const values = valuesOf(text);
  requireAll(values, file);
  const read = <T>(
    name: string,
    reader: (value: string) => T | undefined,
    expected: string,
  ): T | undefined => {
    const value = values.get(name);
    if (value === undefined) return undefined;
    const result = reader(value);
    if (result !== undefined) return result;
    throw new SubnetEnvError(`${file}: ${name} is ${JSON.stringify(value)}, not ${expected}`);
  };
  const subnet = read('FLANNEL_SUBNET', prefixReader(4), 'an IPv4 subnet like 10.244.1.1/24');
  const ipv6Subnet = read('FLANNEL_IPV6_SUBNET', prefixReader(6), 'an IPv6 subnet like fd00:10:244:1::1/64');
  return {
    network: read('FLANNEL_NETWORK', listReader(4), 'IPv4 networks like 10.244.0.0/16') ?? [],
    ...(subnet !== undefined && { subnet }),
    ipv6Network: read('FLANNEL_IPV6_NETWORK', listReader(6), 'IPv6 networks like fd00:10:244::/48') ?? [],
    ...(ipv6Subnet !== undefined && { ipv6Subnet }),
    mtuBytes: read('FLANNEL_MTU', readMtu, 'a number of bytes from 1 to 65535') as number,
    ipMasq: read('FLANNEL_IPMASQ', readBoolean, 'true or false') as boolean,
  };
}

function valuesOf(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*(FLANNEL_[A-Z0-9_]+)=(.*)$/.exec(line.trimEnd()) ?? [];
    if (name !== undefined && value !== undefined && value !== '') values.set(name, value);
  }
  return values;
}

/** One family's network and subnet are enough, but both of them, and of the same family. */
function requireAll(values: ReadonlyMap<string, string>, file: string): void {
  const has = (name: string) => values.has(name);
  const missing: string[] = [];
  for (const what of ['NETWORK', 'SUBNET']) {
    const names = [`FLANNEL_${what}`, `FLANNEL_IPV6_${what}`] as const;
    if (!names.some(has)) missing.push(...names);
  }
  if (missing.length === 0) {
    for (const family of ['', 'IPV6_']) {
      const names = [`FLANNEL_${family}NETWORK`, `FLANNEL_${family}SUBNET`];
      if (names.some(has)) missing.push(...names.filter((name) => !has(name)));
    }
  }
  missing.push(...['FLANNEL_MTU', 'FLANNEL_IPMASQ'].filter((name) => !has(name)));
  if (missing.length > 0) throw new SubnetEnvError(`${file} is missing ${missing.join(', ')}`);
}

function prefixReader(family: IpFamily): (value: string) => IpPrefix | undefined {
  return (value) => {
    return parsePrefix(value)?.family === family ? networkOf(value) : undefined;
  };
}

function listReader(family: IpFamily): (value: string) => IpPrefix[] | undefined {
  const readOne = prefixReader(family);
  return (value) => {
    const prefixes = value.split(',').map((part) => readOne(part.trim()));
    return prefixes.every((prefix) => prefix !== undefined) ? prefixes : undefined;
  };
}

function readMtu(value: string): number | undefined {
  const mtuBytes = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  return mtuBytes >= 1 && mtuBytes <= 65_535 ? mtuBytes : undefined;
}

function readBoolean(value: string): boolean | undefined {
  return value === 'true' ? true : value === 'false' ? false : undefined;
}

/** The first usable address of a subnet, with its length: 10.244.3.1/24. */
export function hostForm(subnet: IpPrefix): string {
  const { address, length } = prefixParts(subnet);
  return `${offsetIp(address, 1)}/${length}`;
}
