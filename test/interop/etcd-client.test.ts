import { afterAll, beforeAll } from 'vitest';
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
