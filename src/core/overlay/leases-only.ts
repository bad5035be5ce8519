/** The backends that leave the carrying to others: `alloc`, and `extension`, whose commands are run by the agent. */
import type { AllocConfig, BackendData, ExtensionConfig } from '#core/lease/index.ts';
import type { Backend, Underlay } from './backend.ts';
import { podMtuBytes } from './mtu.ts';
import { poolTunnelLink } from './pool-tunnel.ts';

/** `told` is what the lease tells other nodes: of an extension, what its first command printed. */
export function leasesOnly(
  { type }: AllocConfig | ExtensionConfig,
  underlay: Underlay,
  told?: BackendData,
): Backend {
  return {
    type,
    podMtuBytes: (families) => podMtuBytes(underlay.mtuBytes, families, () => 0),
    offer: () => told,
    planLocal: () => [],
    planRemote: () => [],
    // Where BGP carries the network it may have tunnels.
    probedLinks: (families) =>
      type === 'alloc' ? families.map((family) => poolTunnelLink({ kind: 'vxlan', family })) : [],
  };
}
