import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '#io/clock/index.ts';
import { connectEtcd } from '#io/etcd/index.ts';
import { describeEtcdClient } from '#testing/etcd-contract.ts';
import { EtcdServer } from './etcd-server.ts';

let server: EtcdServer;
beforeAll(async () => {
  server = await EtcdServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

describeEtcdClient("the client of Debian's etcd", async () => {
  await server.ctl('del', '', '--from-key');
  const client = connectEtcd({ endpoints: [server.url] }, { clock: systemClock });
  return {
    client,
    compact: () => server.compact(),
    pass: async () => {},
    [Symbol.asyncDispose]: async () => client[Symbol.dispose](),
  };
});

it('brings what comes while a watch rests at once, in its order', async () => {
  const [events, collectMs] = [60, 150];
  using client = connectEtcd({ endpoints: [server.url] }, { clock: systemClock });
  const { revision } = await client.range({ key: 'rest/' });
  const stopping = new AbortController();
  const writing = (async () => {
    for (let n = 0; n < events; n++) {
      await client.txn({ compare: [], success: [{ type: 'put', key: `rest/${n}`, value: '' }], failure: [] });
      await sleep(5);
    }
  })();
  const keys: string[] = [];
  const arrivedMs: number[] = [];
  const range = { key: 'rest/', end: 'rest0', startRevision: revision + 1 };
  for await (const batch of client.watch(range, { signal: stopping.signal, collectMs })) {
    for (const event of batch.events) {
      keys.push(event.type === 'put' ? event.kv.key : event.key);
      arrivedMs.push(performance.now());
    }
    if (keys.length >= events) break;
  }
  await writing;
  expect(keys).toEqual(Array.from({ length: events }, (_, n) => `rest/${n}`));
  const groups = arrivedMs.filter((at, n) => n === 0 || at - (arrivedMs[n - 1] as number) > collectMs / 2);
  expect(groups.length).toBeGreaterThan(1);
  // However slowly etcd writes: one group in each rest.
  const elapsedMs = (arrivedMs.at(-1) as number) - (arrivedMs[0] as number);
  expect(groups.length).toBeLessThanOrEqual(elapsedMs / collectMs + 2);
});
