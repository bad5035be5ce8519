/**
 * The host's side of all attachments: what each wants of the kernel loop, its record on disk, and its end. A pod's link that
 * vanishes took its pod with it: nothing of the attachment is wanted any more, and its addresses are given back, whether or not a
 * DEL follows. The same goes for what a crash, or a boot, left behind.
 */
import type { Logger } from 'pino';
import type { AddressStore, Attachment } from '#core/cni/index.ts';
import { type Kernel, type KernelObject, keyOf } from '#core/kernel/index.ts';
import type { AttachmentFiles, StoredPart } from './attachments.ts';
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
export interface AttachmentRecord {
  /** The part's name: the alias of the attachment's links. */
  readonly part: string;
  readonly attachment: Attachment;
  /** host-local's folder, where the addresses come from there. */
  readonly dataDir?: string;
}

export class HostSide implements Disposable {
  /** One call at a time for each attachment; by part. */
  readonly turns = new Turns();
  private readonly options: HostSideOptions;
  private readonly records = new Map<string, StoredPart>();
  /** The part of each attachment's veth, by the link's key. */
  private readonly links = new Map<string, string>();
  /** Parts whose ADD is under way. */
  private readonly attaching = new Set<string>();
  /** What is recorded of what pods share, by part. */
  private readonly shared = new Map<string, string>();
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
    const { files, loop, logger } = this.options;
    const { parts, damaged } = files.load();
    for (const reason of damaged) logger.warn({ reason }, 'attachment record dropped');
    const alive = new Set<string>();
    for (const stored of parts.filter((each) => !isShared(each))) {
      this.records.set(stored.part, stored);
      if (!this.isThere(stored)) await this.vanished(stored.part);
      else {
        this.remember(stored);
        loop.want(stored.part, stored.objects);
        if (stored.attachment !== undefined) alive.add(sharedPart(stored.attachment.network));
      }
    }
    for (const stored of parts.filter(isShared)) {
      // After a boot the first ADD of the network makes it anew, as the configuration then has it.
      if (alive.has(stored.part) || this.hasLinkOf(stored)) loop.want(stored.part, stored.objects);
      else files.remove(stored.part);
    }
  }

  /** Puts down that an ADD begins, so that its addresses are not lost to a crash. Disposing ends the ADD, whatever came of it. */
  begin(record: AttachmentRecord): Disposable {
    const { part } = record;
    const before = this.records.get(part);
    this.attaching.add(part);
    if (before === undefined && record.dataDir !== undefined) this.keep({ ...record, objects: [] });
    return {
      [Symbol.dispose]: () => {
        this.attaching.delete(part);
        // Refused before anything was made: an attachment of that name stays as it was.
        if (before === undefined && this.records.get(part)?.objects.length === 0) this.drop(part);
      },
    };
  }

  /** Makes what attachments of a network share; returns what failed. */
  async share(network: string, objects: readonly KernelObject[]): Promise<readonly { message: string }[]> {
    const part = sharedPart(network);
    const failures = await this.options.loop.ensure(part, objects);
    const text = JSON.stringify(objects);
    if (failures.length === 0 && this.shared.get(part) !== text) {
      this.options.files.save({ part, objects });
      this.shared.set(part, text);
    }
    return failures;
  }

  /** Makes an attachment's own objects; returns what failed. */
  async attach(
    record: AttachmentRecord,
    objects: readonly KernelObject[],
  ): Promise<readonly { message: string }[]> {
    const stored = { ...record, objects };
    this.keep(stored);
    const failures = await this.options.loop.ensure(record.part, objects);
    if (failures.length === 0) this.remember(stored);
    return failures;
  }

  /** Nothing of the attachment is wanted any more; its record stays until drop(). */
  release(part: string): void {
    for (const [link, owner] of this.links) if (owner === part) this.links.delete(link);
    this.options.loop.want(part, []);
  }

  /** Forgets an attachment of which nothing is left. */
  drop(part: string): void {
    this.records.delete(part);
    this.options.files.remove(part);
  }

  [Symbol.dispose](): void {
    this.subscription[Symbol.dispose]();
  }

  private keep(stored: StoredPart): void {
    this.records.set(stored.part, stored);
    this.options.files.save(stored);
  }

  private remember({ part, objects }: StoredPart): void {
    const link = objects.find(isVeth);
    if (link !== undefined) this.links.set(keyOf(link), part);
  }

  private lookAt(key: string): void {
    const part = this.links.get(key);
    const stored = part === undefined ? undefined : this.records.get(part);
    if (stored === undefined || this.isThere(stored) || this.attaching.has(stored.part)) return;
    void this.turns.take(stored.part, async () => {
      if (this.records.get(stored.part) === stored && !this.isThere(stored)) await this.vanished(stored.part);
    });
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
      this.drop(part);
    } catch (error) {
      logger.error({ part, err: error }, 'addresses of a pod that vanished not given back');
    }
  }

  /** True if the attachment's link is there, be it under another name. */
  private isThere({ part, objects }: StoredPart): boolean {
    const state = this.options.kernel.state();
    const link = objects.find(isVeth);
    if (link !== undefined && state.has(keyOf(link))) return true;
    for (const object of state.values()) if (object.kind === 'link' && object.alias === part) return true;
    return false;
  }

  private hasLinkOf({ objects }: StoredPart): boolean {
    const state = this.options.kernel.state();
    return objects.some((object) => object.kind === 'link' && state.has(keyOf(object)));
  }
}

const SHARED = ':shared ';

function sharedPart(network: string): string {
  return `poplin:cni${SHARED}${network}`;
}

function isShared({ part }: StoredPart): boolean {
  return part.startsWith(sharedPart(''));
}

function isVeth(object: KernelObject): boolean {
  return object.kind === 'link' && object.detail.type === 'veth';
}
