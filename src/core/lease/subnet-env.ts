/** flannel's /run/flannel/subnet.env: how other software on the host learns the node's subnet. */
import { type IpPrefix, offsetIp, prefixParts } from '#base/ip/index.ts';
import type { SubnetLease } from './model.ts';
import type { NetConf } from './net-conf.ts';

/** The file's text. The subnet is written as flannel writes it: the first usable address with the subnet's length. */
export function encodeSubnetEnv(
  netConf: NetConf,
  lease: SubnetLease,
  mtuBytes: number,
  ipMasq: boolean,
): string {
  const lines: string[] = [];
  if (netConf.ipv4 && lease.ipv4) {
    lines.push(`FLANNEL_NETWORK=${netConf.ipv4.network}`, `FLANNEL_SUBNET=${hostForm(lease.ipv4.subnet)}`);
  }
  if (netConf.ipv6 && lease.ipv6) {
    lines.push(
      `FLANNEL_IPV6_NETWORK=${netConf.ipv6.network}`,
      `FLANNEL_IPV6_SUBNET=${hostForm(lease.ipv6.subnet)}`,
    );
  }
  lines.push(`FLANNEL_MTU=${mtuBytes}`, `FLANNEL_IPMASQ=${ipMasq}`);
  return `${lines.join('\n')}\n`;
}

function hostForm(subnet: IpPrefix): string {
  const { address, length } = prefixParts(subnet);
  return `${offsetIp(address, 1)}/${length}`;
}
