/** The node-to-node mesh: with whom a node speaks in it, and who reflects. */
import { type HeldSession, type MeshOptions, type MeshRole, nextSessions, planMesh } from '../mesh/index.ts';
import type { CalicoNode } from './node.ts';

/** What a mesh that looks after itself knows besides the nodes. */
export interface CalicoMesh {
  readonly options?: MeshOptions;
  /** Nodes that the cluster holds for dead. */
  readonly dead?: ReadonlySet<string>;
  /** Sessions that are there, by the names of nodes. */
  readonly held?: readonly HeldSession[];
}

/** Where nodes fail together, the widest first. */
const PLACES = [
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/rack',
];

/** Whom a node speaks with, and as what. Nodes that are reflectors by their configuration have no part in it. */
export function meshRoles(
  mesh: CalicoMesh | undefined,
  own: CalicoNode,
  nodes: readonly CalicoNode[],
): ReadonlyMap<string, MeshRole> {
  const plain = nodes.filter(({ clusterId }) => clusterId === undefined);
  if (mesh === undefined)
    return new Map(plain.filter(({ name }) => name !== own.name).map(({ name }) => [name, 'mesh'] as const));
  const { options, dead, held = [] } = mesh;
  const plan = planMesh(
    plain.map(({ name, labels }) => ({
      name,
      isAlive: dead?.has(name) !== true,
      places: PLACES.map((label) => labels[label] ?? ''),
    })),
    options,
  );
  return new Map(nextSessions(plan.sessionsOf(own.name), held).map(({ peer, role }) => [peer, role]));
}
