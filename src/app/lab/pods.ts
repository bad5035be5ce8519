/** Attaches a lab's pods as a container runtime does: the plugin on disk, run in the node, for `lo` and then for `eth0`. */

import { agentPaths } from '#app/agent/index.ts';
import { type IpAddress, prefixParts } from '#base/ip/index.ts';
import { addNetwork, type ExecPlugin, parseNetworkList } from '#core/cni/index.ts';
import type { LabPod, PodNetwork } from '#core/lab/index.ts';
import { createExecPlugin } from '#io/cni/exec/index.ts';
import { openNamespace, spawnIn } from '#io/namespace/index.ts';
import type { LabDir } from './lab-dir.ts';

const CNI_VERSION = '1.1.0';
/** All of a lab's networks share one name, so that host-local keeps one book of a node's addresses. */
const NETWORK = 'poplin';

/** Runs the pod's ADDs; the addresses it got. Rejects with the plugin's own error. */
export async function attachPod(dir: LabDir, pod: LabPod, subnets: readonly string[]): Promise<IpAddress[]> {
  const exec = nodeExec(dir, pod.node);
  const common = { containerId: `lab-${pod.name}`, netns: dir.namespace(pod.name), path: dir.file('bin') };
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name}`;
  await addNetwork(networkList([{ type: 'loopback' }]), { ...common, ifName: 'lo', args }, exec);
  const result = await addNetwork(
    networkList([pluginOf(pod.network, subnets)]),
    { ...common, ifName: 'eth0', args },
    exec,
  );
  const ips = (result['ips'] ?? []) as readonly { address: string }[];
  return ips.map((ip) => prefixParts(ip.address).address);
}

function networkList(plugins: readonly object[]) {
  return parseNetworkList(JSON.stringify({ cniVersion: CNI_VERSION, name: NETWORK, plugins }));
}

function pluginOf(network: PodNetwork, subnets: readonly string[]): object {
  if (network === 'poplin') return { type: 'poplin' };
  return {
    type: 'bridge',
    bridge: 'cni0',
    isDefaultGateway: true,
    ipam: { type: 'host-local', ranges: subnets.map((subnet) => [{ subnet }]) },
  };
}

function nodeExec(dir: LabDir, node: string): ExecPlugin {
  const paths = agentPaths(dir.nodeRoot(node));
  return createExecPlugin({
    environment: { POPLIN_CNI_SOCKET: paths.cniSocket, POPLIN_CNI_PENDING_DIR: paths.cniPending },
    spawn: (command, args, options) => {
      using namespace = openNamespace(dir.namespace(node));
      return spawnIn(namespace, command, args, options);
    },
  });
}
