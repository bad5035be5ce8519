/**
 * One network's directory of reserved addresses, in the reference host-local's layout: a file for each address that holds
 * `containerID\r\nifname`, `last_reserved_ip.<range set>` with an address, and `lock`. An index in memory spares reading them all for
 * each call; it is built anew whenever the directory's time stamp says that somebody else has been here.
 *
 * A file is made with O_EXCL, or named where none is, so no address is given twice, lock or no lock. A crash may leave an empty file: it
 * is taken back.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { canonicalIp, type IpAddress } from '#base/ip/index.ts';
import type { AttachmentId, ReservedAddresses } from '#core/cni/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import { openLockFile } from './directory-lock.ts';
import { SpareFiles } from './spare-files.ts';

/** What survives what. `process`: a crash of this process. `power`: a loss of power too, by fsync on each ADD. */
export type Durability = 'process' | 'power';

export interface AddressDirectoryOptions {
  readonly durability: Durability;
  /** False frees the address at the next reclaim. `ifName` is '' in files of the reference plugin's first versions. */
  readonly isOwnerAlive: (owner: AttachmentId) => boolean;
  /** Nobody else can be half-way through making a file. */
  readonly isLockExclusive: boolean;
}

const LAST_RESERVED = 'last_reserved_ip.';
const LINE_BREAK = '\r\n';
/** An empty file this old is no other process's reservation in the making. */
const ABANDONED_MS = 10_000;
const O_NEW = 'wx';
const { EEXIST } = constants.errno;

interface Entry {
  readonly file: string;
  /** The file's content without white space at its ends; '' if nobody owns it. */
  readonly content: string;
}

export class AddressDirectory implements ReservedAddresses {
  private readonly path: string;
  private readonly options: AddressDirectoryOptions;
  private readonly spares: SpareFiles;
  private readonly byAddress = new Map<IpAddress, Entry>();
  private readonly byContent = new Map<string, Set<IpAddress>>();
  private readonly lastByRangeSet = new Map<number, IpAddress | undefined>();
  /** Bytes in the files that hold them, where we wrote last. */
  private readonly lastLengths = new Map<number, number>();
  /** The directory's mtime in ns when the index was known to be right. */
  private stamp: bigint | undefined;
  /** We changed the directory, and so its stamp. */
  private isChanged = false;

  constructor(path: string, options: AddressDirectoryOptions) {
    this.path = path;
    this.options = options;
    this.spares = new SpareFiles(path);
  }

  get lockFile(): string {
    return join(this.path, 'lock');
  }

  /** Makes the directory and its lock file if they are missing. */
  ensure(): void {
    if (this.stampNow() !== undefined) return;
    mkdirSync(this.path, { recursive: true, mode: 0o755 });
    closeSync(openLockFile(this.lockFile));
  }

  /** Brings the index up to date; to be called with the lock held. */
  open(): void {
    const now = this.stampNow();
    if (this.stamp === undefined || this.stamp !== now) this.scan();
    this.stamp = now;
  }

  /** Notes that our own changes are in the index; to be called before the lock is released. */
  close(): void {
    if (this.isChanged) this.stamp = this.stampNow();
    this.isChanged = false;
  }

  isTaken(address: IpAddress): boolean {
    return this.byAddress.has(address);
  }

  taken(): Iterable<IpAddress> {
    return this.byAddress.keys();
  }

  addressesOf(owner: AttachmentId): readonly IpAddress[] {
    return [
      ...(this.byContent.get(contentOf(owner)) ?? []),
      ...(this.byContent.get(legacyContentOf(owner)) ?? []),
    ];
  }

  lastReserved(rangeSetIndex: number): IpAddress | undefined {
    if (!this.lastByRangeSet.has(rangeSetIndex)) {
      const text = this.read(`${LAST_RESERVED}${rangeSetIndex}`);
      this.lastByRangeSet.set(rangeSetIndex, text === undefined ? undefined : canonicalIp(text.trim()));
    }
    return this.lastByRangeSet.get(rangeSetIndex);
  }

  reserve(address: IpAddress, owner: AttachmentId, rangeSetIndex: number): boolean {
    const content = contentOf(owner);
    this.isChanged = true;
    try {
      if (!this.linkSibling(address, content)) this.makeFile(address, content);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      this.index(address);
      return false;
    }
    this.remember(address, { file: address, content });
    this.lastByRangeSet.set(rangeSetIndex, address);
    try {
      this.writeLastReserved(rangeSetIndex, address);
    } catch {
      // A hint only: the address is reserved, and a later process begins its search elsewhere.
    }
    try {
      if (this.options.durability === 'power') this.syncDirectory();
    } catch (error) {
      this.releaseAddress(address);
      throw error;
    }
    return true;
  }

  /**
   * All addresses of an attachment say the same, so the second is another name of the first one's file: ext4 looks long for a new inode
   * where many were freed in the last minutes (recently_deleted). False if there is no first, or the file system has no such names; throws EEXIST.
   */
  private linkSibling(address: IpAddress, content: string): boolean {
    const [sibling] = this.byContent.get(content) ?? [];
    const file = sibling === undefined ? undefined : this.byAddress.get(sibling)?.file;
    if (file === undefined) return false;
    try {
      linkSync(join(this.path, file), join(this.path, address));
      return true;
    } catch (error) {
      if (hasCode(error, 'EEXIST')) throw error;
      return false;
    }
  }

