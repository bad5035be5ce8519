/**
 * The host's side of all attachments: what each wants of the kernel loop, its record on disk, and its end. What attachments share (a
 * bridge, its addresses, forwarding) is wanted by each of them, and so for as long as one is there. A pod's link that vanishes took
 * its pod with it: nothing of the attachment is wanted any more, and its addresses are given back, whether or not a DEL follows.
 * The same goes for what a crash, or a boot, left behind. A link that got another name is followed.
 */
import type { Logger } from 'pino';
import type { AddressStore } from '#core/cni/index.ts';
import {
  CNI,
  isAttachmentLink,
  type Kernel,
  type KernelObject,
  keyOf,
  type Link,
  sysctlLink,
} from '#core/kernel/index.ts';
import type { AttachmentFiles } from './attachments.ts';
import { withLinkRenamed } from './link-rename.ts';
import type { StoredPart } from './stored-part.ts';
import { Turns } from './turns.ts';

/** The part of the agent's kernel loop that attaching needs. */
export interface HostLoop {
  ensure(
    part: string,
    objects: readonly KernelObject[],
  ): Promise<readonly { code: string; message: string }[]>;
  want(part: string, objects: readonly KernelObject[]): void;
}

export interface HostSideOptions {
  readonly kernel: Kernel;
  readonly loop: HostLoop;
  readonly files: AttachmentFiles;
  readonly addresses: AddressStore;
  readonly logger: Logger;
}

/** What is known of an attachment before its objects are. */
export type AttachmentRecord = Omit<StoredPart, 'objects'>;

export class HostSide implements Disposable {
  /** One call at a time for each attachment; by part. */
  readonly turns = new Turns();
  private readonly options: HostSideOptions;
  private readonly records = new Map<string, StoredPart>();
  /** The part of each attachment's veth, by the link's key. */
  private readonly links = new Map<string, string>();
  /** Parts whose ADD is under way. */
  private readonly attaching = new Set<string>();
  /** Bridges that nobody uses are being removed until this resolves. */
  private tidied: Promise<void> = Promise.resolve();
  private readonly subscription: Disposable;

  constructor(options: HostSideOptions) {
    this.options = options;
    this.subscription = options.kernel.watch({
      changed: (keys) => {
        for (const key of keys) this.lookAt(key);
      },
      resynced: () => {
        for (const key of this.links.keys()) this.lookAt(key);
      },
    });
  }

  /** Wants again what was attached before a restart, as far as it is still there, and gives back the addresses of the rest. */
  async restore(): Promise<void> {
    const { files, logger } = this.options;
    const { parts, problems } = files.load();
    for (const problem of problems)
      logger.warn({ problem }, 'attachment record not read: its pod is left alone');
    // All before any: a bridge is removed with the last attachment that is known.
    for (const stored of parts) this.records.set(stored.part, stored);
    for (const stored of parts) await this.settle(stored);
  }

  /** True if an earlier ADD of the attachment is known. */
  has(part: string): boolean {
    return this.records.has(part);
  }

  /** Puts down that an ADD begins, so that its addresses are not lost to a crash. Disposing ends the ADD, whatever came of it. */
  begin(record: AttachmentRecord): Disposable {
    const { part } = record;
    const before = this.records.get(part);
    if (before === undefined && record.dataDir !== undefined) this.keep({ ...record, objects: [] });
    this.attaching.add(part);
    return {
      [Symbol.dispose]: () => {
        this.attaching.delete(part);
        // Refused before anything was made: an attachment of that name stays as it was.
        if (before === undefined && this.records.get(part)?.objects.length === 0) this.forget(part);
      },
    };
  }

  /** No attachment wants these any more: they are about to be removed. */
  withdraw(objects: readonly KernelObject[]): void {
    const gone = new Set(objects.map(keyOf));
    for (const stored of [...this.records.values()]) {
      const left = stored.objects.filter((object) => !gone.has(keyOf(object)));
      if (left.length < stored.objects.length) this.change({ ...stored, objects: left });
    }
  }

  /**
   * Makes an attachment's objects, `shared` ones among them; returns what failed. The links are up last: what a pod sends before
   * the sysctls are set could change the host.
   */
  async attach(
    record: AttachmentRecord,
    shared: readonly KernelObject[],
    own: readonly KernelObject[],
  ): Promise<readonly { message: string }[]> {
    const { loop } = this.options;
    const stored = { ...record, objects: [...shared, ...own] };
    this.keep(stored);
    await this.tidied;
    if (own.some(isVeth)) {
      const failures = await loop.ensure(record.part, stored.objects.flatMap(beforeUp));
      if (failures.length > 0) return failures;
    }
    const failures = await loop.ensure(record.part, stored.objects);
    if (failures.length === 0) this.remember(stored);
    return failures;
  }

  /** Nothing of the attachment is wanted any more; its record stays until drop(). */
  release(part: string): void {
    for (const [link, owner] of this.links) if (owner === part) this.links.delete(link);
    this.options.loop.want(part, []);
  }

