import { describe, expect, it } from 'vitest';
import { describeObject, type KernelObject, LAB, ownerOf, stateOf } from '#core/kernel/index.ts';
import type { LabNode, Topology } from './model.ts';
import { demoTopology } from './topology.ts';
import { apiAddresses, planCable, planFabric, planNode, planRouter, planRouterCables } from './underlay.ts';

const DEMO = demoTopology();
const node3 = DEMO.nodes[2] as LabNode;
const lines = (objects: readonly KernelObject[]) => `${objects.map(describeObject).join('\n')}\n`;

/** The demo with one family. */
function onlyIpv6(): Topology {
  const without = <T extends { ipv4?: string }>({ ipv4: _, ...rest }: T) => rest;
  return { ...DEMO, subnets: DEMO.subnets.map(without), nodes: DEMO.nodes.map(without) };
}

describe('planFabric', () => {
  it('is a bridge for each subnet with the router on it', () => {
    expect(lines(planFabric(DEMO))).toBe(
      `\
link lo type other up
sysctl net/ipv4/ip_forward=1
sysctl net/ipv6/conf/all/forwarding=1
link br0 type bridge up
address 192.168.51.1/24 dev br0
address fd51:a::1/64 dev br0
link br1 type bridge up
address 192.168.52.1/24 dev br1
address fd51:b::1/64 dev br1
`,
    );
  });

  it('has one family where the lab has one', () => {
    expect(lines(planFabric(onlyIpv6()))).toBe(
      `\
link lo type other up
sysctl net/ipv6/conf/all/forwarding=1
link br0 type bridge up
address fd51:a::1/64 dev br0
link br1 type bridge up
address fd51:b::1/64 dev br1
`,
    );
  });

  it("marks its links as the lab's", () => {
    const state = stateOf(planFabric(DEMO));
    const bridges = [...state.values()].filter(
      (object) => object.kind === 'link' && object.name.startsWith('br'),
    );
    expect(bridges.map((bridge) => ownerOf(bridge, state))).toEqual([LAB, LAB]);
  });
});

describe('a router of others', () => {
  const router = { name: 'leaf1', run: 'bird', config: '', host: 2 } as const;

  it('has a cable into every subnet', () => {
    const cables = planRouterCables(DEMO, router, '/run/netns/leaf1');
    expect(cables.map((cable) => cable.kind === 'link' && [cable.name, cable.master, cable.detail])).toEqual([
      [
        'router2-0',
        'br0',
        { type: 'veth', peer: { name: 'eth0', netns: '/run/netns/leaf1', mtuBytes: 1500 } },
      ],
      [
        'router2-1',
        'br1',
        { type: 'veth', peer: { name: 'eth1', netns: '/run/netns/leaf1', mtuBytes: 1500 } },
      ],
    ]);
  });

  it('forwards, and has its number everywhere', () => {
    expect(lines(planRouter(DEMO, router))).toBe(
      `\
link lo type other up
sysctl net/ipv4/ip_forward=1
sysctl net/ipv6/conf/all/forwarding=1
link eth0 type veth up
address 192.168.51.2/24 dev eth0
address fd51:a::2/64 dev eth0
link eth1 type veth up
address 192.168.52.2/24 dev eth1
address fd51:b::2/64 dev eth1
`,
    );
  });
});

describe('planCable', () => {
  it("joins a node's eth0 with the bridge of its subnet", () => {
    expect(planCable(DEMO, node3, '/run/netns/node3')).toEqual({
      kind: 'link',
      name: 'port2',
      detail: { type: 'veth', peer: { name: 'eth0', netns: '/run/netns/node3', mtuBytes: 1500 } },
      master: 'br1',
      mtuBytes: 1500,
      up: true,
      alias: 'poplin:lab:node node3',
    });
  });
});

describe('planNode', () => {
  it('is what a node has before any agent runs', () => {
    expect(lines(planNode(DEMO, node3))).toBe(
      `\
link lo type other up
link eth0 type veth up
address 192.168.52.11/24 dev eth0
address fd51:b::b/64 dev eth0
route 0.0.0.0/0 via 192.168.52.1 dev eth0
route ::/0 via fd51:b::1 dev eth0
`,
    );
    const topology = onlyIpv6();
    expect(lines(planNode(topology, topology.nodes[2] as LabNode))).toBe(
      `\
link lo type other up
link eth0 type veth up
address fd51:b::b/64 dev eth0
route ::/0 via fd51:b::1 dev eth0
`,
    );
  });

  it('refuses a node of no subnet', () => {
    expect(() => planNode(DEMO, { ...node3, subnet: 'z' })).toThrow(
      new RangeError('node node3 is in no subnet'),
    );
  });
});

describe('apiAddresses', () => {
  it("are the router's in the first subnet", () => {
    expect(apiAddresses(DEMO)).toEqual(['192.168.51.1', 'fd51:a::1']);
    expect(apiAddresses(onlyIpv6())).toEqual(['fd51:a::1']);
  });
});