  /** Throws EEXIST, and what the disk says; then there is no file. */
  private makeFile(address: IpAddress, content: string): void {
    const path = join(this.path, address);
    const spare = this.spares.take();
    if (spare !== undefined && this.nameSpare(spare, path, content)) return;
    const fd = openSync(path, O_NEW, 0o600);
    try {
      writeWhole(fd, content);
      if (this.options.durability === 'power') fdatasyncSync(fd);
    } catch (error) {
      unlinkSync(path);
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** So the file appears with its content. False if that cannot be; throws EEXIST. */
  private nameSpare(fd: number, path: string, content: string): boolean {
    try {
      writeWhole(fd, content);
      if (this.options.durability === 'power') fdatasyncSync(fd);
      const errno = nativeAddon().nameFile(fd, path);
      if (errno !== -EEXIST) return errno === 0;
    } catch {
      return false;
    } finally {
      closeSync(fd);
    }
    throw Object.assign(new Error(`EEXIST: file already exists, link '${path}'`), { code: 'EEXIST' });
  }

  releaseAddress(address: IpAddress): void {
    const entry = this.byAddress.get(address);
    if (entry === undefined) return;
    this.isChanged = true;
    try {
      unlinkSync(join(this.path, entry.file));
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
    this.forget(address, entry);
  }

  release(owner: AttachmentId): readonly IpAddress[] {
    // What the directory's time stamp did not show, its listing does: DEL must not overlook another's reservation.
    if (this.addressesOf(owner).length === 0) this.indexUnseen();
    const own = this.byContent.get(contentOf(owner)) ?? this.byContent.get(legacyContentOf(owner)) ?? [];
    return this.releaseAll([...own]);
  }

  reclaim(): readonly IpAddress[] {
    const before = [...this.byAddress.keys()];
    this.scan();
    const dead = this.addressesWhere((owner) => !this.options.isOwnerAlive(owner));
    this.releaseAll(dead);
    return before.filter((address) => !this.byAddress.has(address));
  }

  retainOnly(owners: readonly AttachmentId[]): readonly IpAddress[] {
    this.scan();
    const kept = new Set(owners.flatMap((owner) => [contentOf(owner), legacyContentOf(owner)]));
    return this.releaseAll(this.addressesWhere((_owner, content) => !kept.has(content)));
  }

  private releaseAll(addresses: readonly IpAddress[]): readonly IpAddress[] {
    for (const address of addresses) this.releaseAddress(address);
    return addresses;
  }

  private addressesWhere(matches: (owner: AttachmentId, content: string) => boolean): IpAddress[] {
    const found: IpAddress[] = [];
    for (const [address, { content }] of this.byAddress) {
      if (content !== '' && matches(ownerOf(content), content)) found.push(address);
    }
    return found;
  }

  /** Reads the whole directory. */
  private scan(): void {
    this.byAddress.clear();
    this.byContent.clear();
    this.lastByRangeSet.clear();
    this.lastLengths.clear();
    this.indexUnseen();
  }

  private indexUnseen(): void {
    for (const file of readdirSync(this.path)) {
      const address = canonicalIp(file);
      if (address !== undefined && !this.byAddress.has(address)) this.index(address, file);
    }
  }

  /** Takes a file into the index, or takes it back if nobody owns it and nobody is about to. */
  private index(address: IpAddress, file: string = address): void {
    const text = this.read(file);
    if (text === undefined) return;
    const entry = { file, content: trimmed(text) };
    this.remember(address, entry);
    if (entry.content === '' && this.isAbandoned(file)) this.releaseAddress(address);
  }

  private isAbandoned(file: string): boolean {
    const found = statSync(join(this.path, file), { throwIfNoEntry: false });
    if (found === undefined || !found.isFile()) return found === undefined;
    return this.options.isLockExclusive || Math.abs(Date.now() - found.mtimeMs) > ABANDONED_MS;
  }

  private remember(address: IpAddress, entry: Entry): void {
    this.byAddress.set(address, entry);
    const siblings = this.byContent.get(entry.content);
    if (siblings) siblings.add(address);
    else this.byContent.set(entry.content, new Set([address]));
  }

  private forget(address: IpAddress, { content }: Entry): void {
    this.byAddress.delete(address);
    const siblings = this.byContent.get(content);
    siblings?.delete(address);
    if (siblings?.size === 0) this.byContent.delete(content);
  }

  /** In place and without O_TRUNC: ext4 writes a truncated file to disk on close, which costs more than all the rest. */
  private writeLastReserved(rangeSetIndex: number, address: IpAddress): void {
    const path = join(this.path, `${LAST_RESERVED}${rangeSetIndex}`);
    let fd: number;
    try {
      fd = openSync(path, 'r+');
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      fd = openSync(path, O_NEW, 0o600);
    }
    try {
      writeWhole(fd, address);
      const { length } = address;
      if (length < (this.lastLengths.get(rangeSetIndex) ?? Number.POSITIVE_INFINITY))
        ftruncateSync(fd, length);
      this.lastLengths.set(rangeSetIndex, length);
    } finally {
      closeSync(fd);
    }
  }

  private syncDirectory(): void {
    const fd = openSync(this.path, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  private stampNow(): bigint | undefined {
    return statSync(this.path, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
  }

  /** A file's text, '' if it is a directory; undefined if it is gone. */
  private read(file: string): string | undefined {
    try {
      return readFileSync(join(this.path, file), 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      if (hasCode(error, 'EISDIR')) return '';
      throw error;
    }
  }
}

function contentOf({ containerId, ifName }: AttachmentId): string {
  return `${containerId.trim()}${LINE_BREAK}${ifName}`;
}

/** What the reference plugin wrote before it knew interface names. */
function legacyContentOf({ containerId }: AttachmentId): string {
  return containerId.trim();
}

function ownerOf(content: string): AttachmentId {
  const [containerId = '', ifName = ''] = content.split(LINE_BREAK);
  return { containerId, ifName };
}

/** Zeros are what a power failure leaves of a file on some file systems. */
function trimmed(text: string): string {
  return text.replaceAll('\0', '').trim();
}

function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
