/** The files of the plugin flannel: the node's subnet, and for each container the configuration its delegate was called with. */
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  CNI_ERROR,
  CniError,
  checkContainerId,
  type DelegateConfig,
  parseSavedDelegate,
  type SubnetFacts,
} from '#core/cni/index.ts';
import { decodeSubnetEnv, SubnetEnvError } from '#core/lease/index.ts';
import { atomicWrite, ensureDir, hasCode, readRegularFile } from '#io/files/index.ts';

const MAX_SUBNET_FILE_BYTES = 64 * 1024;
const MAX_SAVED_BYTES = 4 * 1024 * 1024;

/** What the subnet file says. Throws CniError 11 if it is not there yet, 5 if it cannot be read, 7 if it lacks something. */
export function readSubnetFacts(path: string): SubnetFacts {
  try {
    const { network, ipv6Network, subnet, ipv6Subnet, mtuBytes, ipMasq } = decodeSubnetEnv(
      readRegularFile(path, MAX_SUBNET_FILE_BYTES),
      path,
    );
    return {
      networks: [...new Set([...network, ...ipv6Network])],
      subnets: [subnet, ipv6Subnet].filter((each) => each !== undefined),
      mtuBytes,
      ipMasq,
    };
  } catch (error) {
    if (error instanceof SubnetEnvError)
      throw new CniError(CNI_ERROR.invalidNetworkConfig, error.message, 'subnetFile', { cause: error });
    const isMissing = hasCode(error, 'ENOENT');
    throw new CniError(
      isMissing ? CNI_ERROR.tryAgainLater : CNI_ERROR.ioFailure,
      `cannot read subnetFile ${JSON.stringify(path)}`,
      isMissing ? 'it is written once this node holds a subnet: see what the agent says' : String(error),
      { cause: error },
    );
  }
}

/** A container's file: undefined if there is none. Throws CniError 5. */
export function readSaved(path: string): { text: string; delegate: DelegateConfig | undefined } | undefined {
  try {
    const text = readRegularFile(path, MAX_SAVED_BYTES);
    return { text, delegate: parseSavedDelegate(text) };
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw new CniError(CNI_ERROR.ioFailure, `cannot read ${path}`, String(error), { cause: error });
  }
}

/** Writes a container's file, whole or not at all, readable by root alone as flannel's. Rejects with CniError 5. */
export async function writeSaved(path: string, text: string): Promise<void> {
  try {
    await ensureDir(dirname(path), 0o700);
    await atomicWrite(path, text, { mode: 0o600 });
  } catch (error) {
    throw new CniError(CNI_ERROR.ioFailure, `cannot write ${path}`, String(error), { cause: error });
  }
}

/** The ids of the containers that have a file. */
export function savedContainers(dataDir: string): string[] {
  try {
    return readdirSync(dataDir).filter((name) => checkContainerId(name) === undefined);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw new CniError(CNI_ERROR.ioFailure, `cannot read dataDir ${dataDir}`, String(error), {
      cause: error,
    });
  }
}
