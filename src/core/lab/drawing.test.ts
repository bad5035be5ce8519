import { describe, expect, it } from 'vitest';
import { drawLab } from './drawing.ts';
import type { Topology } from './model.ts';
import { demoTopology } from './topology.ts';

const DEMO = demoTopology();
const leases = new Map(DEMO.nodes.map(({ name }, n) => [name, [`10.10.${n}.0/24`, `fd10:0:0:${n}::/64`]]));
const podAddresses = new Map(DEMO.pods.map(({ name }, n) => [name, [`10.10.${n >> 1}.${(n & 1) + 2}`]]));

describe('drawLab', () => {
  it('draws router, subnets, nodes, pods, and the overlay down the side', () => {
    const notes = new Map([['node2', 'agent down']]);
    expect(drawLab({ topology: DEMO, leases, podAddresses, notes })).toBe(
      `\
router  192.168.51.1  fd51:a::1  192.168.52.1  fd51:b::1
├─ rack-a  192.168.51.0/24  fd51:a::/64
│  ├─ node1  192.168.51.11  fd51:a::b
│  │  ├─ flannel.1  10.10.0.0/24  fd10:0:0:0::/64  ═╗
│  │  ├─ pod1       10.10.0.2     routed veth       ║
│  │  └─ pod2       10.10.0.3     routed veth       ║
│  └─ node2  192.168.51.12  fd51:a::c  agent down   ║
│     ├─ flannel.1  10.10.1.0/24  fd10:0:0:1::/64  ═╣
│     ├─ pod3       10.10.1.2     routed veth       ║
│     └─ pod4       10.10.1.3     routed veth       ║
└─ rack-b  192.168.52.0/24  fd51:b::/64             ║
   └─ node3  192.168.52.11  fd51:b::b               ║
      ├─ flannel.1  10.10.2.0/24  fd10:0:0:2::/64  ═╝
      ├─ pod5       10.10.2.2     routed veth
      └─ pod6       10.10.2.3     routed veth

══ VXLAN joins the nodes: flannel.1 for IPv4, flannel-v6.1 for IPv6, UDP port 8472`,
    );
  });

  it('draws no overlay where there is one node', () => {
    const alone: Topology = {
      ...DEMO,
      nodes: DEMO.nodes.slice(2),
      pods: [{ name: 'web', node: 'node3', network: 'bridge' }],
    };
    expect(drawLab({ topology: alone, leases: new Map(), podAddresses: new Map() })).toBe(
      `\
router  192.168.51.1  fd51:a::1  192.168.52.1  fd51:b::1
├─ rack-a  192.168.51.0/24  fd51:a::/64
└─ rack-b  192.168.52.0/24  fd51:b::/64
   └─ node3  192.168.52.11  fd51:b::b
      ├─ flannel.1
      └─ web        bridge cni0`,
    );
  });
});
