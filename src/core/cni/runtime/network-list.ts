/**
 * A network configuration as administrators write it: a .conflist, or a .conf with one plugin, which becomes a list of one.
 * Specification 1.1.0, section 1; the booleans may be strings, as libcni allows. Which file is read is the caller's business.
 */
import { checkNetworkName } from '../spec/environment.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import { isJsonObject, type JsonObject, parseJsonObject } from '../spec/json.ts';
import { statedVersion } from '../spec/network-config.ts';
import { selectVersion } from '../spec/version.ts';

export interface NetworkList {
  readonly name: string;
  /** The version to speak with the plugins: the highest we share. It may be one we do not know, if the list names no other. */
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  readonly disableGc: boolean;
  /** If false, `<confdir>/<name>/*.conf` are appended to the plugins. */
  readonly loadOnlyInlinedPlugins: boolean;
  /** The plugins' configurations as written; each has a `type`. */
  readonly plugins: readonly JsonObject[];
}

/** Reads a .conflist or .conf text, comments allowed; throws CniError 6 or 7 that names `what` (a file name, say). */
export function parseNetworkList(text: string, what = 'network config list'): NetworkList {
  const json = parseJsonObject(text, what);
  const isSingle = json['plugins'] === undefined && json['type'] !== undefined;
  return isSingle ? listOfOne(json, what) : readList(json, what);
}

/**
 * The list as text that needs no other file: what a record keeps. Plugins from the network's folder are inlined, and nothing more
 * is to be loaded behind them.
 */
export function encodeNetworkList(list: NetworkList): string {
  const { name, cniVersion, disableCheck, disableGc, plugins } = list;
  return JSON.stringify({
    cniVersion,
    name,
    ...(disableCheck && { disableCheck }),
    ...(disableGc && { disableGC: true }),
    loadOnlyInlinedPlugins: true,
    plugins,
  });
}

/** Reads one plugin's configuration, such as those in the folder of a network's name; throws CniError 6 or 7. */
export function parsePluginConf(text: string, what = 'plugin config'): JsonObject {
  return checkPlugin(parseJsonObject(text, what), what);
}

/** The list with further plugins behind its own; throws CniError 7 if there are none at all. */
export function withPlugins(list: NetworkList, more: readonly JsonObject[]): NetworkList {
  const plugins = list.loadOnlyInlinedPlugins ? list.plugins : [...list.plugins, ...more];
  if (plugins.length === 0) throw invalid(`network ${list.name}`, 'no plugin configs found');
  return { ...list, plugins };
}

function listOfOne(json: JsonObject, what: string): NetworkList {
  return {
    name: nameOf(json, what),
    cniVersion: statedVersion(json),
    disableCheck: false,
    disableGc: false,
    loadOnlyInlinedPlugins: true,
    plugins: [checkPlugin(json, what)],
  };
}

function readList(json: JsonObject, what: string): NetworkList {
  const versions = json['cniVersions'] ?? [];
  if (!Array.isArray(versions) || !versions.every((version) => typeof version === 'string')) {
    throw invalid(what, 'cniVersions: it is not a list of strings');
  }
  const stated = json['cniVersion'] === undefined ? undefined : statedVersion(json);
  const loadOnlyInlinedPlugins = flag(json, 'loadOnlyInlinedPlugins', what);
  const plugins = json['plugins'];
  if (plugins === undefined && loadOnlyInlinedPlugins) {
    throw invalid(what, '"loadOnlyInlinedPlugins" is true, and there is no "plugins" key');
  }
  if (plugins !== undefined && !Array.isArray(plugins)) throw invalid(what, 'plugins: it is not a list');
  if (plugins?.length === 0) throw invalid(what, 'no plugins in list');
  return {
    name: nameOf(json, what),
    cniVersion: selectVersion(stated, versions),
    disableCheck: flag(json, 'disableCheck', what),
    disableGc: flag(json, 'disableGC', what),
    loadOnlyInlinedPlugins,
    plugins: (plugins ?? []).map((plugin, index) => checkPlugin(plugin, `${what}: plugins[${index}]`)),
  };
}

function nameOf(json: JsonObject, what: string): string {
  const name = json['name'];
  if (typeof name !== 'string')
    throw invalid(what, name === undefined ? 'no name' : 'name: it is not a string');
  const error = checkNetworkName(name);
  if (error) throw invalid(what, error.message);
  return name;
}

function checkPlugin(plugin: unknown, what: string): JsonObject {
  if (!isJsonObject(plugin)) throw invalid(what, 'it is not a JSON object');
  const type = plugin['type'];
  if (typeof type !== 'string' || type === '') throw invalid(what, "missing 'type'");
  if (/[/\\]/.test(type) || type === '.' || type === '..') {
    throw invalid(what, `type: ${JSON.stringify(type)} is not a plugin's name: it may not be a path`);
  }
  return plugin;
}

function flag(json: JsonObject, key: string, what: string): boolean {
  const value = json[key] ?? false;
  const text = typeof value === 'string' ? value.toLowerCase() : value;
  if (text === true || text === 'true') return true;
  if (text === false || text === 'false') return false;
  throw invalid(what, `${key}: ${JSON.stringify(value)} is neither true nor false`);
}

function invalid(what: string, details: string): CniError {
  return new CniError(CNI_ERROR.invalidNetworkConfig, `error parsing ${what}`, details);
}
