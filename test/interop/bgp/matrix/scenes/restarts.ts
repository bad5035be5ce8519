/** Either side is killed and comes back, while packets go through the kernel on the routes that it left. */
import { expect, vi } from 'vitest';
import { type FeatureId, partOf } from '../features.ts';
import { type Ours, WAIT } from '../ours.ts';
import { FAMILIES } from '../plan.ts';
import { Pings } from '../traffic.ts';
import { PEER_PREFIXES, type Run, TO_US, US_PREFIXES, type World } from '../world.ts';

/** The first address behind each side, one pair for each family. */
const US_TO_PEER = [
  ['10.201.0.1', '10.202.0.1'],
  ['fd00:201::1', 'fd00:202::1'],
] as const;
const PEER_TO_US = US_TO_PEER.map(([us, peer]) => [peer, us] as const);
const LONG = 65_535 * 65_536 + 6;
const RESTART_SEC = 60;
const ANSWERS = 20;

/** GoBGP and ExaBGP leave the kernel alone: their side's way to us is there by hand. */
function pave({ lan, name }: World): void {
  if (name === 'BIRD' || name === 'FRR') return;
  for (const [prefix, via] of [
    [US_PREFIXES[4], '10.77.0.1'],
    [US_PREFIXES[6], 'fd00:77::1'],
  ])
    lan.ip('peer', `route replace ${prefix} via ${via}`);
}

/** Both are told: one who restarts may take its time. */
async function learned(us: Ours): Promise<void> {
  for (const family of FAMILIES) await us.route(PEER_PREFIXES[family]);
}

const restartOfPeer: Run = async (world) => {
  await world.plan([{ ...TO_US, restart: { timeSec: RESTART_SEC } }]);
  pave(world);
  await using us = world.us({}, { restart: { timeSec: RESTART_SEC } }, true);
  await learned(us);
  using pings = new Pings(world.lan, 'us', US_TO_PEER);
  await pings.answers(ANSWERS);
  const staleness = () => FAMILIES.map((family) => us.paths(PEER_PREFIXES[family])[0]?.staleness);
  await world.peer.kill();
  await us.until('its routes do not grow stale', () => staleness().every((each) => each === 'stale'));
  await pings.answers(ANSWERS);
  await world.peer.comeBack();
  await us.until('its routes stay stale', () => staleness().every((each) => each === 'fresh'));
  await pings.answers(ANSWERS);
  const [lost4, lost6] = await pings.lost();
  expect(lost4).toBe(0);
  if (partOf('restartOfPeer', world.name) === undefined) expect(lost6).toBe(0);
};

const restartOfOurs: Run = async (world) => {
  await world.plan([{ ...TO_US, restart: { timeSec: RESTART_SEC } }]);
  pave(world);
  const restart = { timeSec: RESTART_SEC };
  await using us = world.us({}, { restart }, true);
  await learned(us);
  using pings = new Pings(world.lan, 'peer', PEER_TO_US);
  await pings.answers(ANSWERS);
  await us.drop();
  await pings.answers(ANSWERS);
  const arePresent = () => FAMILIES.map((family) => world.peer.routes(US_PREFIXES[family]).length > 0);
  expect(arePresent()).toEqual([true, true]);
  await using next = world.us({}, { restart }, true, true);
  await next.up('peer');
  await next.until('it waits for the peer', () => next.isConverged);
  await pings.answers(ANSWERS);
  expect(arePresent()).toEqual([true, true]);
  expect(await pings.lost()).toEqual([0, 0]);
};

const longLivedOfPeer: Run = async (world) => {
  await world.plan([{ ...TO_US, restart: { timeSec: 1, longSec: RESTART_SEC } }]);
  pave(world);
  const restart = { timeSec: RESTART_SEC, longStaleTimeSec: RESTART_SEC };
  await using us = world.us({}, { restart }, true);
  await learned(us);
  using pings = new Pings(world.lan, 'us', US_TO_PEER);
  await pings.answers(ANSWERS);
  await world.peer.kill();
  for (const family of FAMILIES) {
    await us.until(
      'it is not stale for long',
      () => us.paths(PEER_PREFIXES[family])[0]?.staleness === 'long-stale',
    );
    expect(us.paths(PEER_PREFIXES[family])[0]?.attributes?.communities).toContain(LONG);
  }
  await pings.answers(ANSWERS);
  await world.peer.comeBack();
  for (const family of FAMILIES)
    await us.until('it stays stale', () => us.paths(PEER_PREFIXES[family])[0]?.staleness === 'fresh');
  expect(await pings.lost()).toEqual([0, 0]);
};

const longLivedOfOurs: Run = async (world) => {
  await world.plan([{ ...TO_US, restart: { timeSec: RESTART_SEC, longSec: RESTART_SEC } }]);
  const restart = { timeSec: 1, longStaleTimeSec: RESTART_SEC };
  await using us = world.us({}, { restart });
  await us.up('peer');
  const isStale = (family: 4 | 6) =>
    world.peer.routes(US_PREFIXES[family]).some((route) => route.communities.some(isLongStale));
  const isThere = (family: 4 | 6) => world.peer.routes(US_PREFIXES[family]).length > 0;
  await us.until('the peer has no routes', () => FAMILIES.every(isThere));
  await us.drop();
  await vi.waitFor(() => expect(FAMILIES.map(isStale)).toEqual([true, true]), WAIT);
  await using next = world.us({}, { restart }, false, true);
  await next.up('peer');
  await next.until('they stay stale', () => !FAMILIES.some(isStale));
  expect(FAMILIES.map(isThere)).toEqual([true, true]);
};

function isLongStale(community: string): boolean {
  return community === '65535:6' || community === 'llgrStale';
}

export const RESTART_RUNS = {
  restartOfPeer,
  restartOfOurs,
  longLivedOfPeer,
  longLivedOfOurs,
} as const satisfies Partial<Record<FeatureId, Run>>;
