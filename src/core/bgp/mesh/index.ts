/** Sessions among a cluster's own nodes: a full mesh, or reflectors that follow from the nodes (RFC 4456). */
export type { HeldSession, MeshNode, MeshOptions, MeshRole, MeshSession } from './model.ts';
export { type MeshTemplate, meshNeighbors } from './neighbors.ts';
export { MeshPlan, planMesh } from './plan.ts';
export { nextSessions } from './transition.ts';
