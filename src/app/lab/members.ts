/** The namespaces of a lab and what lies in them before any agent runs. */

import { describeOp, type KernelObject, type KernelOp, LAB, plan, stateOf } from '#core/kernel/index.ts';
import { planCable, planFabric, planNode, type Topology } from '#core/lab/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import { createNamespace, openNamespace, removeNamespace } from '#io/namespace/index.ts';
import type { LabDir } from './lab-dir.ts';

/** Makes the namespaces of nodes and pods, joins the nodes to the fabric (the caller's own namespace) and configures them. */
export async function buildUnderlay(topology: Topology, dir: LabDir): Promise<void> {
  for (const member of memberNames(topology)) createNamespace(dir.namespace(member)).close();
  await configure('/proc/thread-self/ns/net', 'the fabric', planFabric(topology));
  for (const node of topology.nodes) {
    const netns = dir.namespace(node.name);
    await configure('/proc/thread-self/ns/net', 'the fabric', [planCable(topology, node, netns)]);
    await configure(netns, node.name, planNode(topology, node));
  }
}

/** Removes the namespaces of nodes and pods, and with them all links. */
export function removeMembers(topology: Topology, dir: LabDir): void {
  for (const member of memberNames(topology)) removeNamespace(dir.namespace(member));
}

export function memberNames(topology: Topology): string[] {
  return [...topology.nodes, ...topology.pods].map((member) => member.name);
}

/** True if all namespaces of nodes and pods are there. */
export function haveMembers(topology: Topology, dir: LabDir): boolean {
  return memberNames(topology).every((member) => {
    try {
      openNamespace(dir.namespace(member)).close();
      return true;
    } catch {
      return false;
    }
  });
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
