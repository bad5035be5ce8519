/**
 * What this node attached, on disk below /run (an attachment does not outlive a boot): the host's objects of each pod and those that
 * pods share, so that an agent that comes back wants what it wanted, and removes nothing that runs.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestHex } from '#base/hash.ts';
import type { KernelObject } from '#core/kernel/index.ts';

export interface StoredPart {
  /** The part's name in the desired state. */
  readonly part: string;
  readonly objects: readonly KernelObject[];
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

  /** Writes a part, whole or not at all. No fsync: after a crash of the machine the pods are gone too. */
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
