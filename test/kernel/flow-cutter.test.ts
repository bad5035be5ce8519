/** Flows that go on while policies change, with packets, in both families: what is forbidden falls silent, and what is allowed again speaks. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { conntrackMessage, FLOW_CUT_MARK } from '#core/netlink/conntrack/index.ts';
import { encodeMessage, NLM_F } from '#core/netlink/index.ts';
import { affectedBy, isAllowed } from '#core/policy/engine/index.ts';
import { type Flow, PolicyCluster, podKey } from '#core/policy/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { FlowCutter } from '#io/conntrack/index.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '#io/netlink/index.ts';
import { type Exchange, FAMILIES, FLOW_FAR, FLOW_POD, FLOW_SERVICE, FlowWorld, Talk } from './flow-world.ts';

const PORT = 8080;
const BIT = `0x${FLOW_CUT_MARK.toString(16)}`;
/** What the compiler's rules do of it; established flows pass, and nothing is decided anew. */
const RULES = `
  table inet flows {
    chain forward {
      type filter hook forward priority 0; policy accept;
      ct mark & ${BIT} == ${BIT} drop
      ct state established accept
    }
    chain services {
      type nat hook prerouting priority -100;
      ip daddr ${FLOW_SERVICE[4]} tcp dport 80 dnat ip to ${FLOW_POD[4]}:${PORT}
      ip6 daddr ${FLOW_SERVICE[6]} tcp dport 80 dnat ip6 to [${FLOW_POD[6]}]:${PORT}
    }
  }`;
/** Somebody else's use of the same mark. */
const MARKS = `
  table inet others {
    chain in { type filter hook prerouting priority 0; ct state new ct mark set 5; }
    chain out { type filter hook output priority 0; ct state new ct mark set 5; }
  }`;
/** A flow falls silent within a second of the change; then it must stay silent for as long as some retransmissions take. */
const SOON_MS = 1000;
const SILENCE_MS = 600;

let world: FlowWorld;
let cluster: PolicyCluster;
let cutter: FlowCutter;
beforeEach(async () => {
  world = await FlowWorld.open();
  world.nft(RULES);
  await world.serve(world.pod, PORT);
  await world.serve(world.far, PORT);
  cluster = new PolicyCluster();
  cluster.upsert(podObject());
  cluster.graph.setLocal(podKey('shop', 'web'));
  cluster.graph.takeDelta();
  const local = new Set(Object.values(FLOW_POD));
  cutter = new FlowCutter({
    namespace: world.namespace,
    isLocal: (address) => local.has(address),
    isAllowed: (flow) => isAllowed(cluster.graph, flow),
  });
});
afterEach(async () => {
  await cutter?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

function podObject(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'web', labels: { app: 'web' } },
    spec: { nodeName: 'node-a' },
    status: { phase: 'Running', podIPs: Object.values(FLOW_POD).map((ip) => ({ ip })) },
  };
}

function networkPolicy(spec: object): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'shop', name: 'web' },
    spec: { podSelector: {}, ...spec },
  };
}

/** As an agent would: the change is in force, and the walk follows. */
function change(work: (cluster: PolicyCluster) => void) {
  work(cluster);
  return cutter.enforce(affectedBy(cluster.graph.takeDelta()));
}

async function speaks(talk: Talk): Promise<void> {
  const before = talk.answers;
  await vi.waitUntil(() => talk.answers > before + 2, { timeout: 15_000, interval: 20 });
}

async function fallsSilent(talk: Talk): Promise<void> {
  await vi.waitUntil(() => talk.silentMs > SILENCE_MS, { timeout: SOON_MS + SILENCE_MS, interval: 20 });
}

const CASES = FAMILIES.flatMap((family) =>
  (['tcp', 'udp', 'ping'] as const).map((kind): [IpName, Exchange, 4 | 6] => [`IPv${family}`, kind, family]),
);
type IpName = `IPv${4 | 6}`;

test.each(CASES)(
  'over %s a %s flow is cut at once and comes back when allowed again',
  async (_, kind, family) => {
    await using talk = new Talk(world.far, kind, FLOW_POD[family], PORT);
    await using other = new Talk(world.pod, kind, FLOW_FAR[family], PORT);
    await speaks(talk);
    await speaks(other);
    const deny = networkPolicy({ policyTypes: ['Ingress'] });
    expect(await change((each) => each.upsert(deny))).toMatchObject({ cut: 1, restored: 0 });
    await fallsSilent(talk);
    // Its answers come in, too, but nobody asks for them.
    await speaks(other);
    expect(await change((each) => each.remove(deny))).toMatchObject({ cut: 0, restored: 1 });
    await speaks(talk);
  },
);

