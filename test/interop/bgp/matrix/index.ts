/** The matrix with one speaker of others: a test for each feature, and a named skip for each that the peer has not. */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { FEATURE_IDS, FEATURES, type FeatureId, lackOf, type PeerName } from './features.ts';
import { RESTART_RUNS } from './scenes/restarts.ts';
import { ROUTE_RUNS } from './scenes/routes.ts';
import { SESSION_RUNS } from './scenes/sessions.ts';
import { TOPOLOGY_RUNS } from './scenes/topology.ts';
import { type Run, World } from './world.ts';

/** Each feature has one: the type says so. */
const RUNS: Readonly<Record<FeatureId, Run>> = {
  ...SESSION_RUNS,
  ...ROUTE_RUNS,
  ...TOPOLOGY_RUNS,
  ...RESTART_RUNS,
};

export function describeMatrix(peer: PeerName): void {
  describe(`with ${peer}`, () => {
    let world: World;
    beforeAll(() => {
      world = new World(peer);
    });
    afterAll(() => world?.[Symbol.asyncDispose]());

    test.for(FEATURE_IDS.map((id) => [FEATURES[id].name, id] as const))('%s', async ([, id], context) => {
      const lack = lackOf(id, peer);
      if (lack !== undefined) context.skip(lack);
      try {
        await RUNS[id](world);
      } catch (error) {
        world.forget();
        throw error;
      }
    });
  });
}
