import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BGP, type NextHop } from '#core/kernel/index.ts';
import { type KubeObject, type ResourcePath, StoreError } from '#core/store/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { KernelLoop } from '../kernel-loop.ts';
import { BGP_SIGNS, storedKind } from './kinds.ts';
import { BgpPart } from './part.ts';

const [CONFIGURATIONS] = BGP_SIGNS as [ResourcePath];
const STORED = storedKind(CONFIGURATIONS) as ResourcePath;
const CONFIGURATION: KubeObject = {
  apiVersion: 'crd.projectcalico.org/v1',
  kind: 'BGPConfiguration',
  metadata: { name: 'default' },
  spec: {},
};
/** What an agent before this one had learned. */
const LEARNED = {
  kind: 'route',
  dst: '10.10.2.0/24',
  nextHops: [{ via: '10.0.0.2', link: 'eth0' }],
  metric: 1024,
  protocol: BGP.protocol,
} as const;

/** A server that has Calico's kinds as Calico keeps them, or none of them, or does not answer. */
class CalicoStore extends FakeStore {
  mode: 'stored' | 'none' | 'forbidden' | 'away' = 'stored';
  asked = 0;

  override list: FakeStore['list'] = async (place, options) => {
    this.asked++;
    if (this.mode === 'away') throw new StoreError(503, 'ServiceUnavailable', 'come again');
    if (this.mode === 'forbidden') throw new StoreError(403, 'Forbidden', 'not for you');
    const isThere = place.group === '' || (this.mode === 'stored' && place.group === STORED.group);
    if (!isThere) throw new StoreError(404, 'NotFound', 'the server has no such kind');
    return super.list(place, options);
  };
}

class RoutedKernel extends FakeKernel {
  wayTo(): NextHop | undefined {
    return undefined;
  }
}

let store: CalicoStore;
let clock: SimClock;
let kernel: RoutedKernel;
let loop: KernelLoop;
let stop: AbortController;
let part: BgpPart | undefined;

// Loading it takes its time, which is not what is tried here.
beforeAll(() => import('./keeper.ts'), 30_000);
beforeEach(async () => {
  store = new CalicoStore();
  clock = new SimClock();
  stop = new AbortController();
  kernel = new RoutedKernel();
  const logger = pino({ level: 'silent' });
  await kernel.apply([
    { verb: 'add', object: { kind: 'link', name: 'eth0', detail: { type: 'dummy' }, up: true } },
    { verb: 'add', object: { kind: 'address', link: 'eth0', address: '10.0.0.1/24' } },
    { verb: 'add', object: LEARNED },
  ]);
  loop = new KernelLoop({ kernel, owners: [], clock, random: () => 0, logger });
});
afterEach(async () => {
  stop.abort();
  await part?.[Symbol.asyncDispose]();
  await loop[Symbol.asyncDispose]();
});

async function begin(isWanted?: boolean): Promise<BgpPart> {
  part = new BgpPart({
    node: 'node1',
    store,
    loop,
    kernel,
    clock,
    random: () => 0,
    logger: pino({ level: 'silent' }),
    signal: stop.signal,
    ...(isWanted !== undefined && { isWanted }),
  });
  loop.start();
  await settle();
  // What follows a first pass is collected.
  clock.advance(1000);
  await settle();
  return part;
}

const hasLearned = (): boolean => [...kernel.state().values()].some((each) => each.kind === 'route');

describe('where BGP is not wanted', () => {
  it.each<[string, CalicoStore['mode'], boolean | undefined, boolean]>([
    ['by flag, what was learned before is taken off', 'stored', false, false],
    ['for want of the kinds, what was learned before is taken off', 'none', undefined, false],
    ['for want of objects, what was learned before is taken off', 'stored', undefined, false],
    ['for want of rights, what was learned before is taken off', 'forbidden', undefined, false],
    ['as far as is known, what was learned before stays', 'away', undefined, true],
  ])('%s', async (_, mode, isWanted, stays) => {
    store.mode = mode;
    const bgp = await begin(isWanted);
    await expect.poll(hasLearned).toBe(stays);
    expect(bgp.status()).toBeUndefined();
  });

  it('it is looked for once a minute, and begins when it is there', async () => {
    const bgp = await begin();
    expect(bgp.status()).toBeUndefined();
    await store.create(STORED, CONFIGURATION);
    clock.advance(60_000);
    await expect.poll(() => bgp.status()).toMatchObject({ neighbors: [] });
  });
});

it('what was learned before stays until it is known anew', async () => {
  await store.create(STORED, CONFIGURATION);
  const bgp = await begin();
  await expect.poll(() => bgp.status()).toMatchObject({ isRestarting: true });
  expect(hasLearned()).toBe(true);
});

describe('the documentation', () => {
  const folder = join(import.meta.dirname, '../../../../docs');
  it.each(['mesh', 'reflectors', 'leaf-spine', 'unnumbered'])('shows the example %s as it is', (name) => {
    const example = readFileSync(join(folder, `examples/bgp/${name}.yaml`), 'utf8');
    expect(readFileSync(join(folder, 'bgp.md'), 'utf8')).toContain(`\`\`\`yaml\n${example}\`\`\``);
  });
});
