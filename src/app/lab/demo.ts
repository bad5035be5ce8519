/** The demonstration behind `npm start`: the network of the article on one machine, proved with real packets, and nothing left. */
import { demoTopology, passed, type Reachability, summarise, type Topology } from '#core/lab/index.ts';
import { compareSnapshots, takeSnapshot } from '#io/snapshot/index.ts';
import { programName } from './caller.ts';
import { Interrupt } from './interrupt.ts';
import { LabDir, labsFolder, listLabs } from './lab-dir.ts';
import { type LaunchedLab, LaunchInterrupted, launchLab, takeDown } from './launch.ts';
import { Progress } from './progress.ts';
import { describeLab, describeMatrix, labState, probeLab } from './show.ts';

export interface DemoFlags {
  readonly name: string;
  /** End after the proof. */
  readonly once: boolean;
  /** The result as one JSON line on standard output, everything else on standard error. */
  readonly json: boolean;
}

interface Proof {
  readonly summary: Reachability;
  readonly failures: number;
}

/** Sets the exit status: 0 if every pair passed and the host is as it was, that of the signal if one came before the proof. */
export async function demo(flags: DemoFlags): Promise<void> {
  const started = performance.now();
  const out = flags.json ? process.stderr : process.stdout;
  const say = (text: string) => out.write(`${text}\n`);
  using interrupt = new Interrupt();
  const before = takeSnapshot();
  const topology = { ...demoTopology(), name: flags.name };
  const proof = await runDemo(topology, flags, interrupt, out);
  const differences = compareSnapshots(before, takeSnapshot());
  const leftovers = differences.filter((line) => !isForeign(line, flags.name));
  for (const line of leftovers) say(`left behind: ${line}`);
  if (leftovers.length === 0) say('the host is as it was before');
  process.exitCode = leftovers.length === 0 && proof?.failures === 0 && proof.summary.natFree ? 0 : 1;
  if (proof === undefined && leftovers.length === 0) process.exitCode = interrupt.exitStatus;
  if (!flags.json || proof === undefined) return;
  const result = {
    nodes: topology.nodes.length,
    pods: topology.pods.length,
    ...proof.summary,
    cleanup: leftovers.length === 0 ? 'exact' : leftovers,
    seconds: Math.round((performance.now() - started) / 100) / 10,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** The lab's life, from nothing to nothing; undefined if it was interrupted before all was proved. */
async function runDemo(
  topology: Topology,
  { once }: DemoFlags,
  interrupt: Interrupt,
  out: NodeJS.WriteStream,
): Promise<Proof | undefined> {
  const say = (text: string) => out.write(`${text}\n`);
  const progress = new Progress(out);
  const lab = await launch(topology, interrupt, progress);
  if (lab === undefined) {
    say('interrupted, and cleaned up');
    return undefined;
  }
  try {
    const proof = await prove(lab, interrupt, progress, say);
    if (proof !== undefined && !once) {
      say(whatNext(lab.dir));
      await Promise.race([interrupt.promise, lab.ended]);
      say('');
    }
    return proof;
  } finally {
    progress.step('cleaning up');
    await takeDown(topology.name);
    progress.end();
  }
}

/** The lab, or undefined if it was interrupted and is gone again. */
async function launch(
  topology: Topology,
  interrupt: Interrupt,
  progress: Progress,
): Promise<LaunchedLab | undefined> {
  try {
    return await launchLab(topology, {
      progress: (step) => progress.step(step),
      signal: interrupt.signal,
      tied: true,
    });
  } catch (error) {
    if (error instanceof LaunchInterrupted) return undefined;
    throw error;
  } finally {
    progress.end();
  }
}

/** Shows the lab and what its probes find; undefined if it was interrupted before. */
async function prove(
  { dir }: LaunchedLab,
  interrupt: Interrupt,
  progress: Progress,
  say: (text: string) => void,
): Promise<Proof | undefined> {
  const state = await untilInterrupted(labState(dir.name), interrupt);
  if (state === undefined) return undefined;
  say(`\n${describeLab(state)}\n`);
  progress.step('every pair, IPv4 and IPv6, with real packets: ✓ reached in both, · not asked');
  const probed = await untilInterrupted(probeLab(dir.name), interrupt);
  progress.end();
  if (probed === undefined) return undefined;
  say(`\n${describeMatrix(probed)}\n`);
  const summary = summarise(probed.outcomes);
  const good = probed.outcomes.filter(passed).length;
  const nat = summary.natFree ? 'every target saw the source’s own address' : 'some sources were translated';
  say(`${good} of ${probed.outcomes.length} probes passed; ${nat}`);
  return { summary, failures: probed.outcomes.length - good };
}

/** What the work gives, or undefined as soon as a signal comes; then nobody waits for the work, or hears of its failure. */
function untilInterrupted<T>(work: Promise<T>, interrupt: Interrupt): Promise<T | undefined> {
  const heard = work.catch((error: unknown) =>
    interrupt.signal.aborted ? undefined : Promise.reject(error),
  );
  return Promise.race([heard, interrupt.promise.then(() => undefined)]);
}

/** True for a difference that this lab cannot have made: another lab's files, or a network namespace of another name. */
function isForeign(line: string, name: string): boolean {
  const namespace = /\/run\/netns\/(\S+)/.exec(line)?.[1];
  if (namespace !== undefined) return !namespace.startsWith(`poplin-${name}-`);
  const path = line.split(/: [+-] /)[1] ?? '';
  if (path.startsWith(`${labsFolder()}/`)) return !`${path}/`.startsWith(`${new LabDir(name).path}/`);
  // As long as there are other labs, what all labs share stays.
  const isShared = labsFolder().startsWith(path) || path.includes('/run/netns');
  return isShared && listLabs().length > 0;
}

function whatNext({ name }: LabDir): string {
  const program = programName();
  const lab = name === 'demo' ? '' : ` --lab ${name}`;
  const named = name === 'demo' ? '' : ` ${name}`;
  const rows: readonly (readonly [string, string])[] = [
    [`lab status${named}`, 'what is where'],
    [`lab exec${lab} pod1 -- ip route`, 'look around in a pod'],
    [`lab exec${lab} node1 -- ip -d link show flannel.1`, 'the node’s end of the overlay'],
    [`lab exec${lab} node1 -- ip link del flannel.1`, 'break it: the agent puts it back'],
    [`lab exec${lab} fabric -- ip link set port2 down`, 'pull the cable of node3 (up plugs it in)'],
    [`lab matrix${named}`, 'and see who reaches whom'],
    [`lab exec${lab} fabric -- kubectl get nodes,pods -A`, 'the API, if kubectl is there'],
  ];
  const width = Math.max(...rows.map(([command]) => command.length));
  return [
    '',
    'The lab stays up. In another terminal:',
    ...rows.map(([command, what]) => `  ${program} ${command.padEnd(width)}  ${what}`),
    'Ctrl-C here cleans up.',
  ].join('\n');
}
