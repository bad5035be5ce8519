/** What the decision asks of attributes. Hundreds of thousands of sets have a few hundred ranks among them. */
import { type Asn, COMMUNITIES, type PathAttributes, type RouterId } from '../model.ts';

/** Shared by all attributes that are alike in this. */
export interface Rank {
  readonly localPref: number;
  /** RFC 4271 section 9.1.2.2 (a): a set counts once, confederation segments not at all (RFC 5065 section 5.3). */
  readonly pathLength: number;
  readonly origin: number;
  readonly med: number;
  /** The AS the route came from; 0: our own or our confederation. */
  readonly neighborAsn: Asn;
  readonly originatorId: RouterId | undefined;
  readonly clusterLength: number;
  readonly isLongStale: boolean;
  readonly key: string;
  uses: number;
}

const ORIGIN_RANK = { igp: 0, egp: 1, incomplete: 2 } as const;

export class RankPool {
  readonly #ranks = new Map<string, Rank>();

  /** The rank of attributes, held until it is released. */
  take(attributes: PathAttributes): Rank {
    const { localPref = 100, med = 0, originatorId, clusterList, communities } = attributes;
    const length = pathLength(attributes);
    const origin = ORIGIN_RANK[attributes.origin];
    const neighbor = neighborAsn(attributes);
    const clusterLength = clusterList?.length ?? 0;
    const isLongStale = communities?.includes(COMMUNITIES.llgrStale) ?? false;
    const key = `${localPref} ${length} ${origin} ${med} ${neighbor} ${originatorId} ${clusterLength} ${isLongStale}`;
    let rank = this.#ranks.get(key);
    if (rank === undefined) {
      rank = {
        localPref,
        pathLength: length,
        origin,
        med,
        neighborAsn: neighbor,
        originatorId,
        clusterLength,
        isLongStale,
        key,
        uses: 0,
      };
      this.#ranks.set(key, rank);
    }
    rank.uses++;
    return rank;
  }

  release(rank: Rank): void {
    if (--rank.uses === 0) this.#ranks.delete(rank.key);
  }
}

function pathLength({ asPath }: PathAttributes): number {
  let length = 0;
  for (const { type, asns } of asPath) {
    if (type === 'sequence') length += asns.length;
    else if (type === 'set') length += 1;
  }
  return length;
}

// RFC 4271 section 9.1.2.2 (c): the AS the route was received from is the first of the path, confederation segments apart.
function neighborAsn({ asPath }: PathAttributes): Asn {
  for (const { type, asns } of asPath) {
    if (type === 'sequence') return asns[0] ?? 0;
    if (type === 'set') return 0;
  }
  return 0;
}
