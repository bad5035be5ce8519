/** Whatever somebody deletes or changes by hand in a node is back within a second, and packets flow again. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AgentLab, networkText, until } from './agent-world.ts';

const TOPOLOGY = `
nodes: 3
pods:
  a1: { node: node1 }
  b1: { node: node2 }
  c1: { node: node3, network: bridge }
`;

let lab: AgentLab;
beforeAll(async () => {
  lab = await AgentLab.up('repair', TOPOLOGY);
});
afterAll(() => lab?.[Symbol.asyncDispose]());

interface Damage {
  readonly what: string;
  /** The node that suffers. */
  readonly node?: string;
  /** Shell commands run in it; `facts` fills in the variables. */
  readonly command: string;
  /** Whose packets go by what was damaged. */
  readonly pair: readonly [from: string, to: string];
}

/** What the commands refer to, read from the lab. */
function facts(node: string, family: 4 | 6): Record<string, string> {
  const sh = (command: string) => lab.sh(node, command).trim();
  const device = family === 4 ? 'flannel.1' : 'flannel-v6.1';
  const other = lab.address('b1', family);
  const [, nextHop] = /via (\S+)/.exec(sh(`ip -${family} route get ${other}`)) ?? [];
  const pod = node === 'node3' ? 'c1' : 'a1';
  return {
    IP: `ip -${family}`,
    FAMILY: String(family),
    NOBODY: family === 4 ? '192.168.51.99' : 'fd51::99',
    DEV: device,
    ...(nextHop !== undefined && {
      SUBNET: sh(`ip -${family} route show via ${nextHop} dev ${device} | cut -d' ' -f1`),
      NEXTHOP: nextHop,
      MAC: sh(`ip -${family} neigh show ${nextHop} dev ${device} | sed 's/.*lladdr //; s/ .*//'`),
    }),
    PEER: lab.address('node2', family),
    OWN: sh(`ip -${family} -o address show dev ${device} scope global | awk '{print $4}'`),
    POD: lab.address(pod, family),
    POD_LINK: sh(`ip -o link | grep -o "[a-z0-9]*@.*cni:poplin/lab-${pod}/" | cut -d@ -f1`),
  };
}

const OVERLAY_DAMAGES: readonly Damage[] = [
  { what: "a remote subnet's route", command: '$IP route del $SUBNET', pair: ['a1', 'b1'] },
  { what: 'a remote neighbour', command: '$IP neigh del $NEXTHOP dev $DEV', pair: ['a1', 'b1'] },
  { what: 'a forwarding entry', command: 'bridge fdb del $MAC dev $DEV dst $PEER self', pair: ['a1', 'b1'] },
  { what: 'the VXLAN device', command: 'ip link del $DEV', pair: ['a1', 'b1'] },
  { what: 'the state of the VXLAN device', command: 'ip link set $DEV down', pair: ['a1', 'b1'] },
  {
    what: "the VXLAN device's MAC",
    command: 'ip link set $DEV address 02:00:00:00:00:01',
    pair: ['a1', 'b1'],
  },
  {
    what: "the VXLAN device's MTU",
    command: 'ip link set $DEV mtu 1300',
    pair: ['a1', 'b1'],
  },
  {
    what: "the VXLAN device's address",
    command: '$IP address del $OWN dev $DEV',
    pair: ['a1', 'b1'],
  },
  { what: 'the rule for nodes', command: '$IP rule del pref 10112', pair: ['a1', 'node2'] },
  {
    what: 'a route to a node',
    command: '$IP route del $PEER table 112',
    pair: ['a1', 'node2'],
  },
  { what: 'the table of nodes', command: '$IP route flush table 112', pair: ['a1', 'node2'] },
  {
    what: "a remote neighbour's MAC",
    command: '$IP neigh replace $NEXTHOP lladdr 02:00:00:00:00:01 dev $DEV nud permanent',
    pair: ['a1', 'b1'],
  },
  {
    what: "a forwarding entry's destination",
    command: 'bridge fdb replace $MAC dev $DEV dst $NOBODY self',
    pair: ['a1', 'b1'],
  },
  {
    what: 'all routes of ours',
    command: '$IP route flush proto 112; $IP route flush proto 113',
    pair: ['a1', 'b1'],
  },
];

