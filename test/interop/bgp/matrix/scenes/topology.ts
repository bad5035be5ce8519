/** More than two: reflectors, their loops, and confederations. */
import { expect } from 'vitest';
import type { FeatureId } from '../features.ts';
import { ADDRESS, FAMILIES, type PeerNeighbor } from '../plan.ts';
import {
  neighborTo,
  PEER_ASN,
  PEER_PREFIXES,
  type Run,
  THEM_ASN,
  THEM_PREFIXES,
  TO_THEM,
  TO_US,
  TO_US6,
  US_ASN,
  US_PREFIXES,
} from '../world.ts';

const CLUSTER = '10.77.0.99';
const CLUSTER_ID = 0x0a4d0063;
const [PEER_ID, THEM_ID] = [0x0a4d0002, 0x0a4d0003];
const inside = (neighbor: PeerNeighbor): PeerNeighbor => ({ ...neighbor, asn: US_ASN, isClient: true });

const reflector: Run = async (world) => {
  await world.plan([TO_US], { asn: US_ASN });
  const client = { reflectorClient: true };
  await using us = world.us({
    clusterId: CLUSTER,
    neighbors: [
      { ...neighborTo('peer', US_ASN, 'us'), ...client },
      { ...neighborTo('them', US_ASN, 'us'), ...client },
    ],
  });
  await using them = world.them({ asn: US_ASN, neighbors: [neighborTo('us', US_ASN, 'them')] });
  await us.up('peer', 'them');
  for (const family of FAMILIES) {
    await us.until('the peer lacks it', () => world.peer.routes(THEM_PREFIXES[family]).length > 0);
    const [reflected] = world.peer.routes(THEM_PREFIXES[family]);
    expect(reflected).toMatchObject({
      originator: '10.77.0.3',
      clusters: [CLUSTER],
      nextHop: ADDRESS.them[family],
      asns: [],
      localPref: 100,
    });
    expect((await them.route(PEER_PREFIXES[family])).received).toMatchObject({
      originatorId: PEER_ID,
      clusterList: [CLUSTER_ID],
      nextHop: ADDRESS.peer[family],
    });
  }
};

const reflectorClient: Run = async (world) => {
  await world.plan([inside(TO_US), inside(TO_THEM)], { asn: US_ASN, clusterId: CLUSTER, routes: [] });
  await using us = world.us({}, { asn: US_ASN });
  await using them = world.them({ asn: US_ASN }, { asn: US_ASN });
  await us.up('peer');
  await them.up('peer');
  for (const family of FAMILIES)
    expect((await us.route(THEM_PREFIXES[family])).received).toMatchObject({
      originatorId: THEM_ID,
      clusterList: [CLUSTER_ID],
      nextHop: ADDRESS.them[family],
      asPath: [],
    });
};

const clusterLoop: Run = async (world) => {
  const isTransit = world.name !== 'ExaBGP';
  const told = isTransit ? THEM_PREFIXES[4] : PEER_PREFIXES[4];
  await world.plan([inside(TO_US), inside(TO_THEM)], {
    asn: US_ASN,
    clusterId: CLUSTER,
    routes: isTransit ? [] : [{ prefix: told, originator: '10.77.0.3', clusters: [CLUSTER] }],
  });
  await using us = world.us({ clusterId: CLUSTER }, { asn: US_ASN });
  await using them = world.them({ asn: US_ASN }, { asn: US_ASN });
  await us.up('peer');
  await them.up('peer');
  expect(await us.refusal(told)).toMatch(/cluster/i);
};

const originatorLoop: Run = async (world) => {
  const told = US_PREFIXES[4];
  if (world.name === 'ExaBGP') {
    await world.plan([inside(TO_US)], {
      asn: US_ASN,
      routes: [{ prefix: told, originator: '10.77.0.1', clusters: [CLUSTER] }],
    });
    await using us = world.us({}, { asn: US_ASN });
    await us.up('peer');
    expect(await us.refusal(told, 'peer')).toMatch(/originator/i);
    return;
  }
  // Two sessions: what it hears on one it reflects on the other.
  await world.plan([inside(TO_US), inside(TO_US6)], { asn: US_ASN, clusterId: CLUSTER, routes: [] });
  const second = { ...neighborTo('peer', US_ASN, 'us', 6), name: 'peer6' };
  await using us = world.us({ neighbors: [neighborTo('peer', US_ASN, 'us'), second] });
  await us.up('peer', 'peer6');
  const refusals = () =>
    us.paths(told).flatMap(({ outcome }) => (outcome.type === 'refused' ? [outcome.reason] : []));
  await us.until('nothing comes back', () => refusals().length > 0);
  expect(refusals()[0]).toMatch(/originator/i);
};

const confederation: Run = async (world) => {
  await world.plan([{ ...TO_US, isMember: true }], { confederation: { id: 100, members: [US_ASN] } });
  await using us = world.us({
    confederation: { id: 100, members: [PEER_ASN] },
    neighbors: [neighborTo('peer', PEER_ASN, 'us'), neighborTo('them', THEM_ASN, 'us')],
  });
  await using them = world.them({ neighbors: [neighborTo('us', 100, 'them')] });
  await us.up('peer', 'them');
  for (const family of FAMILIES) {
    expect((await us.route(PEER_PREFIXES[family])).received.asPath).toEqual([
      { type: 'confed-sequence', asns: [PEER_ASN] },
    ]);
    await us.until('the peer lacks it', () => world.peer.routes(THEM_PREFIXES[family]).length > 0);
    expect(world.peer.routes(THEM_PREFIXES[family])[0]).toMatchObject({
      members: [US_ASN],
      asns: [THEM_ASN],
    });
    // Outside it is one AS.
    expect((await them.route(PEER_PREFIXES[family])).received.asPath).toEqual([
      { type: 'sequence', asns: [100] },
    ]);
  }
};

export const TOPOLOGY_RUNS = {
  reflector,
  reflectorClient,
  clusterLoop,
  originatorLoop,
  confederation,
} as const satisfies Partial<Record<FeatureId, Run>>;
