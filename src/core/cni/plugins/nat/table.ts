/** The nf_tables table of CNI, one for both families: what a plugin needs of it, every attachment of that plugin wants. */
import type { IpFamily, IpPrefix } from '#base/ip/index.ts';
import { CNI } from '#core/kernel/index.ts';
import type { NftChain, NftDataType, NftHookName, NftRule, NftSet, NftTable } from '#core/nft/index.ts';
import { type RulePart, rule } from '#core/nft/index.ts';

const FAMILY = 'inet';
const TABLE = CNI.tables[0] as string;

/** As nft's names for them: before connection tracking, where destinations change, where sources do. */
export const PRIORITY = { raw: -300, dstnat: -100, filter: 0, srcnat: 100 } as const;

export const cniTable: NftTable = { kind: 'nft-table', family: FAMILY, name: TABLE };

export const addressType = (family: IpFamily): NftDataType => (family === 4 ? 'ipv4_addr' : 'ipv6_addr');

/** A chain that packets are sent to. */
export function chain(name: string, rules: readonly NftRule[]): NftChain {
  return { kind: 'nft-chain', family: FAMILY, table: TABLE, name, rules };
}

/** A chain that packets come by. */
export function baseChain(
  name: string,
  hook: NftHookName,
  type: 'filter' | 'nat',
  priority: number,
  rules: readonly NftRule[],
): NftChain {
  return { ...chain(name, rules), hook: { hook, priority, type, policy: 'accept' } };
}

export function map(
  name: string,
  keyType: readonly NftDataType[],
  dataType: NonNullable<NftSet['dataType']>,
): NftSet {
  return { kind: 'nft-set', family: FAMILY, table: TABLE, name, keyType, dataType };
}

export const cniRule = (...parts: readonly RulePart[]): NftRule => rule(FAMILY, parts);

/** A prefix in the letters that nft allows in names: `10.1.0.0/16` is itself, `fd00::/64` becomes `fd00__/64`. */
export function prefixName(prefix: IpPrefix): string {
  return prefix.replaceAll(':', '_');
}

export const MULTICAST: Readonly<Record<IpFamily, IpPrefix>> = { 4: '224.0.0.0/4', 6: 'ff00::/8' };
