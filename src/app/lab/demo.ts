/** The demonstration behind `npm start`: the network of the article on one machine, proved with real packets, and nothing left. */
import { demoTopology, drawMatrix, passed, summarise } from '#core/lab/index.ts';
import { compareSnapshots, takeSnapshot } from '#io/snapshot/index.ts';
import { describeLab, probeLab } from './command.ts';
import { callControl } from './control.ts';
import type { LabDir } from './lab-dir.ts';
import { launchLab, takeDown } from './launch.ts';
import type { LabState } from './supervisor.ts';

export interface DemoFlags {
  /** End after the proof. */
  readonly once: boolean;
  /** The result as one JSON line on standard output, everything else on standard error. */
  readonly json: boolean;
}

/** Sets the exit status: 0 if every pair passed and the host is as it was. */
export async function demo(flags: DemoFlags): Promise<void> {
  const started = performance.now();
  const say = (text: string) => (flags.json ? process.stderr : process.stdout).write(`${text}\n`);
  const before = takeSnapshot();
  const topology = demoTopology();
  const interrupted = waitForInterrupt();
  const dir = await launchLab(topology, (step) => say(`▸ ${step}`));
  try {
    const { summary, failures } = await show(dir, say);
    if (!flags.once) {
      say(NEXT);
      await interrupted.promise;
      say('cleaning up');
    }
    await takeDown(topology.name);
    const leftovers = compareSnapshots(before, takeSnapshot());
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    for (const line of leftovers) say(`left behind: ${line}`);
    if (leftovers.length === 0) say('the host is as it was before');
    const cleanup = leftovers.length === 0 ? 'exact' : leftovers;
    const result = { nodes: topology.nodes.length, pods: topology.pods.length, ...summary, cleanup, seconds };
    if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    process.exitCode = failures === 0 && summary.natFree && leftovers.length === 0 ? 0 : 1;
  } finally {
    interrupted.stop();
    await takeDown(topology.name);
  }
}

async function show(dir: LabDir, say: (text: string) => void) {
  const state = await callControl<LabState>(dir.file('control.sock'), 'GET', '/state');
  say(`\n${describeLab(state)}\n`);
  say('▸ every pair, IPv4 and IPv6, with real packets');
  const { endpoints, outcomes } = await probeLab(dir.name);
  const summary = summarise(outcomes);
  const failed = outcomes.filter((outcome) => !passed(outcome));
  say(`\n${drawMatrix(endpoints, outcomes)}\n`);
  for (const { probe, seen, reason } of failed) {
    say(
      `${probe.source.name} → ${probe.target.name} ${probe.address}: ${seen === undefined ? reason : `seen as ${seen}`}`,
    );
  }
  const { podToPod, podToNode, nodeToPod } = summary;
  const passedCount = podToPod.passed + podToNode.passed + nodeToPod.passed;
  say(
    `${passedCount} of ${outcomes.length} probes passed; ${summary.natFree ? 'every target saw the source’s own address' : 'some sources were translated'}`,
  );
  return { summary, failures: failed.length };
}

const NEXT = `
The lab stays up. In another terminal:
  poplin lab status                         what is where
  poplin lab exec pod1 -- ip route          look around in a pod
  poplin lab exec node1 -- ip -d link show flannel.1
  poplin lab matrix                         probe again, after breaking something
Ctrl-C here cleans up.`;

/** Ctrl-C and SIGTERM end the wait instead of the process, so that the lab is taken down. */
function waitForInterrupt(): { promise: Promise<void>; stop: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const onSignal = () => resolve();
  for (const signal of signals) process.on(signal, onSignal);
  return { promise, stop: () => signals.forEach((signal) => process.off(signal, onSignal)) };
}
