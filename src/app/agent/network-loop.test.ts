/** Two networks' agents in one namespace. */
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { describeObject, keyOf, overlayOwner } from '#core/kernel/index.ts';
import { vxlanBackend } from '#core/overlay/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { SimClock } from '#testing/sim-clock.ts';
import { KernelLoop } from './kernel-loop.ts';
import { loopOfNetwork } from './network-loop.ts';

const UNDERLAY = { link: 'eth0', mtuBytes: 1500, prefixes: [], advertisedLinks: [] };
const VXLAN = { type: 'vxlan', port: 8472, gbp: false, directRouting: false, learning: false } as const;

function startNetwork(kernel: FakeKernel, clock: SimClock, network: number): KernelLoop {
  const logger = pino({ level: 'silent' });
  const loop = new KernelLoop({ kernel, owners: [overlayOwner(network)], clock, random: () => 0, logger });
  const backend = vxlanBackend({ ...VXLAN, vni: network + 1 }, { ...UNDERLAY, network });
  const local = { node: 'a', family: 4, subnet: `10.${network}.1.0/24`, publicIp: '192.0.2.1' } as const;
  const remote = { ...local, node: 'b', subnet: `10.${network}.2.0/24`, publicIp: '192.0.2.2' };
  const backendData = { VNI: network + 1, VtepMAC: '02:00:00:00:00:02' };
  const marked = loopOfNetwork(loop, network);
  marked.want('overlay', backend.planLocal([local]));
  marked.want('b', backend.planRemote({ ...remote, backendData }) as never[]);
  marked.start();
  return loop;
}

const settled = (loop: KernelLoop) => Promise.all(['overlay', 'b'].map((part) => loop.inPlace(part)));

it('two networks leave each other alone, each mends its own, and one goes without a trace', async () => {
  const clock = new SimClock();
  const kernel = new FakeKernel();
  await kernel.apply([
    { verb: 'add', object: { kind: 'link', name: 'eth0', detail: { type: 'dummy' }, up: true } },
    { verb: 'add', object: { kind: 'address', link: 'eth0', address: '192.0.2.1/24' } },
  ]);
  const first = startNetwork(kernel, clock, 0);
  await settled(first);
  const alone = [...kernel.state().keys()].sort();
  const second = startNetwork(kernel, clock, 1);
  await settled(second);
  for (const loop of [first, second]) expect(loop.status()).toMatchObject({ conflicts: [], failures: [] });
  for (const loop of [first, second])
    for (const [key, object] of loop.desired.state)
      expect(kernel.state().has(key), describeObject(object)).toBe(true);

  const opsBefore = first.status().ops;
  const broken = [...second.desired.state.values()].filter(
    ({ kind }) => kind === 'route' || kind === 'neighbour' || kind === 'nft-chain',
  );
  await kernel.apply(broken.map((object) => ({ verb: 'remove', object })));
  await settled(second);
  for (const object of broken) expect(kernel.state().has(keyOf(object)), describeObject(object)).toBe(true);
  expect(first.status().ops).toBe(opsBefore);

  for (const part of ['overlay', 'b']) second.want(part, []);
  second.trigger();
  await clock.advanceAsync(2000);
  expect([...kernel.state().keys()].sort()).toEqual(alone);
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});
