/** A lan with one speaker of others and places for two of ours, which each feature asks for as it needs them. */
import { isDeepStrictEqual } from 'node:util';
import { BgpLan } from '../lan.ts';
import { Station, type StationOptions } from '../station.ts';
import type { PeerName } from './features.ts';
import { Ours } from './ours.ts';
import { BirdCounterpart } from './peers/bird.ts';
import { ExabgpCounterpart } from './peers/exabgp.ts';
import { FrrCounterpart } from './peers/frr.ts';
import { GobgpCounterpart } from './peers/gobgp.ts';
import { ADDRESS, type Counterpart, type PeerNeighbor, type PeerPlan, type PlannedRoute } from './plan.ts';

const COUNTERPARTS = {
  BIRD: BirdCounterpart,
  FRR: FrrCounterpart,
  GoBGP: GobgpCounterpart,
  ExaBGP: ExabgpCounterpart,
} as const;

export const US_ASN = 65_001;
export const PEER_ASN = 65_002;
export const THEM_ASN = 65_003;

/** Its own routes, in both families; /48 because ExaBGP 4.2 takes an IPv6 /32 for another family. */
export const PEER_PREFIXES = { 4: '10.202.0.0/16', 6: 'fd00:202::/48' } as const;
export const US_PREFIXES = { 4: '10.201.0.0/16', 6: 'fd00:201::/48' } as const;
export const THEM_PREFIXES = { 4: '10.203.0.0/16', 6: 'fd00:203::/48' } as const;
const PEER_ROUTES: readonly PlannedRoute[] = Object.values(PEER_PREFIXES).map((prefix) => ({ prefix }));

export class World implements AsyncDisposable {
  readonly lan = new BgpLan('us', 'peer', 'them');
  readonly name: PeerName;
  readonly peer: Counterpart;
  #plan: PeerPlan | undefined;

  constructor(name: PeerName) {
    this.name = name;
    this.peer = new COUNTERPARTS[name](this.lan);
    for (const [node, digit] of [
      ['us', 1],
      ['peer', 2],
    ] as const)
      this.lan.ip(
        node,
        `address add 10.20${digit}.0.1/32 dev lo`,
        `address add fd00:20${digit}::1/128 dev lo nodad`,
      );
  }

  /** Has the peer be so, unless it is already. */
  async plan(neighbors: readonly PeerNeighbor[], more: Partial<PeerPlan> = {}): Promise<PeerPlan> {
    const plan = { asn: PEER_ASN, routes: PEER_ROUTES, neighbors, ...more };
    // GoBGP waits for seconds after a session has ended, and starts in less.
    if (this.name === 'GoBGP' || !isDeepStrictEqual(plan, this.#plan)) await this.peer.apply(plan);
    this.#plan = plan;
    return plan;
  }

  /** Our speaker under test, with the peer as its only neighbour unless the file says otherwise. */
  us(file: object = {}, neighbor: object = {}, isProgramming = false, isRestarting = false): Ours {
    // What one before has left, unless it is to be taken over.
    if (!isRestarting) this.lan.ip('us', '-4 route flush proto 116', '-6 route flush proto 116');
    return new Ours(this.lan, 'us', usFile(file, neighbor), { isProgramming, isRestarting });
  }

  /** Another speaker of ours, beyond the peer. */
  them(file: object = {}, neighbor: object = {}): Ours {
    return new Ours(this.lan, 'them', themFile(file, neighbor));
  }

  station(options: Partial<StationOptions> = {}): Station {
    const { config, ...rest } = options;
    return new Station({
      node: this.lan.node('us'),
      peer: this.lan.node('peer'),
      config: { peerAsn: PEER_ASN, idleHoldSec: { initial: 0.3, max: 1 }, ...config },
      ...rest,
    });
  }

  /** Whatever a test that failed has left. */
  forget(): void {
    this.#plan = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
    this.lan[Symbol.dispose]();
  }
}

/** A neighbour of a speaker on a node. */
export function neighborTo(
  node: 'us' | 'peer' | 'them',
  asn: number,
  from: 'us' | 'them',
  transport: 4 | 6 = 4,
): object {
  const address = ADDRESS[node][transport];
  return {
    name: node,
    address,
    asn,
    connectRetrySec: 0.3,
    nextHops: ADDRESS[from],
    localAddress: ADDRESS[from][transport],
  };
}

export function usFile(file: object = {}, neighbor: object = {}): object {
  const neighbors = [{ ...neighborTo('peer', PEER_ASN, 'us'), ...neighbor }];
  return { asn: US_ASN, routerId: '10.77.0.1', routes: Object.values(US_PREFIXES), neighbors, ...file };
}

export function themFile(file: object = {}, neighbor: object = {}): object {
  const neighbors = [{ ...neighborTo('peer', PEER_ASN, 'them'), ...neighbor }];
  return { asn: THEM_ASN, routerId: '10.77.0.3', routes: Object.values(THEM_PREFIXES), neighbors, ...file };
}

export const TO_US: PeerNeighbor = { node: 'us', transport: 4, asn: US_ASN };
export const TO_US6: PeerNeighbor = { node: 'us', transport: 6, asn: US_ASN };
export const TO_THEM: PeerNeighbor = { node: 'them', transport: 4, asn: THEM_ASN };

/** How a feature is tried. */
export type Run = (world: World) => Promise<void>;
