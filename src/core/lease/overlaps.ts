/** Subnets that overlap, found by one walk in address order. */
import { familyBits, familyOf, type IpPrefix, ipToBigInt, lastIp, prefixParts } from '#base/ip/index.ts';

/** Pairs of items whose subnets overlap: each with the widest before it. */
export function overlapsOf<T>(items: readonly T[], subnetOf: (item: T) => IpPrefix): (readonly [T, T])[] {
  const spans = items
    .map((item) => ({ item, ...spanOf(subnetOf(item)) }))
    .sort((a, b) => a.bits - b.bits || (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const found: (readonly [T, T])[] = [];
  let widest: (typeof spans)[number] | undefined;
  for (const span of spans) {
    if (widest !== undefined && widest.bits === span.bits && span.first <= widest.last)
      found.push([widest.item, span.item]);
    if (widest === undefined || widest.bits !== span.bits || span.last > widest.last) widest = span;
  }
  return found;
}

function spanOf(subnet: IpPrefix): { bits: number; first: bigint; last: bigint } {
  const { address } = prefixParts(subnet);
  return { bits: familyBits(familyOf(subnet)), first: ipToBigInt(address), last: ipToBigInt(lastIp(subnet)) };
}
