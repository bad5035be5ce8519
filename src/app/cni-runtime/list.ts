/** `poplin cni list`: the attachments that runtimes recorded, and where its records can be read, those of this node's agent. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { agentPaths } from '#app/agent/index.ts';
import { readAttachments, type StoredPart } from '#app/cni/index.ts';
import { type CachedAttachment, decodeCachedAttachment, type JsonObject } from '#core/cni/index.ts';
import { cacheFolder } from '#io/cni/runtime-files/index.ts';
import { isNamespace } from './namespace-file.ts';
import { cacheDirOption } from './options.ts';
import { messageOf, note, print, reported, table } from './output.ts';

/** One row of the list; the keys are those of --json. */
export interface ListedAttachment {
  readonly network: string;
  readonly container: string;
  readonly interface: string;
  readonly addresses: readonly string[];
  /** Empty if it is not known. */
  readonly netns: string;
  /** Whether the namespace is still there. */
  readonly state: 'there' | 'gone' | 'unknown';
  /** Who recorded it: `runtime` (the cache directory), `agent`. */
  readonly recordedBy: readonly ('runtime' | 'agent')[];
}

interface ListFlags {
  readonly cacheDir: string;
  readonly rootDir: string;
  readonly json?: boolean;
}

export function listCommand(): Command {
  return new Command('list')
    .description('List the attachments of this node.')
    .addOption(cacheDirOption())
    .option('--root-dir <dir>', "the agent's --root-dir", '/')
    .option('--json', 'print a JSON array')
    .addHelpText(
      'after',
      `
Examples:
  poplin cni list
  poplin cni list --json | jq -r '.[] | select(.state == "gone") | .container'

STATE: there, gone (the namespace has ended: see "poplin cni gc"), unknown (no record says which it was).
RECORDED BY: runtime (a record in the cache directory), agent (Poplin's plugins made it). Exit status: 0.`,
    )
    .action((flags: ListFlags) =>
      reported('list', flags.json, async () => {
        const rows = merged([...(await recordedByRuntimes(flags)), ...recordedByAgent(flags.rootDir)]);
        const text = rows.length === 0 ? 'no attachments\n' : table([HEADER, ...rows.map(cells)]);
        print(flags.json, rows, text);
      }),
    );
}

const HEADER = ['NETWORK', 'CONTAINER', 'INTERFACE', 'ADDRESSES', 'STATE', 'RECORDED BY', 'NETNS'];

function cells(row: ListedAttachment): string[] {
  const addresses = row.addresses.join(',') || '-';
  const by = row.recordedBy.join(',');
  return [row.network, row.container, row.interface, addresses, row.state, by, row.netns || '-'];
}

async function recordedByRuntimes({ cacheDir }: ListFlags): Promise<ListedAttachment[]> {
  const rows: ListedAttachment[] = [];
  for (const { path, text } of await cacheFolder(cacheDir).all()) {
    try {
      rows.push(ofRecord(decodeCachedAttachment(text)));
    } catch (error) {
      note(`poplin cni list: passed over: ${path}: ${messageOf(error)}`);
    }
  }
  return rows;
}

function ofRecord({ network, containerId, ifName, netns, result }: CachedAttachment): ListedAttachment {
  return {
    network,
    container: containerId,
    interface: ifName,
    addresses: addressesOf(result),
    netns,
    state: stateOf(netns),
    recordedBy: ['runtime'],
  };
}

/** The addresses of a result of any version. */
function addressesOf(result: JsonObject): string[] {
  const listed = Array.isArray(result['ips']) ? (result['ips'] as JsonObject[]) : [];
  const single = [result['ip4'], result['ip6']].map((each) => (each as JsonObject | undefined)?.['ip']);
  return [...listed.map((ip) => ip['address']), ...single].filter((each) => typeof each === 'string');
}

/** What Poplin's plugins attached, by the agent's records; none where they cannot be read. */
export function recordedByAgent(rootDir: string): ListedAttachment[] {
  const paths = agentPaths(rootDir);
  let parts: StoredPart[];
  try {
    parts = readAttachments(paths.attachments);
  } catch {
    return [];
  }
  return parts.flatMap((stored) => {
    const { network, containerId, ifName } = stored.attachment;
    const { netns = '' } = stored;
    const owner = [containerId, ifName];
    const addresses =
      stored.dataDir === undefined
        ? []
        : reservedBy(join(rootedDataDir(stored.dataDir, rootDir), network), owner);
    return [
      {
        network,
        container: containerId,
        interface: ifName,
        addresses,
        netns,
        state: stateOf(netns),
        recordedBy: ['agent'] as const,
      },
    ];
  });
}

const DEFAULT_DATA_DIR = agentPaths('/').hostLocal;

function rootedDataDir(dataDir: string, rootDir: string): string {
  return dataDir === DEFAULT_DATA_DIR ? agentPaths(rootDir).hostLocal : dataDir;
}

/** What host-local's files say a container's interface holds. */
function reservedBy(folder: string, owner: readonly string[]): string[] {
  return filesIn(folder)
    .filter(({ name, text }) => /^[0-9a-f.:]+$/.test(name) && text.trim() === owner.join('\r\n'))
    .map(({ name }) => name)
    .sort();
}

/** The files of a folder that can be read; none if it cannot be. */
function filesIn(folder: string): { name: string; text: string }[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map(({ name }) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
  } catch {
    return [];
  }
}

function stateOf(netns: string): ListedAttachment['state'] {
  if (netns === '') return 'unknown';
  return isNamespace(netns) ? 'there' : 'gone';
}

/** One row for each attachment: the runtime's knowledge first, the agent's where that has none. */
export function merged(rows: readonly ListedAttachment[]): ListedAttachment[] {
  const byKey = new Map<string, ListedAttachment>();
  for (const row of rows) {
    const key = [row.network, row.container, row.interface].join('\n');
    const before = byKey.get(key);
    byKey.set(key, before === undefined ? row : both(before, row));
  }
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function both(a: ListedAttachment, b: ListedAttachment): ListedAttachment {
  return {
    ...a,
    addresses: a.addresses.length > 0 ? a.addresses : b.addresses,
    ...(a.netns === '' && { netns: b.netns, state: b.state }),
    recordedBy: [...new Set([...a.recordedBy, ...b.recordedBy])],
  };
}
