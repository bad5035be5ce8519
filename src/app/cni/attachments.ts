/**
 * What this node attached, on disk: the host's objects of each pod and those that pods share, so that an agent that comes back wants
 * what it wanted and removes nothing that runs; and whose addresses are to be given back when a pod is gone without DEL.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestHex } from '#base/hash.ts';
import type { Attachment } from '#core/cni/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';

export interface StoredPart {
  /** The part's name in the desired state. */
  readonly part: string;
  /** Empty while its ADD is under way. */
  readonly objects: readonly KernelObject[];
  /** The attachment whose part this is; absent for what attachments of a network share. */
  readonly attachment?: Attachment;
  /** The folder host-local keeps the attachment's addresses in; absent where the addresses are not ours. */
  readonly dataDir?: string;
}

const SUFFIX = '.json';

export class AttachmentFiles {
  private readonly folder: string;

  /** The folder must exist. */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** All parts; files that cannot be read are removed and named in `damaged`. */
  load(): { parts: StoredPart[]; damaged: string[] } {
    const parts: StoredPart[] = [];
    const damaged: string[] = [];
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name);
      try {
        if (!name.endsWith(SUFFIX)) throw new Error('left by a write that did not end');
        parts.push(JSON.parse(readFileSync(path, 'utf8')) as StoredPart);
      } catch (error) {
        damaged.push(`${path}: ${(error as Error).message}`);
        rmSync(path, { force: true });
      }
    }
    return { parts, damaged };
  }

  /** Writes a part, whole or not at all. No fsync: what a crash of the machine takes with it belongs to pods that it took too. */
  save(stored: StoredPart): void {
    const path = this.pathOf(stored.part);
    writeFileSync(`${path}.new`, JSON.stringify(stored), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  remove(part: string): void {
    rmSync(this.pathOf(part), { force: true });
  }

  private pathOf(part: string): string {
    return join(this.folder, digestHex(part, 16) + SUFFIX);
  }
}
