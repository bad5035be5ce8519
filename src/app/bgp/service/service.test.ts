import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Clock } from '#base/clock.ts';
import { SimClock } from '#testing/sim-clock.ts';
import { BgpService } from './service.ts';

/** Fires a millisecond too soon, as a timer of Node does when Date.now() counts whole milliseconds only. */
function hastyClock(clock: SimClock): Clock {
  return { now: () => clock.now(), setTimeout: (ms, fn) => clock.setTimeout(Math.max(0, ms - 1), fn) };
}

test('what falls due is done, though its timer was too early', async () => {
  const clock = new SimClock();
  const events: string[] = [];
  const speaker = { asn: 65_001, routerId: 1, routes: [], aggregates: [], deferMs: 60_000 };
  const peer = { peerAddress: '192.0.2.1', isPassive: true, families: [{ family: 4 as const }] };
  const neighbors = [{ key: 'peer', session: peer, policy: {} }];
  await using _service = new BgpService(
    { speaker: { ...speaker, neighbors }, listen: { port: 179, addresses: [] } },
    {
      clock: hastyClock(clock),
      random: () => 0,
      isRestarting: true,
      onConverged: () => events.push('converged'),
    },
  );
  clock.advance(59_999);
  await setImmediate();
  expect(events).toEqual([]);
  // The second timer has nothing left to wait for but the rest of the millisecond.
  clock.advance(1);
  await setImmediate();
  clock.advance(1);
  await setImmediate();
  expect(events).toEqual(['converged']);
});
