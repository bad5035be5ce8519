/** The transactions of a node's lease: nothing is written unless etcd still holds what the choice was made on. */
import { networkOf, prefixParts } from '#base/ip/index.ts';
import type { EtcdLayout, SubnetPair } from './layout.ts';
import type { EtcdSnapshot, WritePlan } from './machine-types.ts';
import type { EtcdCompare, EtcdOp, EtcdRange, EtcdTxn } from './ports.ts';

/** So many keys are told of a lost race; where there were more, the list is fetched anew. */
const NEWS_LIMIT = 500;

/**
 * Writes a plan. A new key is made only if no key was created since the snapshot in any place where an overlapping one may be
 * (rivalRanges); renewals of others do not disturb it. A key that is there is written only if it is, to the revision, the one that
 * was read. The answer to a lost race says what was created since.
 */
export function writeTxn(
  layout: EtcdLayout,
  plan: WritePlan,
  snapshot: Pick<EtcdSnapshot, 'revision'>,
  lease: string | undefined,
): EtcdTxn {
  const { before, deletes } = plan;
  const since = snapshot.revision + 1;
  const isUntouched = (key: string, revision: number): EtcdCompare => ({
    key,
    target: 'mod',
    is: 'equal',
    revision,
  });
  const put: EtcdOp = {
    type: 'put',
    key: plan.key,
    value: plan.value,
    ...(lease === undefined ? {} : { lease }),
  };
  return {
    compare: [
      ...(before === undefined
        ? rivalRanges(layout, plan.subnets).map(
            (range): EtcdCompare => ({ ...range, target: 'create', is: 'less', revision: since }),
          )
        : [isUntouched(plan.key, before.modRevision)]),
      ...deletes.map((kv) => isUntouched(kv.key, kv.modRevision)),
    ],
    success: [
      // etcd takes a key once in a transaction: a key is never both deleted and put
      ...deletes.map(({ key }): EtcdOp => ({ type: 'delete', key })),
      put,
    ],
    failure: before === undefined ? [newsOf(layout, since)] : [],
  };
}

function newsOf(layout: EtcdLayout, since: number): EtcdOp {
  return {
    type: 'range',
    ...layout.subnets,
    minCreateRevision: since,
    limit: NEWS_LIMIT,
    sortBy: 'create',
  };
}

/**
 * Where keys are that may overlap these subnets. By its IPv6 part a key may lie anywhere: then it is all of them, and of nodes that
 * come at once one wins at a time. IPv4 comes first in a key, so that IPv4 alone is found by name, and nodes meet only in earnest.
 */
export function rivalRanges(layout: EtcdLayout, { ipv4, ipv6 }: SubnetPair): readonly Required<EtcdRange>[] {
  const { address, length } = prefixParts(ipv4 ?? '0.0.0.0/0');
  const octets = address.split('.').slice(0, length >> 3);
  if (ipv6 !== undefined || octets.length === 0) return [layout.subnets];
  const { key } = layout.subnets;
  // '/' comes after '.'; longer subnets, and all that begin with the same octets
  const inside = { key: `${key}${octets.join('.')}.`, end: `${key}${octets.join('.')}/` };
  const around = Array.from({ length: length - 1 }, (_, index) => {
    const name = `${key}${networkOf(`${address}/${index + 1}`).replace('/', '-')}`;
    // "'" comes after '&': with and without an IPv6 part
    return { key: name, end: `${name}'` };
  });
  return [inside, ...around];
}
