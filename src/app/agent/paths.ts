/** Where an agent's files lie: the known places below a root that is `/` on a host and a folder of its own for a lab node. */
import { join } from 'node:path';

export interface AgentPaths {
  /** The CNI plugins' socket, root only. */
  readonly cniSocket: string;
  /** HTTP for `poplin status`, root only. */
  readonly statusSocket: string;
  /** Orders for the udp backend's poplin-tunnel, root only. */
  readonly tunnelSocket: string;
  /** DELs recorded by the plugin while no agent was there. */
  readonly cniPending: string;
  /** One file for each attached pod. */
  readonly attachments: string;
  /** One file for each lease of a DHCP server. */
  readonly dhcp: string;
  /** host-local's folders, one for each network, as the reference plugin has them. */
  readonly hostLocal: string;
  /** What was last known of the lease, for a start without the store. */
  readonly lease: string;
  readonly subnetEnv: string;
  /** What the probe of checksum offload found on this boot. */
  readonly checksumOffload: string;
}

export function agentPaths(root: string): AgentPaths {
  const at = (path: string) => join(root, path);
  return {
    cniSocket: at('/run/poplin/cni.sock'),
    statusSocket: at('/run/poplin/agent.sock'),
    tunnelSocket: at('/run/poplin/tunnel.sock'),
    cniPending: at('/var/lib/poplin/cni/pending'),
    attachments: at('/var/lib/poplin/cni/attachments'),
    dhcp: at('/var/lib/poplin/cni/dhcp'),
    hostLocal: at('/var/lib/cni/networks'),
    lease: at('/var/lib/poplin/lease.json'),
    subnetEnv: at('/run/flannel/subnet.env'),
    checksumOffload: at('/run/poplin/checksum-offload.json'),
  };
}
