/**
 * The measured process, bundled before it runs and kept as small as an agent is: policy of one node as the agent carries it out, in the
 * namespace at the path it is given. Prints one JSON line with what it took, and keeps the rules in place until its standard input ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { KernelLoop, PolicyKeeper } from '#app/agent/index.ts';
import { POLICY_LOG_GROUP } from '#core/policy/flows/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { isLogHeard } from '#io/flow-log/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { keepHeapSmall, restartSmall } from '#io/memory/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { clusterObjects, localPods, OWN_NODE, podObject, type Sizes } from './content.ts';
import { ListStore } from './list-store.ts';
import { CLIENT, SERVER } from './place.ts';

export interface Measured {
  /** From the first list to all rules in the kernel. */
  readonly startMs: number;
  /** From a pod with another label to the change in the kernel; sorted. */
  readonly changesMs: readonly number[];
  readonly rssMb: number;
}

/** Any but those that packets are sent between. */
function changedPod(turn: number): number {
  const at = (turn * 7919) % sizes.pods;
  return at === SERVER || at === CLIENT ? at + 1 : at;
}

/** As often as a heap is looked at in an agent. */
const HEAP_MS = 5_000;

restartSmall();
using _heap = keepHeapSmall(HEAP_MS);
const [netns = '', sizesText = '', changes = '0'] = process.argv.slice(2);
const sizes = JSON.parse(sizesText) as Sizes;
const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-policy-'));
const stop = new AbortController();
using namespace = openNamespace(netns);
using kernel = RealKernel.open(namespace);
const clock = { clock: systemClock, random: systemRandom };
const logger = pino({ level: 'silent' });
await using loop = new KernelLoop({ ...clock, kernel, owners: [], logger });
const store = new ListStore(clusterObjects(sizes));
await using keeper = new PolicyKeeper({
  ...clock,
  node: OWN_NODE,
  store: store.store,
  loop,
  journalFile: join(folder, 'policy'),
  bridge: 'none',
  links: kernel,
  isLogHeard: () => isLogHeard(namespace, POLICY_LOG_GROUP),
  logger,
  signal: stop.signal,
});
for (const { namespace: space, name, addresses, link } of localPods(sizes))
  keeper.restored({
    part: `poplin:cni:${name}`,
    containerId: name,
    pod: { namespace: space, name },
    addresses,
    link,
  });
const started = performance.now();
await keeper.start();
loop.start();
await keeper.settled();
const startMs = performance.now() - started;
const changesMs: number[] = [];
for (let turn = 0; turn < Number(changes); turn++) {
  const begun = performance.now();
  store.change(podObject(changedPod(turn), sizes, turn));
  await keeper.settled();
  changesMs.push(performance.now() - begun);
}
globalThis.gc?.();
const measured: Measured = {
  startMs,
  changesMs: changesMs.toSorted((a, b) => a - b),
  rssMb: process.memoryUsage.rss() / 2 ** 20,
};
process.stdout.write(`${JSON.stringify(measured)}\n`);
for await (const _ of process.stdin);
stop.abort();
rmSync(folder, { recursive: true, force: true });
