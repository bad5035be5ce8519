import { describe, expect, it } from 'vitest';
import { EtcdError } from '#core/lease/etcd/index.ts';
import { describeEtcdClient } from '../etcd-contract.ts';
import { SimClock } from '../sim-clock.ts';
import { rejectionOf } from '../thrown.ts';
import { FakeEtcd } from './fake-etcd.ts';

describeEtcdClient('the fake', async () => {
  const clock = new SimClock();
  const etcd = new FakeEtcd(clock);
  return {
    client: etcd.client(),
    compact: () => etcd.compact(),
    pass: (seconds) => clock.advanceAsync(seconds * 1000),
    [Symbol.asyncDispose]: async () => expect(etcd.openWatches).toBe(0),
  };
});

describe('a fake etcd', () => {
  it('can be away, for all or for one, and lose answers to what it has done', async () => {
    const etcd = new FakeEtcd(new SimClock());
    let reachable = false;
    const [one, other] = [etcd.client(() => reachable), etcd.client()];
    expect(await rejectionOf(EtcdError, one.range({ key: 'a' }))).toMatchObject({ mayBeDone: false });
    reachable = true;
    etcd.outage('down');
    expect(await rejectionOf(EtcdError, other.range({ key: 'a' }))).toMatchObject({ failure: 'unavailable' });
    etcd.outage('up');
    etcd.loseAnswers(1);
    const txn = { compare: [], success: [{ type: 'put', key: 'a', value: '1' } as const], failure: [] };
    expect(await rejectionOf(EtcdError, one.txn(txn))).toMatchObject({ mayBeDone: true });
    expect(etcd.entries()).toEqual([['a', '1', '0']]);
  });
});
