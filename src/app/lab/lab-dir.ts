/** Where a lab's files lie: below /run for root, else in a folder of the user's own. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Topology } from '#core/lab/index.ts';

/** What is needed to take a lab down though its supervisor is gone. */
export interface LabRecord {
  readonly topology: Topology;
  readonly supervisorPid: number;
  /** Processes with their start times (field 22 of /proc/PID/stat), so that no stranger of the same number is ended. */
  readonly processes: readonly { readonly pid: number; readonly startTime: string }[];
  /** The supervisor runs in a user namespace of its own. */
  readonly rootless: boolean;
  readonly since: string;
}

export class LabDir {
  readonly name: string;
  readonly path: string;
  private readonly namespaces: string;
  private readonly prefix: string;

  constructor(name: string) {
    this.name = name;
    this.path = join(labsFolder(), name);
    const shared = isRealRoot();
    this.namespaces = shared ? '/run/netns' : join(this.path, 'netns');
    this.prefix = shared ? `poplin-${name}-` : '';
  }

  /** The file of a node's, pod's or the fabric's namespace; for root a name that `ip netns` knows. */
  namespace(member: string): string {
    return join(this.namespaces, this.prefix + member);
  }

  /** The root of a node's files. */
  nodeRoot(node: string): string {
    return join(this.path, 'nodes', node);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  get exists(): boolean {
    return existsSync(this.file('lab.json'));
  }

  record(): LabRecord {
    return JSON.parse(readFileSync(this.file('lab.json'), 'utf8')) as LabRecord;
  }

  make(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
  }
}

/** The fabric's name among a lab's namespaces; no node or pod can have it, their names hold no dot. */
export const FABRIC = 'fabric.';

/** True for the machine's own root, false in a user namespace of an ordinary user. */
export function isRealRoot(): boolean {
  return process.geteuid?.() === 0 && process.env['POPLIN_LAB_OWNER'] === undefined;
}

/** Names of the labs of this user that are up, or were. */
export function listLabs(): string[] {
  const folder = labsFolder();
  return existsSync(folder) ? readdirSync(folder).filter((name) => new LabDir(name).exists) : [];
}

/** Inside a user namespace the user is 0 to himself; who he is outside is handed down. */
function labsFolder(): string {
  if (isRealRoot()) return '/run/poplin/lab';
  return `/tmp/poplin-${process.env['POPLIN_LAB_OWNER'] ?? process.geteuid?.()}/lab`;
}
