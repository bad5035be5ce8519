/** The files of the plugin flannel: the node's subnet, and for each interface the configuration its delegate was called with. */
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  CNI_ERROR,
  CniError,
  type DelegateConfig,
  parseSavedDelegate,
  parseSavedName,
  type SavedFor,
  type SavedPaths,
  type SubnetFacts,
  USUAL_INTERFACE,
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

/** A file of `dataDir`; without `delegate` it is whole no more, or none of ours or flannel's. */
export interface SavedFile {
  readonly path: string;
  readonly text: string;
  readonly delegate?: DelegateConfig;
  /** Of the interface it is about, where it tells. */
  readonly ifName?: string;
}

/**
 * The file that an interface's delegate was kept in: its own, or the one that has flannel's name, if that is of this network and of no
 * other interface; what is broken there counts as this one's. Throws CniError 5.
 */
export function findSaved(
  { own, flannels }: SavedPaths,
  { network, ifName }: SavedFor,
): SavedFile | undefined {
  const found = readSaved(own);
  if (found !== undefined) return found;
  const usual = readSaved(flannels);
  const isOf =
    usual?.delegate === undefined ||
    (usual.delegate.name === network && (usual.ifName === undefined || usual.ifName === ifName));
  return isOf ? usual : undefined;
}

/** Where an interface's delegate is to be kept that has no file yet: under flannel's name if it is the usual one, and the name is free. */
export function placeToSave({ own, flannels }: SavedPaths, { ifName }: SavedFor): string {
  return ifName === USUAL_INTERFACE && readSaved(flannels) === undefined ? flannels : own;
}

function readSaved(path: string): SavedFile | undefined {
  try {
    const text = readRegularFile(path, MAX_SAVED_BYTES);
    return { path, text, ...parseSavedDelegate(text) };
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined;
    throw new CniError(CNI_ERROR.ioFailure, `cannot read ${path}`, String(error), { cause: error });
  }
}

/** Writes such a file, whole or not at all, readable by root alone as flannel's. Rejects with CniError 5. */
export async function writeSaved(path: string, text: string): Promise<void> {
  try {
    await ensureDir(dirname(path), 0o700);
    await atomicWrite(path, text, { mode: 0o600 });
  } catch (error) {
    throw new CniError(CNI_ERROR.ioFailure, `cannot write ${path}`, String(error), { cause: error });
  }
}

/** The files of a network's interfaces that tell what their delegate was called with. Throws CniError 5. */
export function savedOfNetwork(
  dataDir: string,
  network: string,
): (Required<Pick<SavedFile, 'path' | 'delegate'>> &
  Pick<SavedFor, 'containerId'> &
  Pick<SavedFile, 'ifName'>)[] {
  return namesIn(dataDir).flatMap((name) => {
    const told = parseSavedName(name);
    if (told === undefined || (told.network ?? network) !== network) return [];
    const saved = readSaved(join(dataDir, name));
    if (saved?.delegate?.name !== network) return [];
    const { path, delegate } = saved;
    const ifName = told.ifName ?? saved.ifName;
    return [{ containerId: told.containerId, path, delegate, ...(ifName !== undefined && { ifName }) }];
  });
}

function namesIn(dataDir: string): string[] {
  try {
    return readdirSync(dataDir);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw new CniError(CNI_ERROR.ioFailure, `cannot read dataDir ${dataDir}`, String(error), {
      cause: error,
    });
  }
}
