/**
 * The measured process, bundled before it runs, and kept as small as an agent is. For each order on standard input (one JSON line) it
 * enters the namespace at a path and lays the overlay's base; with `nodes` it then takes so many remote subnets as the agent takes its
 * first list: plans them, compares with the kernel, applies. Answers each order with one JSON line.
 */
import { createInterface } from 'node:readline';
import { DesiredState, OVERLAY, plan } from '#core/kernel/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { keepHeapSmall, restartSmall } from '#io/memory/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { baseObjects, type Content, objectsOf, remoteSubnets, UNDERLAY_ADDRESS } from './content.ts';

/** What is to be done; without `nodes` the base alone. */
export interface Order {
  readonly netns: string;
  readonly nodes?: number;
  readonly content?: Content;
}

export interface Answer {
  /** From the list to all objects in the kernel; 0 for the base. */
  readonly us: number;
  /** User and system time of the whole process meanwhile. */
  readonly cpuUs: number;
  readonly error?: string;
}

const OWNERS = [OVERLAY];

restartSmall();
using _heap = keepHeapSmall();
for await (const line of createInterface({ input: process.stdin })) {
  let answer: Answer;
  try {
    answer = await carryOut(JSON.parse(line) as Order);
  } catch (error) {
    answer = { us: 0, cpuUs: 0, error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function carryOut({ netns, nodes, content = 'flannel' }: Order): Promise<Answer> {
  using namespace = openNamespace(netns);
  using kernel = RealKernel.open(namespace);
  const desired = new DesiredState();
  kernel.trackSysctls(['net/ipv4/ip_forward']);
  desired.set('overlay', baseObjects());
  if (nodes === undefined) {
    await kernel.apply([
      { verb: 'add', object: { kind: 'link', name: 'under0', detail: { type: 'bridge' }, up: true } },
      { verb: 'add', object: { kind: 'address', link: 'under0', address: `${UNDERLAY_ADDRESS}/12` } },
    ]);
    await reach(kernel, desired);
    return { us: 0, cpuUs: 0 };
  }
  const remotes = remoteSubnets(nodes);
  const [started, usage] = [performance.now(), process.cpuUsage()];
  for (const remote of remotes) desired.set(`lease ${remote.node}`, objectsOf(remote, content));
  await reach(kernel, desired);
  const us = (performance.now() - started) * 1000;
  const { user, system } = process.cpuUsage(usage);
  const again = await reach(kernel, desired);
  if (again !== 0) throw new Error(`a second plan has ${again} operations`);
  return { us, cpuUs: user + system };
}

async function reach(kernel: RealKernel, desired: DesiredState): Promise<number> {
  const { ops, conflicts } = plan(desired.state, kernel.state(), { owners: OWNERS });
  const { failures } = await kernel.apply(ops);
  const problem = failures[0]?.message ?? conflicts[0]?.message;
  if (problem !== undefined) throw new Error(problem);
  return ops.length;
}
