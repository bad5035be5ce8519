/** The namespaces of a lab and what lies in them before any agent runs. */
import { readFileSync } from 'node:fs';
import { describeOp, type KernelObject, type KernelOp, LAB, plan, stateOf } from '#core/kernel/index.ts';
import {
  planCable,
  planFabric,
  planNode,
  planRouter,
  planRouterCables,
  type Topology,
} from '#core/lab/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import { createNamespace } from '#io/namespace/index.ts';
import type { LabDir } from './lab-dir.ts';
import { LabError } from './lab-error.ts';

const OWN = '/proc/thread-self/ns/net';
const NAMESPACE_LIMIT = 'user.max_net_namespaces';

/** Makes the namespaces of nodes and pods, joins the nodes to the fabric (the caller's own namespace) and configures them. */
export async function buildUnderlay(topology: Topology, dir: LabDir, signal: AbortSignal): Promise<void> {
  for (const member of memberNames(topology)) makeMember(dir.namespace(member), member);
  await configure(OWN, 'the fabric', planFabric(topology));
  for (const node of topology.nodes) {
    signal.throwIfAborted();
    const netns = dir.namespace(node.name);
    await configure(OWN, 'the fabric', [planCable(topology, node, netns)]);
    await configure(netns, node.name, planNode(topology, node));
  }
  for (const router of topology.routers ?? []) {
    signal.throwIfAborted();
    const netns = dir.namespace(router.name);
    await configure(OWN, 'the fabric', planRouterCables(topology, router, netns));
    await configure(netns, router.name, planRouter(topology, router));
  }
}

export function memberNames(topology: Topology): string[] {
  return [...topology.nodes, ...topology.pods, ...(topology.routers ?? [])].map((member) => member.name);
}

function makeMember(path: string, member: string): void {
  try {
    createNamespace(path).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    const limit = readFileSync(`/proc/sys/${NAMESPACE_LIMIT.replace('.', '/')}`, 'utf8').trim();
    throw new LabError(
      `no network namespace for ${member}: the limit ${NAMESPACE_LIMIT}=${limit} is reached; as root run "sysctl -w ${NAMESPACE_LIMIT}=10000"`,
      { cause: error },
    );
  }
}

async function configure(netns: string, name: string, objects: readonly KernelObject[]): Promise<void> {
  using kernel = PodKernel.open(netns);
  const present = objects.flatMap((object) => {
    const link = object.kind === 'link' ? kernel.link(object.name) : undefined;
    return link === undefined ? [] : [{ ...link, alias: LAB.alias }];
  });
  const { ops } = plan(stateOf(objects), stateOf(present), { owners: [LAB] });
  const failures = await kernel.apply(ops satisfies readonly KernelOp[]);
  if (failures.length > 0) {
    throw new Error(`cannot configure ${name}: ${failures.map((failure) => failure.message).join('; ')}`, {
      cause: ops.map(describeOp),
    });
  }
}
