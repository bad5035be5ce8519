/**
 * The subnets this node had before, to be asked for again: as an earlier agent wrote them down, or as flannel told the host. A wish only:
 * the registry says what the node holds, so what cannot be read is no wish.
 */
import type { IpPrefix } from '#base/ip/index.ts';
import { type AcquirerConfig, decodeSubnetEnv, SubnetEnvError } from '#core/lease/index.ts';
import { readTextIfExists } from '#io/files/index.ts';
import type { AgentPaths } from './paths.ts';

export async function readPreviousSubnets(
  paths: Pick<AgentPaths, 'lease' | 'subnetEnv'>,
): Promise<AcquirerConfig['previous']> {
  return (await fromLease(paths.lease)) ?? (await fromSubnetEnv(paths.subnetEnv));
}

async function fromLease(path: string): Promise<AcquirerConfig['previous']> {
  const text = await readTextIfExists(path);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as { ipv4?: IpPrefix; ipv6?: IpPrefix });
  } catch {
    return undefined;
  }
}

async function fromSubnetEnv(path: string): Promise<AcquirerConfig['previous']> {
  const text = await readTextIfExists(path);
  if (text === undefined) return undefined;
  try {
    const { subnet, ipv6Subnet } = decodeSubnetEnv(text, path);
    return {
      ...(subnet !== undefined && { ipv4: subnet }),
      ...(ipv6Subnet !== undefined && { ipv6: ipv6Subnet }),
    };
  } catch (error) {
    if (!(error instanceof SubnetEnvError)) throw error;
    return undefined;
  }
}
