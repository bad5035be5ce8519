/**
 * The attachments of this node as records, in memory and on disk, with what is asked of them at every ADD and DEL kept ready: the
 * chained parts of an interface, who uses a bridge, and who works on a link of others.
 */
import { attachmentAlias } from '#core/cni/index.ts';
import { type KernelObject, keyOf, type Link } from '#core/kernel/index.ts';
import type { AttachmentJournal } from './attachment-journal.ts';
import { isOwnBridge, isVeth, linkKey } from './links.ts';
import type { StoredPart } from './stored-part.ts';

export class AttachmentRecords {
  private readonly journal: AttachmentJournal;
  private readonly parts = new Map<string, StoredPart>();
  /** Chained parts by the interface's part. */
  private readonly chained = new Map<string, Set<string>>();
  /** Parts by the key of the bridge of ours that they want. */
  private readonly bridgeUsers = new Map<string, Set<string>>();
  /** Chained parts by the key of the link that another implementation made. */
  private readonly foreignLinkUsers = new Map<string, Set<string>>();

  constructor(journal: AttachmentJournal) {
    this.journal = journal;
  }

  /** Takes in what is on disk; returns what was wrong with it. */
  load(): string[] {
    const { parts, problems } = this.journal.load();
    for (const stored of parts) this.remember(stored);
    return problems;
  }

  get(part: string): StoredPart | undefined {
    return this.parts.get(part);
  }

  /** Records of interfaces; chained plugins' are not counted. */
  get count(): number {
    let count = 0;
    for (const stored of this.parts.values()) if (baseOf(stored) === undefined) count++;
    return count;
  }

  /** All records, in a list of its own: they may change meanwhile. */
  all(): StoredPart[] {
    return [...this.parts.values()];
  }

  /** The chained parts of an interface's part. */
  chainedTo(part: string): StoredPart[] {
    return this.partsIn(this.chained.get(part));
  }

  /** The chained parts on a link that another implementation made, by the link's key. */
  onForeignLink(key: string): StoredPart[] {
    return this.partsIn(this.foreignLinkUsers.get(key));
  }

  /** The keys of all such links. */
  foreignLinks(): string[] {
    return [...this.foreignLinkUsers.keys()];
  }

  isBridgeUsed(bridge: Link): boolean {
    return (this.bridgeUsers.get(keyOf(bridge))?.size ?? 0) > 0;
  }

  /** Writes a record down, then holds it. Throws if the disk refuses. */
  keep(stored: StoredPart): void {
    this.journal.save(stored);
    this.remember(stored);
  }

  /** Holds a record whether or not the disk takes it; returns the disk's refusal. */
  keepAnyway(stored: StoredPart): unknown {
    this.remember(stored);
    try {
      this.journal.save(stored);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  forget(part: string): void {
    this.unlink(part);
    this.parts.delete(part);
    this.journal.remove(part);
  }

  private partsIn(names: ReadonlySet<string> = new Set()): StoredPart[] {
    return Array.from(names, (name) => this.parts.get(name)).filter((stored) => stored !== undefined);
  }

  private remember(stored: StoredPart): void {
    this.unlink(stored.part);
    this.parts.set(stored.part, stored);
    const base = baseOf(stored);
    if (base !== undefined) addTo(this.chained, base, stored.part);
    if (stored.hostLink !== undefined)
      addTo(this.foreignLinkUsers, linkKey(stored.hostLink.name), stored.part);
    for (const bridge of bridgesOf(stored.objects)) addTo(this.bridgeUsers, keyOf(bridge), stored.part);
  }

  private unlink(part: string): void {
    const before = this.parts.get(part);
    if (before === undefined) return;
    const base = baseOf(before);
    if (base !== undefined) removeFrom(this.chained, base, part);
    if (before.hostLink !== undefined) removeFrom(this.foreignLinkUsers, linkKey(before.hostLink.name), part);
    for (const bridge of bridgesOf(before.objects)) removeFrom(this.bridgeUsers, keyOf(bridge), part);
  }
}

/** The bridges of ours among an attachment's objects. */
export function bridgesOf(objects: readonly KernelObject[]): Link[] {
  return objects.filter(isOwnBridge);
}

/** The host's end of an attachment's pair. */
export function vethOf(stored: StoredPart): Link | undefined {
  return stored.objects.find(isVeth);
}

/** The interface's part that a chained part belongs to; undefined for an interface's own. */
export function baseOf({ part, attachment }: Pick<StoredPart, 'part' | 'attachment'>): string | undefined {
  const base = attachmentAlias(attachment);
  return base === part ? undefined : base;
}

function addTo(index: Map<string, Set<string>>, key: string, value: string): void {
  const found = index.get(key);
  if (found === undefined) index.set(key, new Set([value]));
  else found.add(value);
}

function removeFrom(index: Map<string, Set<string>>, key: string, value: string): void {
  const found = index.get(key);
  found?.delete(value);
  if (found?.size === 0) index.delete(key);
}