  /** Forgets an attachment of which nothing is left, and removes its bridge if it was the last on it. */
  async drop(part: string): Promise<void> {
    const objects = this.records.get(part)?.objects ?? [];
    this.forget(part);
    const bridges = objects.filter(isOwnBridge);
    if (bridges.length === 0) return;
    this.tidied = this.tidied.then(() => this.removeUnused(bridges));
    await this.tidied;
  }

  [Symbol.dispose](): void {
    this.subscription[Symbol.dispose]();
  }

  private keep(stored: StoredPart): void {
    this.options.files.save(stored);
    this.records.set(stored.part, stored);
  }

  private forget(part: string): void {
    this.records.delete(part);
    this.options.files.remove(part);
  }

  /** Another wish for an attachment that is there: nothing fails because the disk does. */
  private change(stored: StoredPart): void {
    const { loop, files, logger } = this.options;
    loop.want(stored.part, stored.objects);
    this.records.set(stored.part, stored);
    try {
      files.save(stored);
    } catch (error) {
      logger.error({ part: stored.part, err: error }, 'attachment record not written');
    }
  }

  private remember({ part, objects }: StoredPart): void {
    const link = objects.find(isVeth);
    if (link !== undefined) this.links.set(keyOf(link), part);
  }

  private lookAt(key: string): void {
    const part = this.links.get(key);
    const stored = part === undefined ? undefined : this.records.get(part);
    if (stored === undefined || this.attaching.has(stored.part)) return;
    const link = this.linkOf(stored);
    if (link !== undefined && keyOf(link) === key) return;
    void this.turns.take(stored.part, async () => {
      if (this.records.get(stored.part) === stored) await this.settle(stored);
    });
  }

  /** Wants what an attachment is made of, on the link as it is called now; without a link the pod is gone. */
  private async settle(stored: StoredPart): Promise<void> {
    const { part, objects } = stored;
    const link = this.linkOf(stored);
    const name = objects.find(isVeth)?.name;
    if (link === undefined) return this.vanished(part);
    if (name === undefined || name === link.name) {
      this.options.loop.want(part, objects);
      return this.remember(stored);
    }
    this.options.logger.warn({ part, from: name, to: link.name }, 'link of a pod renamed: followed');
    const followed = { ...stored, objects: withLinkRenamed(objects, name, link.name) };
    this.links.delete(`link ${name}`);
    this.change(followed);
    this.remember(followed);
  }

  private async vanished(part: string): Promise<void> {
    const { addresses, logger } = this.options;
    const { attachment, dataDir } = this.records.get(part) ?? {};
    this.release(part);
    try {
      if (attachment !== undefined && dataDir !== undefined) {
        const place = { name: attachment.network, dataDir };
        const freed = await addresses.withNetwork(place, (reserved) => reserved.release(attachment));
        logger.info({ part, freed }, 'pod vanished');
      }
      await this.drop(part);
    } catch (error) {
      logger.error({ part, err: error }, 'addresses of a pod that vanished not given back');
    }
  }

  /** The attachment's link, be it under another name. */
  private linkOf({ part, objects }: StoredPart): Link | undefined {
    const state = this.options.kernel.state();
    const wanted = objects.find(isVeth);
    const named = wanted && state.get(keyOf(wanted));
    if (named?.kind === 'link' && named.alias === part) return named;
    for (const object of state.values()) if (object.kind === 'link' && object.alias === part) return object;
    // Somebody took its alias away: not ours to change any more, but the pod is there.
    return named?.kind === 'link' && !isAttachmentLink(named) ? named : undefined;
  }

  /** Removes bridges of ours that no attachment wants and that have no port. */
  private async removeUnused(bridges: readonly Link[]): Promise<void> {
    const { kernel, logger } = this.options;
    const state = kernel.state();
    const inUse = new Set<string>();
    for (const { objects } of this.records.values()) for (const object of objects) inUse.add(keyOf(object));
    for (const object of state.values()) if (object.kind === 'link') inUse.add(`link ${object.master}`);
    const unused = bridges.filter((bridge) => {
      const found = state.get(keyOf(bridge));
      return found !== undefined && isOwnBridge(found) && !inUse.has(keyOf(bridge));
    });
    if (unused.length === 0) return;
    const { failures } = await kernel.apply(unused.map((object) => ({ verb: 'remove', object })));
    for (const { message } of failures) logger.warn({ message }, 'bridge without ports not removed');
  }
}

/** What must be there before the pod's link is up: links, that one being down, and what is set on them. */
function beforeUp(object: KernelObject): KernelObject[] {
  if (object.kind === 'link') return [isVeth(object) ? { ...object, up: false } : object];
  return object.kind === 'sysctl' && sysctlLink(object.path) !== undefined ? [object] : [];
}

function isVeth(object: KernelObject): object is Link {
  return object.kind === 'link' && object.detail.type === 'veth';
}

function isOwnBridge(object: KernelObject): object is Link {
  return object.kind === 'link' && object.detail.type === 'bridge' && object.alias === CNI.alias;
}
