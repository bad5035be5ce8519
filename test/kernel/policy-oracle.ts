/**
 * What the kernel does with packets under the compiled rules, and what the oracle says should become of them: random clusters with random
 * policies, both families, pods that are routed and pods on a bridge.
 */
import { expect } from 'vitest';
import { PolicyCompiler } from '#core/policy/compile/index.ts';
import { clusterOf, flowOf } from '../oracle/flow.ts';
import { Dice } from '../oracle/random.ts';
import { randomCluster, randomFlow } from '../oracle/random-cluster.ts';
import { randomPolicies } from '../oracle/random-policies.ts';
import { oracleVerdict } from '../oracle/verdict.ts';
import { type Document, type OracleFlow, World } from '../oracle/world.ts';
import { BRIDGE_MODES, NODE_ADDRESSES, PolicyWorld, type WorldMode } from './policy-world.ts';

const FLOWS_OF_CLUSTER = 40;
const NODE = 'node-1';
const NODE_TEXTS: readonly string[] = Object.values(NODE_ADDRESSES);
/** More pods than there are nodes three times over: some are always here. */
const PODS = 13;

/** Both families and all protocols that have a verdict here, and none of which the host does not say what became of it. */
function localFlow(dice: Dice, objects: readonly Document[], world: World): OracleFlow | undefined {
  for (let tries = 0; tries < 200; tries++) {
    const flow = randomFlow(dice, objects);
    const isLocal = (address: string): boolean => world.podAt(address)?.node === NODE;
    if (!isLocal(flow.source) && !isLocal(flow.destination)) continue;
    // The node's own packets take another way, and nobody answers a node information query.
    if (NODE_TEXTS.includes(flow.source)) continue;
    if (NODE_TEXTS.includes(flow.destination) && flow.icmpType === 139) continue;
    return flow;
  }
  return undefined;
}

/** What this node has to say of the flow. */
function wanted(world: World, flow: OracleFlow): boolean {
  const { egress, ingress } = oracleVerdict(world, flow);
  const isHere = (address: string): boolean => world.podAt(address)?.node === NODE;
  return (!isHere(flow.source) || egress === 'allow') && (!isHere(flow.destination) || ingress === 'allow');
}

async function load(kernel: PolicyWorld, documents: readonly Document[], world: World): Promise<void> {
  const { graph } = clusterOf(documents);
  const compiler = new PolicyCompiler({
    bridge: BRIDGE_MODES[kernel.mode],
    flows: true,
  });
  for (const { namespace, name, addresses, node } of world.pods) {
    if (node !== NODE || addresses.length === 0) continue;
    const key = `pod ${namespace}/${name}`;
    compiler.setEndpoint(kernel.endpoint(key, addresses), 'closed');
    graph.setLocal(key);
  }
  compiler.apply(graph.takeDelta());
  await kernel.reset(compiler.takeAmendment());
}

/** Sends so many packets, over as many clusters as it takes, and fails where the kernel says anything else than the oracle. */
export async function expectOracle(mode: WorldMode, count: number): Promise<void> {
  using kernel = new PolicyWorld(mode);
  const seed = Number(process.env['POPLIN_SEED'] ?? 20_261_129);
  const seen = new Map<string, number>();
  for (let index = 0, sent = 0; sent < count; index++) {
    const dice = new Dice(seed + index);
    const objects = randomCluster(dice, PODS);
    const documents = [...objects, ...randomPolicies(dice)];
    const world = new World(documents);
    await load(kernel, documents, world);
    for (let of = 0; of < FLOWS_OF_CLUSTER; of++, sent++) {
      const flow = localFlow(dice, objects, world);
      if (flow === undefined) break;
      const verdict = kernel.passes(flowOf(flow));
      if (verdict !== wanted(world, flow))
        expect.fail(
          `seed ${seed + index}: ${JSON.stringify(flow)}: the kernel says ${verdict}, the oracle ${JSON.stringify(oracleVerdict(world, flow))}\n${JSON.stringify(documents)}\n${kernel.sh('nft list ruleset')}`,
        );
      const key = `${flow.protocol} ${flow.source.includes(':') ? 6 : 4} ${verdict}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  for (const protocol of ['TCP 4', 'TCP 6', 'UDP 4', 'UDP 6', 'SCTP 4', 'SCTP 6', 'ICMP 4', 'ICMPv6 6'])
    for (const verdict of [true, false])
      expect(seen.get(`${protocol} ${verdict}`) ?? 0, `${protocol} ${verdict}`).toBeGreaterThan(count / 100);
}
