/** Routes that somebody announces here, by hand or by file. */
import type { Community } from '#core/bgp/filter/index.ts';
import type { TableAttributes } from '#core/bgp/rib/index.ts';

/** Their attributes. */
export function attributesOf(given: {
  readonly communities?: readonly Community[] | undefined;
  readonly med?: number | undefined;
  readonly localPref?: number | undefined;
  readonly nextHop?: string | undefined;
}): Partial<TableAttributes> {
  const { communities = [], med, localPref, nextHop } = given;
  const plain = communities.filter((each) => typeof each === 'number');
  const large = communities.filter((each) => typeof each !== 'number');
  return {
    ...(plain.length > 0 ? { communities: plain } : {}),
    ...(large.length > 0 ? { largeCommunities: large } : {}),
    ...(med === undefined ? {} : { med }),
    ...(localPref === undefined ? {} : { localPref }),
    ...(nextHop === undefined ? {} : { nextHop }),
  };
}