test.each(FAMILIES)(
  'over IPv%i a flow to a service is judged by the pod and port that answer',
  async (family) => {
    await using talk = new Talk(world.far, 'tcp', FLOW_SERVICE[family], 80);
    await speaks(talk);
    const allow = (port: number) =>
      networkPolicy({ policyTypes: ['Ingress'], ingress: [{ ports: [{ port }] }] });
    expect(await change((each) => each.upsert(allow(PORT)))).toMatchObject({ judged: 1, cut: 0 });
    expect(await change((each) => each.upsert(allow(80)))).toMatchObject({ judged: 1, cut: 1 });
    await fallsSilent(talk);
    expect(await change((each) => each.upsert(allow(PORT)))).toMatchObject({ judged: 1, restored: 1 });
    await speaks(talk);
  },
);

test('the mark of others stays, flows of no pod here are left alone, and changes during a walk share the next one', async () => {
  world.nft(MARKS);
  await using talk = new Talk(world.far, 'udp', FLOW_POD[4], PORT);
  await using foreign = new Talk(world.node, 'udp', FLOW_FAR[4], PORT);
  await speaks(talk);
  await speaks(foreign);
  const marks = () =>
    world
      .sh(world.node, 'conntrack -L -p udp 2>/dev/null')
      .split('\n')
      .filter((line) => line.includes(`dport=${PORT}`))
      .map((line) => [line.includes(FLOW_POD[4]), Number(/mark=(\d+)/.exec(line)?.[1])])
      .toSorted();
  const first = change((each) => each.upsert(networkPolicy({ policyTypes: ['Ingress'] })));
  // The walk begins with the next turn; what is asked then has to wait.
  await Promise.resolve();
  await Promise.resolve();
  const [second, third] = [cutter.enforce(() => false), cutter.enforce(() => true)];
  expect(await first).toMatchObject({ cut: 1 });
  expect(await second).toBe(await third);
  expect(await third).toMatchObject({ judged: 1, cut: 0, restored: 0 });
  expect(marks()).toEqual([
    [false, 5],
    [true, FLOW_CUT_MARK | 5],
  ]);
  await change((each) => each.upsert(networkPolicy({ policyTypes: ['Egress'] })));
  expect(marks()).toEqual([
    [false, 5],
    [true, 5],
  ]);
});

test('what a failed walk was to look at, the next one looks at, and nothing is asked of a cutter that is gone', async () => {
  await using talk = new Talk(world.far, 'udp', FLOW_POD[6], PORT);
  await speaks(talk);
  let isBroken = true;
  const breaking = new FlowCutter({
    namespace: world.namespace,
    isLocal: () => true,
    isAllowed: () => {
      if (isBroken) throw new RangeError('broken');
      return false;
    },
  });
  const isOfPod = ({ destination }: Flow) => destination === FLOW_POD[6];
  await expect(breaking.enforce(isOfPod)).rejects.toThrow('broken');
  isBroken = false;
  expect(await breaking.enforce(() => false)).toMatchObject({ judged: 1, cut: 1 });
  expect(await breaking.enforce(() => false)).toMatchObject({ judged: 0 });
  await breaking[Symbol.asyncDispose]();
  expect(() => breaking.enforce(() => true)).toThrow('flow cutter is used after it was closed');
});

test('among tens of thousands of flows none is passed over, and nobody else has to wait long', async () => {
  const count = 30_000;
  using socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace: world.namespace });
  expect(socket.transactSync(Array.from({ length: count }, (_, number) => newFlow(number)))).toEqual([]);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const outcome = await change((each) => each.upsert(networkPolicy({ policyTypes: ['Ingress'] })));
  delays.disable();
  expect(outcome).toMatchObject({ judged: count, cut: count / 2 });
  expect(outcome.seen).toBeGreaterThanOrEqual(count);
  expect(delays.max / 1e6).toBeLessThan(100);
  expect(await change((each) => each.upsert(networkPolicy({ policyTypes: ['Egress'] })))).toMatchObject({
    judged: count,
    cut: count / 2,
    restored: count / 2,
  });
});

/** Every second one from the pod to elsewhere, the others to it; each of its own port. */
function newFlow(number: number): Uint8Array {
  const [pod, far] = [FLOW_POD[4], FLOW_FAR[4]];
  const [source, destination] = number % 2 === 0 ? [pod, far] : [far, pod];
  const [sourcePort, destinationPort] = [1024 + number, 53];
  return encodeMessage(conntrackMessage, {
    type: 0x100,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    payload: {
      family: 2,
      version: 0,
      resourceId: 0,
      attributes: {
        original: { ip: { source, destination }, protocol: { number: 17, sourcePort, destinationPort } },
        reply: {
          ip: { source: destination, destination: source },
          protocol: { number: 17, sourcePort: destinationPort, destinationPort: sourcePort },
        },
        timeout: 600,
      },
    },
  });
}
