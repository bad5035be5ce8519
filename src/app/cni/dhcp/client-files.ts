/** The records of DHCP clients on disk, one file for each, so that no lease is lost with the agent. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestHex } from '#base/hash.ts';
import { type Attachment, attachmentAlias } from '#core/cni/index.ts';
import { parseStoredClient, printStoredClient, type StoredClient } from './stored-lease.ts';

const SUFFIX = '.json';
const UNFINISHED = '.new';
const ASIDE = '.damaged';

export class ClientFiles {
  private readonly folder: string;

  /** Makes the folder. */
  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** All that can be read, and what is wrong with the others, which get `.damaged` behind their name. */
  load(): { clients: StoredClient[]; problems: string[] } {
    const clients: StoredClient[] = [];
    const problems: string[] = [];
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name);
      if (!name.endsWith(SUFFIX)) continue;
      try {
        const found = parseStoredClient(readFileSync(path, 'utf8'));
        if (typeof found !== 'string') {
          clients.push(found);
          continue;
        }
        problems.push(`${path}: ${found}; set aside as ${path}${ASIDE}`);
        renameSync(path, path + ASIDE);
      } catch (error) {
        problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return { clients, problems };
  }

  /** Whole or not at all. */
  save(client: StoredClient): void {
    const path = this.pathOf(client.attachment);
    writeFileSync(path + UNFINISHED, printStoredClient(client), { mode: 0o600 });
    renameSync(path + UNFINISHED, path);
  }

  remove(attachment: Attachment): void {
    rmSync(this.pathOf(attachment), { force: true });
  }

  private pathOf(attachment: Attachment): string {
    return join(this.folder, digestHex(attachmentAlias(attachment), 16) + SUFFIX);
  }
}
