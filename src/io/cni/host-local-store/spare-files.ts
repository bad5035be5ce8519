/**
 * Files without a name, made before they are needed: ext4 looks up to a millisecond for an inode where many were freed in the last
 * minutes, and an ADD need not wait for it. They are nobody's until one is given a name, and gone if none is: at the latest when the
 * process ends. Where the file system knows no such files there are none.
 */
import { closeSync, constants, open } from 'node:fs';

/** open(2): a file in no folder, on the file system of this one. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const SPARES = 3;
/** A file system with an open file cannot be unmounted: they are kept while they are likely to be used. */
const KEPT_MS = 5000;

export class SpareFiles {
  private readonly folder: string;
  private readonly ready: number[] = [];
  private isMaking = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** A descriptor of an empty file of mode 0600, to be closed by the caller; undefined if none is ready. More are made meanwhile. */
  take(): number | undefined {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.discard(), KEPT_MS).unref();
    const fd = this.ready.pop();
    this.make();
    return fd;
  }

  private make(): void {
    if (this.isMaking || this.ready.length >= SPARES) return;
    this.isMaking = true;
    open(this.folder, O_TMPFILE | constants.O_RDWR, 0o600, (error, fd) => {
      this.isMaking = false;
      if (error !== null) return;
      this.ready.push(fd);
      if (this.timer === undefined) this.discard();
      else this.make();
    });
  }

  private discard(): void {
    this.timer = undefined;
    for (const fd of this.ready.splice(0)) closeSync(fd);
  }
}
