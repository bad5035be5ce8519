/**
 * Where delegates' configurations are kept, and for which interface. flannel's own plugin has one file for a container, named by its id,
 * and so room for one interface. Ours has that name for the interface that runtimes name, and another for further ones, so that a
 * container may have an interface in each of several networks, or two in one, with one `dataDir`.
 */
import { checkContainerId, checkInterfaceName, checkNetworkName } from '../../spec/environment.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { isJsonObject, type JsonObject } from '../../spec/json.ts';
import { FLANNEL_TYPE, type FlannelConfig, isPluginName } from './config.ts';
import type { DelegateConfig } from './delegate.ts';

/** The interface that a file without further word is about: the one that runtimes name. */
export const USUAL_INTERFACE = 'eth0';

/** An interface of a container in a network. */
export interface SavedFor {
  readonly containerId: string;
  readonly network: string;
  readonly ifName: string;
}

/** What a file's name tells: only the container where the name is flannel's. */
export type SavedName = Pick<SavedFor, 'containerId'> & Partial<SavedFor>;

export interface SavedPaths {
  /** As flannel's own plugin names it. */
  readonly flannels: string;
  /** For this interface alone. */
  readonly own: string;
}

/** Of the interface in the file that has flannel's name; flannel writes no such key, and no plugin reads it. */
const INTERFACE_KEY = 'poplin.dev/interface';
/** In none of the names. */
const SEPARATOR = '@';
const MAX_FILE_NAME_BYTES = 255;

/** The files there may be for an interface. Throws CniError 4 for names that the file system cannot take. */
export function savedPaths({ dataDir }: Pick<FlannelConfig, 'dataDir'>, of: SavedFor): SavedPaths {
  const { containerId, network, ifName } = of;
  const folder = dataDir.replace(/\/$/, '');
  const own = [containerId, network, ifName].join(SEPARATOR);
  // Characters of ids and network names are single bytes.
  const spare = MAX_FILE_NAME_BYTES - (ifName === USUAL_INTERFACE ? containerId.length : own.length);
  if (spare < 0)
    throw new CniError(
      CNI_ERROR.invalidEnvironment,
      `CNI_CONTAINERID is ${-spare} bytes too long: with network and interface it names a file of ${dataDir}`,
    );
  return { flannels: `${folder}/${containerId}`, own: `${folder}/${own}` };
}

/** What the name of a file of `dataDir` tells; undefined if it is that of no container. */
export function parseSavedName(name: string): SavedName | undefined {
  const [containerId = '', network, ...rest] = name.split(SEPARATOR);
  if (checkContainerId(containerId) !== undefined) return undefined;
  if (network === undefined) return { containerId };
  const ifName = rest.join(SEPARATOR);
  const isNamed = checkNetworkName(network) === undefined && checkInterfaceName(ifName) === undefined;
  return isNamed ? { containerId, network, ifName } : undefined;
}

/** What is kept: the configuration, and for which interface. */
export function encodeSavedDelegate(delegate: DelegateConfig, ifName: string): string {
  return JSON.stringify({ ...delegate, [INTERFACE_KEY]: ifName });
}

/** What a file of `dataDir` holds, ours or flannel's, which names no interface; undefined if it is no configuration of a plugin. */
export function parseSavedDelegate(
  text: string,
): { readonly delegate: DelegateConfig; readonly ifName?: string } | undefined {
  const json = jsonObjectOf(text);
  if (json === undefined) return undefined;
  const { [INTERFACE_KEY]: ifName, ...config } = json;
  const { name, type } = config;
  if (typeof name !== 'string' || typeof type !== 'string') return undefined;
  const isNamed = checkNetworkName(name) === undefined && isPluginName(type) && type !== FLANNEL_TYPE;
  if (!isNamed) return undefined;
  return { delegate: { ...config, name, type }, ...(typeof ifName === 'string' && { ifName }) };
}

function jsonObjectOf(text: string): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isJsonObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}
