/** Writes an archive in cpio's "newc" format, which the kernel unpacks as its initramfs (Documentation/driver-api/early-userspace). */

/** A file of an archive; its folders are made by rows of their own, before it. */
export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link';
  /** Of a file; of a link, where it leads. */
  readonly content?: Uint8Array | string;
  readonly executable?: boolean;
}

const MAGIC = '070701';
const TYPES = { file: 0o100_000, folder: 0o040_000, link: 0o120_000 } as const;
const TRAILER: CpioEntry = { path: 'TRAILER!!!', kind: 'file' };

/** The archive, ended by its trailer; everything belongs to root and was modified at the epoch. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  return Buffer.concat([...entries, TRAILER].flatMap((entry, at) => encodeEntry(entry, at + 1)));
}

function encodeEntry({ path, kind, content = '', executable = false }: CpioEntry, inode: number): Buffer[] {
  const bytes = Buffer.from(content);
  const name = Buffer.from(`${path}\0`);
  const mode = TYPES[kind] | (executable || kind !== 'file' ? 0o755 : 0o644);
  const links = kind === 'folder' ? 2 : 1;
  // inode, mode, uid, gid, links, mtime, size, device, device of a node, length of the name, checksum
  const fields = [inode, mode, 0, 0, links, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
  const header = MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(bytes)];
}

/** Header with name, and content, each fill up to a multiple of four bytes. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
