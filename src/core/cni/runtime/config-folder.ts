/**
 * Choosing a network's configuration from a folder, as libcni does: lists (`*.conflist`) in the order of their names, the first of
 * the wanted network; failing that the old single files (`*.conf`, `*.json`); then `<folder>/<network>/*.conf` behind its plugins.
 * Unlike there, a broken file of another network is a warning, not the end.
 */
import { suggestionText } from '#core/config/index.ts';
import type { ConfigFiles } from '../ports.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import { type NetworkList, parseNetworkList, parsePluginConf, withPlugins } from './network-list.ts';

export interface LoadedNetwork {
  readonly list: NetworkList;
  /** The file it is from. */
  readonly path: string;
}

export interface LoadedFolder {
  /** In the order they are chosen from: of two with one name, the first counts. */
  readonly networks: readonly LoadedNetwork[];
  /** Files that could not be read, each in words that name it. */
  readonly problems: readonly string[];
}

/** The network of that name; throws CniError 7 that says which there are, or what is wrong with its own file. */
export async function loadNetwork(
  files: ConfigFiles,
  folder: string,
  name: string,
): Promise<LoadedNetwork & { readonly warnings: readonly string[] }> {
  const { networks, problems } = await loadFolder(files, folder);
  const found = networks.find(({ list }) => list.name === name);
  if (found !== undefined) {
    return { ...found, list: await withFolder(files, folder, found.list), warnings: problems };
  }
  const names = networks.map(({ list }) => list.name);
  const there = names.length === 0 ? [] : [`there are ${[...new Set(names)].join(', ')}`];
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    names.length + problems.length === 0
      ? `no net configurations found in ${folder}`
      : `no net configuration with name "${name}" in ${folder}${suggestionText(name, names)}`,
    [...there, ...problems].join('; '),
  );
}

/** Every network of a folder, without the plugins of its own folder; a folder that is not there is empty. */
export async function loadFolder(files: ConfigFiles, folder: string): Promise<LoadedFolder> {
  const names = [...(await files.names(folder))].sort();
  const ordered = [
    ...names.filter((name) => name.endsWith('.conflist')),
    ...names.filter((name) => /\.(conf|json)$/.test(name)),
  ];
  const networks: LoadedNetwork[] = [];
  const problems: string[] = [];
  for (const name of ordered) {
    const path = `${folder}/${name}`;
    try {
      networks.push({ path, list: parseNetworkList(await files.read(path), path) });
    } catch (error) {
      problems.push(error instanceof CniError ? error.message : `${path}: ${String(error)}`);
    }
  }
  return { networks, problems };
}

async function withFolder(files: ConfigFiles, folder: string, list: NetworkList): Promise<NetworkList> {
  if (list.loadOnlyInlinedPlugins) return withPlugins(list, []);
  const own = `${folder}/${list.name}`;
  const names = (await files.names(own)).filter((name) => name.endsWith('.conf')).sort();
  const paths = names.map((name) => `${own}/${name}`);
  const plugins = await Promise.all(paths.map(async (path) => parsePluginConf(await files.read(path), path)));
  return withPlugins(list, plugins);
}
