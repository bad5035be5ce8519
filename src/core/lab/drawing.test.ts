import { expect, test } from 'vitest';
import { drawLab } from './drawing.ts';
import { demoTopology, parseTopology } from './topology.ts';

test('the demonstration is drawn with the overlay down its right side', () => {
  const drawing = drawLab({
    topology: demoTopology(),
    leases: new Map([
      ['node1', ['10.10.1.0/24', 'fd10:0:0:1::/64']],
      ['node2', ['10.10.20.0/24', 'fd10:0:0:20::/64']],
      ['node3', ['10.10.3.0/24', 'fd10:0:0:3::/64']],
    ]),
    podAddresses: new Map([
      ['pod1', ['10.10.1.2', 'fd10:0:0:1::2']],
      ['pod2', ['10.10.1.3', 'fd10:0:0:1::3']],
      ['pod3', ['10.10.20.2', 'fd10:0:0:20::2']],
      ['pod4', ['10.10.20.3', 'fd10:0:0:20::3']],
      ['pod5', ['10.10.3.2', 'fd10:0:0:3::2']],
      ['pod6', ['10.10.3.3', 'fd10:0:0:3::3']],
    ]),
    notes: new Map([['node2', 'AGENT: it does not answer']]),
  });
  expect(`${drawing}\n`).toBe(`\
router  192.168.51.1  fd51:a::1  192.168.52.1  fd51:b::1
├─ rack-a  192.168.51.0/24  fd51:a::/64
│  ├─ node1  192.168.51.11  fd51:a::b
│  │  ├─ flannel.1  10.10.1.0/24   fd10:0:0:1::/64  ═══════════════╗
│  │  ├─ pod1       10.10.1.2      fd10:0:0:1::2     routed veth   ║
│  │  └─ pod2       10.10.1.3      fd10:0:0:1::3     routed veth   ║
│  └─ node2  192.168.51.12  fd51:a::c  AGENT: it does not answer   ║
│     ├─ flannel.1  10.10.20.0/24  fd10:0:0:20::/64  ══════════════╣
│     ├─ pod3       10.10.20.2     fd10:0:0:20::2    routed veth   ║
│     └─ pod4       10.10.20.3     fd10:0:0:20::3    routed veth   ║
└─ rack-b  192.168.52.0/24  fd51:b::/64                            ║
   └─ node3  192.168.52.11  fd51:b::b                              ║
      ├─ flannel.1  10.10.3.0/24   fd10:0:0:3::/64  ═══════════════╝
      ├─ pod5       10.10.3.2      fd10:0:0:3::2     routed veth
      └─ pod6       10.10.3.3      fd10:0:0:3::3     routed veth

══ VXLAN joins the nodes: flannel.1 for IPv4, flannel-v6.1 for IPv6, UDP port 8472
`);
});

test('one node alone is joined to nothing', () => {
  const parsed = parseTopology('nodes: 1\npods: 1\nsubnets: { lan: { ipv6: "fd51::/64" } }', 'lab.yaml');
  if (!parsed.ok) throw new Error('not parsed');
  const drawing = drawLab({
    topology: parsed.value,
    leases: new Map([['node1', ['fd10:0:0:1::/64']]]),
    podAddresses: new Map([['pod1', ['fd10:0:0:1::2']]]),
  });
  expect(`${drawing}\n`).toBe(`\
router  fd51::1
└─ lan  fd51::/64
   └─ node1  fd51::b
      ├─ flannel-v6.1  fd10:0:0:1::/64
      └─ pod1          fd10:0:0:1::2    routed veth
`);
});