const TABLE_DAMAGES: readonly Damage[] = [
  {
    what: 'an element of the set of peers',
    command: 'nft delete element inet poplin-overlay peers$FAMILY "{ $PEER }"',
    pair: ['a1', 'b1'],
  },
  {
    what: 'the rules of a chain',
    command: 'nft flush chain inet poplin-overlay input',
    pair: ['a1', 'b1'],
  },
  {
    what: 'the whole table',
    command: 'nft delete table inet poplin-overlay',
    pair: ['a1', 'b1'],
  },
  { what: 'all tables', command: 'nft flush ruleset', pair: ['a1', 'b1'] },
];

const POD_DAMAGES: readonly Damage[] = [
  { what: "a pod's route", command: '$IP route del $POD', pair: ['b1', 'a1'] },
  {
    what: "a pod's neighbour",
    command: '$IP neigh del $POD dev $POD_LINK',
    pair: ['b1', 'a1'],
  },
  { what: 'the state of a routed pod’s link', command: 'ip link set $POD_LINK down', pair: ['b1', 'a1'] },
  {
    what: 'the gateway of a routed pod',
    command: 'ip address flush dev $POD_LINK || true', // put back between its rounds, it calls itself incomplete
    pair: ['b1', 'a1'],
  },
  {
    what: 'the state of a bridged pod’s link',
    node: 'node3',
    command: 'ip link set $POD_LINK down',
    pair: ['a1', 'c1'],
  },
  {
    what: 'the membership in the bridge',
    node: 'node3',
    command: 'ip link set $POD_LINK nomaster',
    pair: ['a1', 'c1'],
  },
  {
    what: "the bridge's addresses",
    node: 'node3',
    command: 'ip address flush dev cni0 || true',
    pair: ['a1', 'c1'],
  },
  { what: 'the state of the bridge', node: 'node3', command: 'ip link set cni0 down', pair: ['a1', 'c1'] },
  { what: 'the bridge', node: 'node3', command: 'ip link del cni0', pair: ['a1', 'c1'] },
];

describe.for([
  ['overlay', OVERLAY_DAMAGES],
  ['nf_tables', TABLE_DAMAGES],
  ['pods', POD_DAMAGES],
] as const)('%s', ([, damages]) => {
  test.for(damages.flatMap((damage) => ([4, 6] as const).map((family) => ({ ...damage, family }))))(
    'IPv$family: $what is put back within a second',
    async ({ what, node = 'node1', command, pair: [from, to], family }) => {
      const netns = lab.netns(node);
      const before = networkText(netns);
      const { kernel } = await lab.ready(node);
      const variables = Object.entries(facts(node, family)).map(([name, value]) => `${name}='${value}'`);
      lab.sh(node, `${variables.join('; ')}; ${command}`);
      const damaged = performance.now();
      const repaired = await until(
        what,
        () => networkText(netns) === before && performance.now(),
        3000,
      ).catch(() => undefined);
      if (repaired === undefined) expect(networkText(netns), 'after 3 s').toBe(before);
      const ms = Math.round((repaired as number) - damaged);
      await until(`${from} → ${to}`, () => lab.reaches(from, to, family), 2000);
      const flowsMs = Math.round(performance.now() - damaged);
      console.log(`IPv${family} ${what}: back in ${ms} ms, an echo after ${flowsMs} ms`);
      expect(ms).toBeLessThan(1000);
      expect((await lab.ready(node)).kernel.ops, 'the damage was one').toBeGreaterThan(kernel.ops);
    },
  );
});

test('after all repairs the agents report nothing amiss', async () => {
  for (const node of ['node1', 'node2', 'node3']) {
    const status = await lab.ready(node);
    expect(status, node).toMatchObject({ problems: [], kernel: { failures: [], conflicts: [] } });
  }
});
