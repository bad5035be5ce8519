/** Sessions of a mesh as neighbours of a speaker. */
import type { IpAddress } from '#base/ip/index.ts';
import type { NeighborConfig } from '../speaker/index.ts';
import type { MeshSession } from './model.ts';

/** What all sessions within the cluster have in common. */
export type MeshTemplate = Omit<NeighborConfig['session'], 'peerAddress'>;

/** Neighbours by the names of their nodes; without those whose address is not known. */
export function meshNeighbors(
  sessions: readonly MeshSession[],
  addressOf: (name: string) => IpAddress | undefined,
  template: MeshTemplate,
  policy: NeighborConfig['policy'] = {},
): readonly NeighborConfig[] {
  return sessions.flatMap(({ peer, role }) => {
    const peerAddress = addressOf(peer);
    if (peerAddress === undefined) return [];
    const clientPolicy = role === 'client' ? { ...policy, isReflectorClient: true } : policy;
    return [{ key: peer, description: role, session: { ...template, peerAddress }, policy: clientPolicy }];
  });
}
