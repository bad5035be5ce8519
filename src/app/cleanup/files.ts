/** Poplin's files on a host, below a root that is `/` there. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AgentPaths } from '#app/agent/index.ts';
import { networkOf, parsePrefix } from '#base/ip/index.ts';
import { messageOf, type Row } from './report.ts';

/** Folders of Poplin alone, and what in them stays, with the reason. */
const FOLDERS: readonly (readonly [folder: string, kept: readonly (readonly [RegExp, string])[]])[] = [
  ['/run/poplin', [[/^lab$/, 'labs: poplin lab down']]],
  [
    '/var/lib/poplin',
    [
      [/^cni-install\.json$/, 'plugins are installed: poplin cni uninstall'],
      [/^apiserver\.db/, 'the database of poplin apiserver'],
    ],
  ],
];

/** Removes them, or tells of them only. */
export function removeFiles(root: string, isDry: boolean): Row[] {
  const rows: Row[] = [];
  for (const [folder, kept] of FOLDERS) {
    const place = join(root, folder);
    for (const name of namesIn(place)) {
      const path = join(place, name);
      const reason = kept.find(([pattern]) => pattern.test(name))?.[1];
      rows.push(reason === undefined ? removePath(path, isDry) : { what: path, done: 'kept', reason });
    }
    if (!isDry) removeIfEmpty(place);
  }
  return rows;
}

/** The file by which flannel, or this node's agent, told others of the node's subnet. */
export function removeFlannelEnv({ subnetEnv }: Pick<AgentPaths, 'subnetEnv'>, isDry: boolean): Row[] {
  if (readText(subnetEnv) === undefined) return [];
  const row = removePath(subnetEnv, isDry);
  if (!isDry) removeIfEmpty(dirname(subnetEnv));
  return [row];
}

/** Of one network of several: its subnet.env, its folders and its claim; what all networks share stays. */
export function removeNetworkFiles(number: number, paths: AgentPaths, isDry: boolean): Row[] {
  const rows = removeSubnetEnv(paths, isDry);
  const { statusSocket, lease, tunnelSocket, networks } = paths;
  const places = number === 0 ? [statusSocket, lease, tunnelSocket] : [dirname(statusSocket), dirname(lease)];
  for (const path of [...places, join(networks, `${number}.json`)])
    if (existsSync(path)) rows.push(removePath(path, isDry));
  return rows;
}

/** While lease.json is there: it tells whether subnet.env is ours. */
export function removeSubnetEnv({ subnetEnv, lease }: AgentPaths, isDry: boolean): Row[] {
  const text = readText(subnetEnv);
  if (text === undefined) return [];
  const told = subnetsOf(text, /^FLANNEL_(?:IPV6_)?SUBNET=(.*)$/gm);
  const held = subnetsOf(readText(lease) ?? '', /"ipv[46]":"([^"]*)"/g);
  const isOurs = told.length > 0 && told.join() === held.join();
  if (!isOurs) return [{ what: subnetEnv, done: 'kept', reason: 'it names no subnet that Poplin held here' }];
  const row = removePath(subnetEnv, isDry);
  if (!isDry) removeIfEmpty(dirname(subnetEnv));
  return [row];
}

/** The networks of the prefixes that a pattern finds, sorted. */
function subnetsOf(text: string, pattern: RegExp): string[] {
  return Array.from(text.matchAll(pattern), ([, prefix = '']) => prefix)
    .flatMap((prefix) => (parsePrefix(prefix) === undefined ? [] : [networkOf(prefix)]))
    .sort();
}

export function removePath(path: string, isDry: boolean): Row {
  if (isDry) return { what: path, done: 'would be removed' };
  try {
    rmSync(path, { recursive: true, force: true });
    return { what: path, done: 'removed' };
  } catch (error) {
    return { what: path, done: 'failed', reason: messageOf(error) };
  }
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something is in it, or it is a mount point, or was not there.
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
