/** The rows of the matrix of backends: those that every kernel has, and those that run in the virtual machine. docs/backends.md tells of each. */
import type { Row } from './cell.ts';

export const COMMON_ROWS: readonly Row[] = [
  {
    name: 'vxlan',
    backend: { Type: 'vxlan' },
    second: { Type: 'vxlan', VNI: 9 },
    third: 'behind a router',
    ways: ['device'],
    mtuBytes: [1450, 1430],
  },
  {
    name: 'vxlan with DirectRouting',
    backend: { Type: 'vxlan', VNI: 7, Port: 4789, DirectRouting: true },
    second: { Type: 'udp' },
    third: 'behind a router',
    ways: ['direct', 'device'],
    mtuBytes: [1450, 1430],
  },
  {
    name: 'host-gw',
    backend: { Type: 'host-gw' },
    second: { Type: 'host-gw' },
    third: 'near',
    ways: ['direct'],
    mtuBytes: [1500, 1500],
  },
  {
    name: 'udp',
    backend: { Type: 'udp', Port: 7890 },
    second: { Type: 'udp', Port: 7891 },
    third: 'behind a router',
    ways: ['device'],
    mtuBytes: [1472, 1452],
  },
];

/** A host has one network of ipip: the second is another. */
export const IPIP: Row = {
  name: 'ipip',
  backend: { Type: 'ipip' },
  second: { Type: 'vxlan' },
  third: 'behind a router',
  ways: ['device'],
  mtuBytes: [1480, 1460],
};

export const IPIP_DIRECT: Row = {
  name: 'ipip with DirectRouting',
  backend: { Type: 'ipip', DirectRouting: true },
  second: { Type: 'udp' },
  third: 'behind a router',
  ways: ['direct', 'device'],
  mtuBytes: [1480, 1460],
};

export const WIREGUARD: Row = {
  name: 'wireguard',
  backend: { Type: 'wireguard' },
  second: { Type: 'wireguard', ListenPort: 51_830, ListenPortV6: 51_831 },
  third: 'behind a router',
  ways: ['device'],
  mtuBytes: [1420, 1420],
};

export const WIREGUARD_AUTO: Row = {
  name: 'wireguard, mode auto, with a PSK',
  backend: {
    Type: 'wireguard',
    Mode: 'auto',
    PSK: 'cG9wbGluOiBhIHNlY3JldCBvZiBzb21lIGJ5dGVzIDo=',
    PersistentKeepaliveInterval: 25,
  },
  second: { Type: 'ipip' },
  third: 'behind a router',
  ways: ['device'],
  mtuBytes: [1420, 1420],
};

export const ALL_ROWS: readonly Row[] = [...COMMON_ROWS, IPIP, IPIP_DIRECT, WIREGUARD, WIREGUARD_AUTO];
