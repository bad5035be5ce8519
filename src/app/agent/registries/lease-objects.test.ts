import pino from 'pino';
import { expect, it, vi } from 'vitest';
import { parseNetConf } from '#core/lease/index.ts';
import { RESOURCES } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { LeaseObjects } from './lease-objects.ts';
import { COLLECT_MS } from './source.ts';

it('the leases of other nodes are followed in groups: nobody waits for a single one', async () => {
  const clock = new SimClock();
  const store = new FakeStore({ now: () => new Date(clock.now()) });
  const follow = vi.spyOn(store, 'follow');
  const netConf = parseNetConf('{"Network": "10.5.0.0/16"}', 'test');
  if (!netConf.ok) throw new Error('the configuration is refused');
  await using registry = new LeaseObjects({
    store,
    clock,
    random: () => 0.5,
    logger: pino({ level: 'silent' }),
    node: 'a',
    ownerUid: 'uid-a',
    netConf: netConf.value,
    offer: { backendType: 'udp', ipv4: { publicIp: '192.0.2.1' } },
    publicIps: { ipv4: '192.0.2.1' },
  });
  const ignore = () => {};
  registry.start({
    held: ignore,
    lost: ignore,
    sync: ignore,
    upsert: ignore,
    remove: ignore,
    connection: ignore,
  });
  await settle();
  expect(follow.mock.calls.map(([resource, { collectMs }]) => [resource, collectMs])).toEqual([
    [RESOURCES.leases, COLLECT_MS],
  ]);
});
