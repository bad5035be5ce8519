/** Networks, records and short questions that the tests of the acquire protocol share. */
import type { KubeObject } from '#core/store/index.ts';
import type { LeaseAction } from './acquirer-types.ts';
import { leaseFromObject } from './lease-object.ts';
import type { LeaseWorld, WorldNode } from './lease-world.fixture.ts';
import type { LeaseRecord } from './model.ts';
import type { NetConf } from './net-conf.ts';

export const SECOND = 1000;
export const HOUR = 3600 * SECOND;
export const backend = { type: 'alloc' } as const;
export const ipv4 = { network: '10.0.0.0/28', subnetLen: 30, subnetMin: '10.0.0.4', subnetMax: '10.0.0.12' };
export const ipv6 = { network: 'fd00::/124', subnetLen: 126, subnetMin: 'fd00::4', subnetMax: 'fd00::c' };
export const wide = { network: '10.1.0.0/16', subnetLen: 24, subnetMin: '10.1.1.0', subnetMax: '10.1.255.0' };
export const V4: NetConf = { ipv4, enableNFTables: false, backend };
export const DUAL: NetConf = { ipv4, ipv6, enableNFTables: false, backend };
export const WIDE: NetConf = { ipv4: wide, enableNFTables: false, backend };

export const record = (extra: Partial<LeaseRecord>): LeaseRecord => ({
  family: 4,
  subnet: '10.0.0.4/30',
  node: 'other',
  ownerUid: 'uid-of-other',
  backendType: 'vxlan',
  acquiredAtMs: 0,
  renewedAtMs: 0,
  durationSec: 86_400,
  reserved: false,
  ...extra,
});

/** What makes a record node-0's, as it would write it. */
export const OWN = { node: 'node-0', ownerUid: 'uid-of-node-0', publicIp: '192.0.2.1' } as const;

/** Puts an object into the store as an operator or another node would. */
export function put(world: LeaseWorld, object: KubeObject): void {
  world.store.apply({ type: 'create', call: 0, object });
}

export function startAll(world: LeaseWorld, ...nodes: WorldNode[]): void {
  for (const node of nodes) {
    world.start(node);
    world.drain();
  }
}

export const types = (node: WorldNode) => node.log.map((action) => action.type);
export const ofType = <T extends LeaseAction['type']>(node: WorldNode, type: T) =>
  node.log.filter((action): action is Extract<LeaseAction, { type: T }> => action.type === type);
export const problems = (node: WorldNode) =>
  ofType(node, 'problem').map(({ code, message }) => `${code}: ${message}`);
export const owners = (world: LeaseWorld) =>
  Object.fromEntries(
    [...world.store.objects.values()].map((object) => {
      const reading = leaseFromObject(object);
      return [object.metadata.name, reading.ok ? reading.record.node : reading.reason];
    }),
  );
