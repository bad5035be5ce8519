/** Where policy's objects lie: one table for what is routed, and one of the bridge family, which may hold the same sets and chains once more. */
import type { IpFamily } from '#base/ip/index.ts';
import {
  type ElementOptions,
  element,
  type KeyPart,
  type NftChain,
  type NftElement,
  type NftRule,
  type NftSet,
  type NftTable,
  type RulePart,
  rule,
} from '#core/nft/index.ts';

export const TABLE = 'poplin-policy';

/** The family of one of policy's tables. */
export type Place = 'inet' | 'bridge';

export function tableAt(place: Place): NftTable {
  return { kind: 'nft-table', family: place, name: TABLE };
}

export type SetShape = Omit<NftSet, 'kind' | 'family' | 'table'>;

export function setAt(place: Place, shape: SetShape): NftSet {
  return { kind: 'nft-set', family: place, table: TABLE, ...shape };
}

export function elementAt(
  place: Place,
  shape: SetShape,
  key: readonly KeyPart[],
  options: ElementOptions = {},
): NftElement {
  return element({ ...shape, family: place, table: TABLE }, key, options);
}

/** Rules are lists of parts; a chain's are made for the table that it lies in. */
export function chainAt(
  place: Place,
  name: string,
  rules: readonly (readonly RulePart[])[],
  hook?: NftChain['hook'],
): NftChain {
  return {
    kind: 'nft-chain',
    family: place,
    table: TABLE,
    name,
    ...(hook !== undefined && { hook }),
    rules: rules.map((parts): NftRule => rule(place, parts)),
  };
}

/** The type of addresses in keys. */
export function addressType(family: IpFamily): 'ipv4_addr' | 'ipv6_addr' {
  return family === 4 ? 'ipv4_addr' : 'ipv6_addr';
}
