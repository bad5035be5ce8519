/** Where an agent's files lie: the known places below a root that is `/` on a host and a folder of its own for a lab node. */
import { join } from 'node:path';
import { POLICY_NAMES_FILE } from '#io/policy-names/index.ts';
import { WIREGUARD_KEY_FILE } from '#io/wireguard-key/index.ts';

export interface AgentPaths {
  /** The CNI plugins' socket, root only. */
  readonly cniSocket: string;
  /** HTTP for `poplin status`, root only. */
  readonly statusSocket: string;
  /** DELs recorded by the plugin while no agent was there. */
  readonly cniPending: string;
  /** The journal of attached pods. */
  readonly attachments: string;
  /** What was last known of policies, for a start without the store. */
  readonly policy: string;
  /** What names in policies were seen to stand for. */
  readonly policyNames: string;
  /** One file for each lease of a DHCP server. */
  readonly dhcp: string;
  /** host-local's folders, one for each network, as the reference plugin has them. */
  readonly hostLocal: string;
  /** What was last known of the lease, for a start without the store. */
  readonly lease: string;
  readonly subnetEnv: string;
  /** The same without the root before it, as agentPaths takes it. */
  readonly subnetFile: string;
  /** What the probe of checksum offload found on this boot. */
  readonly checksumOffload: string;
  /** Tells this machine from others of its name, where no Node object does. */
  readonly identity: string;
  /** Of the process that carries the packets of the backend `udp`. */
  readonly tunnelSocket: string;
  /** Which networks this host is a node of (host-networks.ts). */
  readonly networks: string;
}

/** Where the WireGuard key is: flannel's place for it, or as its variable says. */
export function wireguardKeyFile(
  root: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  return env['WIREGUARD_KEY_FILE'] || join(root, WIREGUARD_KEY_FILE);
}

/** flannel's place for it. */
const SUBNET_ENV = '/run/flannel/subnet.env';

/** `network`: the name of a further network, whose agent has its own status, lease and tunnel. */
export function agentPaths(root: string, subnetFile?: string, network?: string): AgentPaths {
  const at = (path: string) => join(root, path);
  const [run, state] = ['/run/poplin', '/var/lib/poplin'].map((folder) =>
    network === undefined ? folder : `${folder}/network-${network}`,
  );
  const usualFile = network === undefined ? SUBNET_ENV : `/run/flannel/${network}.env`;
  return {
    cniSocket: at('/run/poplin/cni.sock'),
    statusSocket: at(`${run}/agent.sock`),
    cniPending: at('/var/lib/poplin/cni/pending'),
    attachments: at('/var/lib/poplin/cni/attachments'),
    policy: at('/var/lib/poplin/policy'),
    policyNames: at(POLICY_NAMES_FILE),
    dhcp: at('/var/lib/poplin/cni/dhcp'),
    hostLocal: at('/var/lib/cni/networks'),
    lease: at(`${state}/lease.json`),
    subnetEnv: at(subnetFile ?? usualFile),
    subnetFile: subnetFile ?? usualFile,
    checksumOffload: at('/run/poplin/checksum-offload.json'),
    identity: at('/var/lib/poplin/node-id'),
    tunnelSocket: at(`${run}/tunnel.sock`),
    networks: at('/var/lib/poplin/networks'),
  };
}
