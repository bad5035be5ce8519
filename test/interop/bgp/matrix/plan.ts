/** What a speaker of others is told to be, in words that each of them has a way to say, and what it says of a route. */
import type { IpFamily } from '#base/ip/index.ts';

export interface PeerRoute {
  readonly prefix: string;
  readonly nextHop: string;
  readonly asns: readonly number[];
  readonly med?: number;
  readonly localPref?: number;
  /** As 65001:7, 65001:7:8 and rt:65001:7. */
  readonly communities: readonly string[];
  readonly large: readonly string[];
  readonly extended: readonly string[];
  readonly originator?: string;
  readonly clusters: readonly string[];
  /** Members of the confederation that stand before the path. */
  readonly members: readonly number[];
}

export interface PeerNeighbor {
  readonly node: 'us' | 'them';
  readonly transport: IpFamily;
  readonly asn: number;
  /** Instead of the plan's. */
  readonly localAsn?: number;
  readonly isPassive?: boolean;
  readonly password?: string;
  readonly hops?: number;
  readonly addPath?: boolean;
  readonly extendedNextHop?: boolean;
  readonly restart?: { readonly timeSec: number; readonly longSec?: number };
  readonly isClient?: boolean;
  readonly isMember?: boolean;
  readonly hasBfd?: boolean;
  /** Between link-local addresses: with the other's, or without one whoever is at the other end of eth0. */
  readonly onLink?: { readonly address?: string };
}

/** An own route, with attributes that go with it. */
export interface PlannedRoute {
  readonly prefix: string;
  readonly med?: number;
  readonly communities?: readonly string[];
  readonly large?: readonly string[];
  readonly extended?: readonly string[];
  /** Behind its own AS. */
  readonly asns?: readonly number[];
  readonly originator?: string;
  readonly clusters?: readonly string[];
  /** Several paths to one prefix differ by their number. */
  readonly pathId?: number;
}

export interface PeerPlan {
  readonly asn: number;
  readonly neighbors: readonly PeerNeighbor[];
  readonly routes: readonly PlannedRoute[];
  readonly clusterId?: string;
  readonly confederation?: { readonly id: number; readonly members: readonly number[] };
  readonly hasExtendedMessages?: boolean;
}

/** A speaker of others under test. */
export interface Counterpart extends AsyncDisposable {
  /** Becomes what the plan says; sessions begin anew. */
  apply(plan: PeerPlan): Promise<void>;
  /** All routes of a family that it has, those of its own too; with next hop, path and MED at least. */
  table(family: IpFamily): Promise<readonly PeerRoute[]>;
  /** How many prefixes it has of a family; of FRR and ExaBGP only those that it was told. */
  count(family: IpFamily): number;
  /** What it has of a prefix, with all attributes. */
  routes(prefix: string): readonly PeerRoute[];
  /** Asks for all our routes again. */
  askAgain(): void;
  /** Ends the sessions with a word to us, and begins them again. */
  shutDown(text: string): void;
  /** What it has heard at a session's end. */
  readonly lastWords: string;
  /** Dies without a word. */
  kill(): Promise<void>;
  /** Comes back as one that has restarted. */
  comeBack(): Promise<void>;
}

/** Of an address of the peer's node, the others'. */
export const ADDRESS = {
  us: { 4: '10.77.0.1', 6: 'fd00:77::1' },
  peer: { 4: '10.77.0.2', 6: 'fd00:77::2' },
  them: { 4: '10.77.0.3', 6: 'fd00:77::3' },
} as const;

export const FAMILIES = [4, 6] as const;

export function familyNumber(prefix: string): IpFamily {
  return prefix.includes(':') ? 6 : 4;
}

/** A name for a neighbour that is a word everywhere. */
export function nameOf({ node, transport }: PeerNeighbor): string {
  return `${node}${transport}`;
}
