/**
 * The measured process, bundled before it runs, and kept as small as an agent is. For each order on standard input (one JSON line) it
 * enters the namespace at a path and lays the overlay's base; with `nodes` it then takes so many remote subnets as the agent takes its
 * first list: plans them, compares with the kernel, applies. With `raw` it only sends the same messages, made beforehand: what that takes
 * is the kernel's own time. Answers each order with one JSON line.
 */
import { createInterface } from 'node:readline';
import { DesiredState, OVERLAY, plan } from '#core/kernel/index.ts';
import { decodeLink, encodeOp, linkRequest } from '#core/netlink/index.ts';
import { KernelSession, RealKernel } from '#io/kernel/index.ts';
import { keepHeapSmall, restartSmall } from '#io/memory/index.ts';
import { type Namespace, openNamespace } from '#io/namespace/index.ts';
import { baseObjects, type Content, objectsOf, remoteSubnets, UNDERLAY_ADDRESS } from './content.ts';

/** What is to be done; without `nodes` the base alone. */
export interface Order {
  readonly netns: string;
  readonly nodes?: number;
  readonly content?: Content;
  /** Nothing but to send; what is no message of rtnetlink is left out. */
  readonly raw?: boolean;
}

export interface Answer {
  /** From the list to all objects in the kernel; 0 for the base. */
  readonly us: number;
  /** User and system time of the whole process meanwhile. */
  readonly cpuUs: number;
  readonly error?: string;
}

const OWNERS = [OVERLAY];
const NEVER_MS = 2 ** 31 - 1;

restartSmall();
// Nothing is given back between rounds: that would throw away what was compiled, and each round would be a first one.
using _heap = keepHeapSmall(NEVER_MS);
for await (const line of createInterface({ input: process.stdin })) {
  let answer: Answer;
  try {
    answer = await carryOut(JSON.parse(line) as Order);
  } catch (error) {
    answer = { us: 0, cpuUs: 0, error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function carryOut({ netns, nodes, content = 'flannel', raw = false }: Order): Promise<Answer> {
  using namespace = openNamespace(netns);
  if (nodes !== undefined && raw) return send(namespace, nodes, content);
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

function send(namespace: Namespace, nodes: number, content: Content): Answer {
  using route = KernelSession.openRouteSocket(namespace);
  const [device] = route.requestSync(linkRequest('flannel.1'), 'link flannel.1');
  const index = device === undefined ? undefined : decodeLink(device).index;
  const objects = remoteSubnets(nodes).flatMap((remote) => objectsOf(remote, content));
  const kinds = ['neighbour', 'fdb', 'route'] as const;
  const messages = kinds.flatMap((kind) =>
    objects
      .filter((object) => object.kind === kind)
      .flatMap((object) => encodeOp({ verb: 'add', object }, { indexOf: () => index, netnsFd: () => -1 })),
  );
  const [started, usage] = [performance.now(), process.cpuUsage()];
  const failures = route.transactSync(messages);
  const us = (performance.now() - started) * 1000;
  const { user, system } = process.cpuUsage(usage);
  if (failures[0] !== undefined) throw new Error(`message ${failures[0].index}: ${failures[0].code}`);
  return { us, cpuUs: user + system };
}

async function reach(kernel: RealKernel, desired: DesiredState): Promise<number> {
  const { ops, conflicts } = plan(desired.state, kernel.state(), { owners: OWNERS });
  const { failures } = await kernel.apply(ops);
  const problem = failures[0]?.message ?? conflicts[0]?.message;
  if (problem !== undefined) throw new Error(problem);
  return ops.length;
}
