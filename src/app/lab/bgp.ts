/** A lab's BGP: Calico's objects and nodes' annotations, made in its API server before any agent runs; and when it has found all nodes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentStatus, BGP_KINDS } from '#app/agent/index.ts';
import { netConfOf, networkFamilies, type Topology } from '#core/lab/index.ts';
import { type KubeObject, type ObjectStore, RESOURCES } from '#core/store/index.ts';
import { LabError } from './lab-error.ts';
import { defineKind, readObjects } from './policies.ts';

const KINDS = BGP_KINDS.filter(({ kind }) => kind !== 'Node');
/** A session that does not come up need not be an error: the lab is up without. */
const ROUTED_MS = 60_000;
const POLL_MS = 50;

/** The topology with the objects of the files that it names, relative to its own. Throws LabError for what is none of BGP's. */
export function withBgp(topology: Topology, file: string): Topology {
  const { bgp } = topology;
  if (bgp === undefined) return topology;
  const where = (text: string) => `${file}: bgp: ${text}`;
  const objects = readObjects(bgp, file, where);
  for (const object of objects)
    if (kindOf(object) === undefined)
      throw new LabError(
        where(
          `${object.apiVersion} ${object.kind} ${object.metadata.name} is none of projectcalico.org/v3 ${KINDS.map(({ kind }) => kind).join(', ')}`,
        ),
      );
  return { ...topology, bgp: objects };
}

function kindOf({ apiVersion, kind }: KubeObject) {
  return KINDS.find((each) => `${each.group}/${each.version}` === apiVersion && each.kind === kind);
}

/** Makes nodes with their labels and annotations, and the kinds and objects; to be done before an agent asks for them. */
export async function makeBgp(store: ObjectStore, { nodes, bgp }: Topology): Promise<void> {
  for (const { name, labels, annotations } of nodes)
    if (labels !== undefined || annotations !== undefined)
      await store.create(RESOURCES.nodes, {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: {
          name,
          labels: { 'kubernetes.io/hostname': name, ...labels },
          ...(annotations && { annotations: { ...annotations } }),
        },
        spec: {},
      });
  if (bgp === undefined) return;
  for (const kind of KINDS) await defineKind(store, kind);
  for (const object of bgp as readonly KubeObject[]) {
    const kind = kindOf(object);
    if (kind !== undefined) await store.create(kind, object);
  }
}

/** Resolves when all sessions are up and, where BGP carries the network, all nodes' subnets known; or after a while. */
export async function untilRouted(
  topology: Topology,
  statusOf: (node: string) => Promise<AgentStatus | undefined>,
  signal: AbortSignal,
): Promise<void> {
  const { nodes } = topology;
  const isBare = netConfOf(topology).backend.type === 'alloc';
  const least = isBare ? nodes.length * networkFamilies(topology).length : 0;
  const deadline = performance.now() + ROUTED_MS;
  for (const { name } of nodes)
    for (;;) {
      signal.throwIfAborted();
      const bgp = (await statusOf(name))?.bgp;
      const isUp = bgp?.neighbors.every((neighbor) => neighbor.isUp) === true && bgp.neighbors.length > 0;
      if (performance.now() > deadline || (isUp && bgp.routes >= least)) break;
      await sleep(POLL_MS);
    }
}
