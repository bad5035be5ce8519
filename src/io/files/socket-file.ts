/**
 * A unix socket's file that is this process's own: put in place whole, and taken away only while it is still ours. A server told
 * to listen on the path itself would, when it closes, remove whatever is there by then: the socket of its successor, say.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { hasCode } from './files.ts';

export class SocketFile {
  private readonly path: string;
  private readonly identity: string;

  private constructor(path: string, identity: string) {
    this.path = path;
    this.identity = identity;
  }

  /**
   * Lets the server listen at `path`, in the place of any socket there, for this process's user only (mode 0600). Makes the folder
   * if need be, for that user too. Rejects with the system's error.
   */
  static async listen(server: Server, path: string): Promise<SocketFile> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Short, since the path of a socket must not have more than 107 bytes.
    const temporary = join(dirname(path), `.${randomBytes(3).toString('hex')}`);
    await bind(server, temporary);
    try {
      chmodSync(temporary, 0o600);
      const identity = identityOf(temporary);
      renameSync(temporary, path);
      return new SocketFile(path, identity);
    } catch (error) {
      server.close();
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** Removes the file if it is still the one that listen() made. Call it before the server closes: its inode is not reused until then. */
  remove(): void {
    try {
      if (identityOf(this.path) === this.identity) unlinkSync(this.path);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Nobody but us may connect between bind and chmod: the file is made with the mode the mask leaves.
    const mask = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

function identityOf(path: string): string {
  const { dev, ino } = lstatSync(path, { bigint: true });
  return `${dev}:${ino}`;
}
