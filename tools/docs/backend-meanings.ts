/** What each key of `Backend` in net-conf.json means, for the reference. Types, limits and defaults are the schemas' (core/lease/backend.ts). */
import type { BACKEND_SCHEMAS, BackendType } from '#core/lease/index.ts';

/** Of every key but `Type`, which all have. */
export const BACKEND_MEANINGS: Readonly<{
  [T in BackendType]: Readonly<
    Record<Exclude<keyof (typeof BACKEND_SCHEMAS)[T]['in']['shape'], 'Type'>, string>
  >;
}> = {
  vxlan: {
    VNI: 'number of the VXLAN network; it is part of the device’s name',
    Port: 'UDP port of every node; 0 is 8472',
    GBP: 'group policy extension: the mark of a packet goes along to the other node',
    DirectRouting: 'nodes of the same network are reached by plain routes, others through the tunnel',
    Learning: 'the device learns senders’ MAC addresses',
    MTU: 'of outer packets, bytes; what is more than the underlay’s counts as the underlay’s, and so do 0 and none',
    MacPrefix: 'read for shared files; counts on Windows alone, as `0E-2A`',
    Name: 'read for shared files; counts on Windows alone',
  },
  udp: { Port: 'UDP port of every node' },
  'host-gw': {},
  wireguard: {
    PSK: 'secret of all nodes beside their keys: 32 bytes in base64, as `wg genpsk` prints; never shown',
    ListenPort: 'UDP port of every node; in mode `separate` that of IPv4',
    ListenPortV6: 'UDP port of every node for IPv6, in mode `separate`',
    MTU: 'of outer packets, bytes; what is more than the underlay’s counts as the underlay’s, and so do 0 and none',
    Mode: 'one device for each family (`separate`), or one for both, with outer packets of the family named or the one that fits (`auto`)',
    PersistentKeepaliveInterval: 'seconds between packets that keep a NAT’s entry alive; 0: none',
  },
  ipip: { DirectRouting: 'nodes of the same network are reached by plain routes, others through the tunnel' },
  ipsec: {
    PSK: 'secret of all nodes; never shown',
    UDPEncap: 'ESP in UDP',
    ESPProposal: 'algorithms, as strongSwan writes them',
  },
  alloc: {},
  extension: {
    PreStartupCommand: 'run first; what it prints is this node’s BackendData',
    PostStartupCommand: 'run once the node holds its lease, and again when that changes',
    SubnetAddCommand: 'run for each subnet of another node',
    SubnetRemoveCommand: 'run for each that goes',
  },
};
