/** The engine and the oracle, which share nothing, agree on what becomes of flows: random clusters, policies of all kinds, both families. */
import { expect, test } from 'vitest';
import { evaluate } from '#core/policy/index.ts';
import { IS_SOAK } from '#testing/soak.ts';
import { clusterOf, flowOf, NUMBERS } from './flow.ts';
import { Dice } from './random.ts';
import { randomCluster, randomFlow } from './random-cluster.ts';
import { randomPolicies } from './random-policies.ts';
import { oracleVerdict } from './verdict.ts';
import { World } from './world.ts';

const CLUSTERS = IS_SOAK ? 20_000 : 400;
const FLOWS = 25;

test(`of ${CLUSTERS * FLOWS} flows in ${CLUSTERS} clusters the engine says what the oracle says`, () => {
  const seed = Number(process.env['POPLIN_SEED'] ?? 20_261_127);
  const seen = new Map<string, number>();
  for (let index = 0; index < CLUSTERS; index++) {
    const dice = new Dice(seed + index);
    const objects = randomCluster(dice);
    const documents = [...objects, ...randomPolicies(dice)];
    const world = new World(documents);
    const cluster = clusterOf(documents);
    expect(
      cluster.problems().filter(({ isUsed }) => !isUsed),
      `seed ${seed + index}`,
    ).toEqual([]);
    for (let count = 0; count < FLOWS; count++) {
      const flow = randomFlow(dice, objects);
      const wanted = oracleVerdict(world, flow);
      const verdict = evaluate(cluster.graph, flowOf(flow));
      const said = { egress: verdict.egress.action, ingress: verdict.ingress.action };
      if (said.egress !== wanted.egress || said.ingress !== wanted.ingress)
        expect.fail(
          `seed ${seed + index}: ${JSON.stringify(flow)}: engine ${JSON.stringify(verdict)}, oracle ${JSON.stringify(wanted)}\n${JSON.stringify(documents)}`,
        );
      const key = `${flow.protocol} ${said.egress} ${said.ingress}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  // No verdict is rare, with any protocol.
  for (const protocol of Object.keys(NUMBERS))
    for (const verdict of ['allow allow', 'allow deny', 'deny allow', 'deny deny'])
      expect(seen.get(`${protocol} ${verdict}`) ?? 0, `${protocol} ${verdict}`).toBeGreaterThan(
        CLUSTERS / 20,
      );
});
