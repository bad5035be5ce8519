/** The rules made of policies say what the oracle says: an interpreter follows them for packets in random clusters, in both families. */
import { expect, test } from 'vitest';
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { PolicyCompiler } from '#core/policy/compile/index.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { Interpreter } from '#testing/nft-interpreter.ts';
import { IS_SOAK } from '#testing/soak.ts';
import { clusterOf, flowOf, NUMBERS } from './flow.ts';
import { Dice } from './random.ts';
import { randomCluster, randomFlow } from './random-cluster.ts';
import { randomPolicies } from './random-policies.ts';
import { oracleVerdict } from './verdict.ts';
import { type Document, type OracleFlow, World } from './world.ts';

const CLUSTERS = IS_SOAK ? 5000 : 80;
const FLOWS = 40;

/** All pods of the cluster on one node, as nf_tables objects. */
function compiled(documents: readonly Document[], world: World): KernelObject[] {
  const { graph } = clusterOf(documents);
  const compiler = new PolicyCompiler({ bridge: 'none', flows: false });
  for (const { namespace, name, addresses } of world.pods) {
    const key = `pod ${namespace}/${name}`;
    compiler.setEndpoint({ key, addresses, link: `veth-${name}` }, 'closed');
    graph.setLocal(key);
  }
  compiler.apply(graph.takeDelta());
  const { put } = compiler.takeAmendment();
  expect(new Set(put.map(keyOf)).size).toBe(put.length);
  return [...put];
}

/** What a pod's own node sends to it goes another way, on which nobody asks. */
function isFromOwnNode(world: World, { source, destination }: OracleFlow): boolean {
  const node = world.podAt(destination)?.node;
  return world.nodesAt(source).some(({ metadata }) => metadata.name === node);
}

test(`of ${CLUSTERS * FLOWS} packets in ${CLUSTERS} clusters the rules say what the oracle says`, () => {
  const seed = Number(process.env['POPLIN_SEED'] ?? 20_261_128);
  const seen = new Map<string, number>();
  for (let index = 0; index < CLUSTERS; index++) {
    const dice = new Dice(seed + index);
    const objects = randomCluster(dice);
    const documents = [...objects, ...randomPolicies(dice)];
    const world = new World(documents);
    const rules = new Interpreter(compiled(documents, world));
    for (let count = 0; count < FLOWS; count++) {
      const flow = randomFlow(dice, objects);
      if (isFromOwnNode(world, flow)) continue;
      const wanted = oracleVerdict(world, flow);
      const packet = { bytes: packetOf(flowOf(flow)) };
      const verdict = (hook: 'input' | 'forward'): string => (rules.passes(hook, packet) ? 'allow' : 'deny');
      const isToItself = world.podAt(flow.source) === world.podAt(flow.destination);
      // What comes to the host is asked about egress alone.
      const said = { egress: isToItself ? wanted.egress : verdict('input'), both: verdict('forward') };
      const both = wanted.egress === 'allow' && wanted.ingress === 'allow' ? 'allow' : 'deny';
      if (said.egress !== wanted.egress || said.both !== both)
        expect.fail(
          `seed ${seed + index}: ${JSON.stringify(flow)}: rules ${JSON.stringify(said)}, oracle ${JSON.stringify(wanted)}\n${JSON.stringify(documents)}`,
        );
      const key = `${flow.protocol} ${wanted.egress} ${wanted.ingress}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  for (const protocol of Object.keys(NUMBERS))
    for (const verdict of ['allow allow', 'allow deny', 'deny allow', 'deny deny'])
      expect(seen.get(`${protocol} ${verdict}`) ?? 0, `${protocol} ${verdict}`).toBeGreaterThan(
        CLUSTERS / 20,
      );
});
