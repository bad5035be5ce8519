/**
 * What tests could leave behind on the host: named network namespaces, links, nf_tables tables, files of ours, and
 * processes. Looked at before and after the privileged tiers; what is new afterwards is a fault.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Kind of thing to the names of what is there. */
export type HostState = Readonly<Record<string, readonly string[]>>;

/** The variable that marks every process started by a test run, by its inheritance. */
export const RUN_MARK = 'POPLIN_TEST_RUN';

/** Reads the host's state; `runId` is the value of RUN_MARK in the processes to look for. */
export function readHostState(runId: string): HostState {
  return {
    namespace: listFolder('/run/netns'),
    link: listFolder('/sys/class/net'),
    'nft table': listTables(),
    file: ['/run/poplin', '/var/lib/poplin'].flatMap((folder) =>
      listFolder(folder).map((name) => join(folder, name)),
    ),
    process: listProcesses(runId),
  };
}

/** What is in `after` and was not in `before`, as `link poplin0`. */
export function leftovers(before: HostState, after: HostState): string[] {
  return Object.entries(after).flatMap(([kind, names]) =>
    names.filter((name) => before[kind]?.includes(name) !== true).map((name) => `${kind} ${name}`),
  );
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path).toSorted();
  } catch {
    return [];
  }
}

function listTables(): string[] {
  try {
    const text = execFileSync('nft', ['list', 'tables'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.split('\n').filter((line) => line !== '');
  } catch {
    return []; // no nft, or a kernel without nf_tables
  }
}

/** Processes that carry the mark, and those that run our bundle, whoever started them. */
function listProcesses(runId: string): string[] {
  return listFolder('/proc').flatMap((pid) => {
    if (!/^[0-9]+$/.test(pid) || pid === String(process.pid)) return [];
    const command = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim();
    const isOurs =
      readProc(pid, 'environ').split('\0').includes(`${RUN_MARK}=${runId}`) ||
      command.includes('dist/poplin');
    return isOurs && command !== '' ? [`${pid}: ${command} (${namespaceOf(pid)})`] : [];
  });
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it has ended, or is not ours to read
  }
}

function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return 'ended';
  }
}
