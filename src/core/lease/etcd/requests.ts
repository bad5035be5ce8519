/** The transactions of a node's lease: nothing is written unless etcd still holds what the choice was made on. */
import type { EtcdLayout } from './layout.ts';
import type { EtcdSnapshot, WritePlan } from './machine-types.ts';
import type { EtcdCompare, EtcdOp, EtcdTxn } from './ports.ts';

/** So many keys are told of a lost race; where there were more, the list is fetched anew. */
const NEWS_LIMIT = 500;

/**
 * Writes a plan. A new key is made only if no subnet key was created since the snapshot: a key names two subnets, and an overlapping
 * one may sort anywhere, so the comparison covers them all; renewals of others do not disturb it. A key that is there is written
 * only if it is, to the revision, the one that was read. The answer to a lost race says what was created since.
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
      before === undefined
        ? { ...layout.subnets, target: 'create', is: 'less', revision: since }
        : isUntouched(plan.key, before.modRevision),
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
