/** What an operator should see in the subnet keys: doubles, and nodes that look alike. */
import { familyBits, familyOf, ipToBigInt, lastIp, prefixParts } from '#base/ip/index.ts';
import { FAMILY_KEYS, type FamilyKey } from '../model.ts';
import { type EtcdIdentity, holderOf, isSameAddress, type StoredSubnet } from './stored.ts';

export type EtcdProblemCode =
  | 'out-of-subnets'
  | 'duplicate-subnet'
  | 'malformed-lease'
  | 'unfit-lease'
  | 'other-owner'
  | 'expired'
  | 'store';

export interface EtcdProblem {
  readonly code: EtcdProblemCode;
  readonly message: string;
  /** The keys concerned. */
  readonly keys: readonly string[];
}

export function problem(code: EtcdProblemCode, message: string, ...keys: string[]): EtcdProblem {
  return { code, message, keys };
}

/** Problems between readable keys; `yielded` is a key that another program has taken over. */
export function namedProblems(
  own: readonly StoredSubnet[],
  others: readonly StoredSubnet[],
  identity: EtcdIdentity,
  yielded: string | undefined,
): EtcdProblem[] {
  const all = [...own, ...others];
  return [
    ...FAMILY_KEYS.flatMap((key) => duplicatesOf(all, key)),
    ...others.flatMap((other) => otherOwner(other, identity, yielded)),
  ];
}

function otherOwner(other: StoredSubnet, identity: EtcdIdentity, yielded: string | undefined): EtcdProblem[] {
  const { kv, value } = other;
  const { node, ownerUid } = identity;
  if (kv.key === yielded) {
    const message = `key ${kv.key} was written over by another program with this node's address ${holderOf(other)}: stop the flannel that does it`;
    return [problem('other-owner', message, kv.key)];
  }
  const remedy = `or delete key ${kv.key} if that machine is gone`;
  if (value.owner?.node === node) {
    const message = `key ${kv.key} is of another machine named ${node} (owner ${value.owner.uid}, this one is ${ownerUid}): give the machines different names, ${remedy}`;
    return [problem('other-owner', message, kv.key)];
  }
  if (!isSameAddress(value, identity)) return [];
  const address = value.publicIp ?? value.publicIpv6;
  const message = `key ${kv.key} of node ${holderOf(other)} has this node's address ${address}: give the nodes different addresses, ${remedy}`;
  return [problem('other-owner', message, kv.key)];
}

/** Keys that overlap in a family: neighbours in address order, compared with the widest before them. */
function duplicatesOf(all: readonly StoredSubnet[], key: FamilyKey): EtcdProblem[] {
  const spans = all
    .flatMap((stored) => {
      const subnet = stored.subnets[key];
      if (subnet === undefined) return [];
      const { address, length } = prefixParts(subnet);
      const bits = familyBits(familyOf(address)) - length;
      return [{ stored, subnet, bits, first: ipToBigInt(address), last: ipToBigInt(lastIp(subnet)) }];
    })
    .toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : b.bits - a.bits));
  const found: EtcdProblem[] = [];
  let widest: (typeof spans)[number] | undefined;
  for (const span of spans) {
    if (widest !== undefined && span.first <= widest.last) {
      const [a, b] = [widest, span];
      const message = `${a.subnet} of ${holderOf(a.stored)} (key ${a.stored.kv.key}) and ${b.subnet} of ${holderOf(b.stored)} (key ${b.stored.kv.key}) overlap`;
      found.push(problem('duplicate-subnet', message, a.stored.kv.key, b.stored.kv.key));
    }
    if (widest === undefined || span.last > widest.last) widest = span;
  }
  return found;
}
