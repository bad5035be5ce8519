/** Where a lab's files lie: below /run for root, else in a folder of the user's own below /tmp. */
import { existsSync, lstatSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLabName, type Topology } from '#core/lab/index.ts';
import { LabError } from './lab-error.ts';
import { isPrivileged } from './privilege.ts';
import type { ProcessIdentity } from './processes.ts';

/** What is needed to take a lab down though its supervisor is gone. */
export interface LabRecord {
  readonly supervisor: ProcessIdentity;
  readonly agents: readonly ProcessIdentity[];
  /** The user namespace of a lab without root, as /proc/PID/ns/user reads: all that runs in it belongs to the lab. */
  readonly userNamespace?: string;
}

/** The fabric's name among a lab's namespaces; no node or pod can have it, their names hold no dot. */
const FABRIC_FILE = 'fabric.';

export class LabDir {
  readonly name: string;
  readonly path: string;
  private readonly namespaces: string;
  private readonly prefix: string;

  /** Throws LabError for what can be no lab's name. */
  constructor(name: string) {
    if (!isLabName(name)) throw new LabError(`"${name}" is not a name of a lab: 1 to 20 of a-z, 0-9 and -`);
    this.name = name;
    this.path = join(labsFolder(), name);
    const shared = isPrivileged();
    this.namespaces = shared ? '/run/netns' : join(this.path, 'netns');
    this.prefix = shared ? `poplin-${name}-` : '';
  }

  /** The file of a node's or pod's namespace; for root a name that `ip netns` knows. */
  namespace(member: string): string {
    return join(this.namespaces, this.prefix + member);
  }

  /** The file of the fabric's namespace, where there is one: without root it is the supervisor's own. */
  get fabric(): string {
    return this.namespace(FABRIC_FILE);
  }

  /** The root of a node's files. */
  nodeRoot(node: string): string {
    return join(this.path, 'nodes', node);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  get controlSocket(): string {
    return this.file('control.sock');
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Undefined while, or if, nothing was written down. */
  record(): LabRecord | undefined {
    return readJson(this.file('lab.json')) as LabRecord | undefined;
  }

  topology(): Topology | undefined {
    return readJson(this.file('topology.json')) as Topology | undefined;
  }

  writeRecord(record: LabRecord): void {
    this.write('lab.json', JSON.stringify(record));
  }

  /** Whole or not at all, for this user alone. */
  write(name: string, text: string): void {
    const path = this.file(name);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}

/** Names of the labs of this user that are up, or were. */
export function listLabs(): string[] {
  const folder = labsFolder();
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );
}

/** Inside a user namespace the user is 0 to himself; who he is outside is handed down. */
export function labsFolder(): string {
  return isPrivileged() ? '/run/poplin/lab' : join(userFolder(), 'lab');
}

/** Throws LabError if somebody else made the user's folder below /tmp, where everybody may. */
export function checkUserFolder(): void {
  if (isPrivileged() || !existsSync(userFolder())) return;
  const { uid, mode } = lstatSync(userFolder());
  if (uid === process.geteuid?.() && (mode & 0o170_077) === 0o040_000) return;
  throw new LabError(
    `${userFolder()} is not a folder of this user alone: remove it, it is not of Poplin's making`,
  );
}

function userFolder(): string {
  return `/tmp/poplin-${process.env['POPLIN_LAB_OWNER'] ?? process.geteuid?.()}`;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
