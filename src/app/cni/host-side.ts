/**
 * The host's side of all attachments: what each wants of the kernel loop, its record on disk, and its end. What attachments share (a
 * bridge, its addresses, tables) is wanted by each of them, and so for as long as one is there. A pod's link that vanishes took
 * its pod with it: nothing of the attachment is wanted any more, and its addresses are given back, whether or not a DEL follows.
 * The same goes for what a crash, or a boot, left behind, and for what chained plugins did for a link of others. A link that got another
 * name is followed.
 */
import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import type { AddressStore, CniResult, StaleFlows } from '#core/cni/index.ts';
import {
  compareObjects,
  describeObject,
  type Kernel,
  type KernelObject,
  keyOf,
  type Link,
  linksOfAlias,
  type OpFailure,
} from '#core/kernel/index.ts';
import type { AttachmentJournal } from './attachment-journal.ts';
import { type EndpointPolicy, endpointOf } from './endpoint.ts';
import { findForeignLink, foreignLinkOf, withForeignLink } from './foreign-link.ts';
import { withLinkRenamed } from './link-rename.ts';
import { attachmentLink, isVeth, leftOf, linkKey } from './links.ts';
import { changeFiles } from './pod.ts';
import { Reaper } from './reaper.ts';
import { AttachmentRecords, baseOf, bridgesOf, vethOf } from './records.ts';
import type { ForeignLink, StoredPart } from './stored-part.ts';
import { Turns } from './turns.ts';
import { UnusedBridges } from './unused-bridges.ts';

/** The part of the agent's kernel loop that attaching needs. */
export interface HostLoop {
  ensure(part: string, objects: readonly KernelObject[]): Promise<readonly OpFailure[]>;
  want(part: string, objects: readonly KernelObject[]): void;
}

export interface HostSideOptions {
  readonly kernel: Kernel;
  readonly loop: HostLoop;
  /** Closed with this. */
  readonly journal: AttachmentJournal;
  readonly addresses: AddressStore;
  /** Has connections looked at anew; never rejects. */
  readonly forget: (flows: readonly StaleFlows[]) => Promise<void>;
  /** Absent where nothing decides what pods may send. */
  readonly policy?: EndpointPolicy;
  readonly logger: Logger;
}

/** An attachment before its objects are known. */
export type AttachmentRecord = Omit<StoredPart, 'objects' | 'pending' | 'leaving'>;

/** An ADD under way: disposing ends it, whatever came of it. */
export interface Attaching extends Disposable {
  /** The attachment is there: its record stays, even if nothing of it is on the host. */
  done(): void;
}

export class HostSide implements Disposable {
  /** One call at a time for each attachment; by part. */
  readonly turns = new Turns();
  private readonly options: HostSideOptions;
  readonly records: AttachmentRecords;
  private readonly reaper: Reaper;
  /** The part of each attachment's veth, by the link's key. */
  private readonly links = new Map<string, string>();
  /** Parts whose ADD is under way. */
  private readonly attaching = new Set<string>();
  private readonly bridges: UnusedBridges;
  private readonly subscription: Disposable;

  constructor(options: HostSideOptions) {
    this.options = options;
    this.records = new AttachmentRecords(options.journal);
    this.reaper = new Reaper(options.kernel);
    this.bridges = new UnusedBridges(options.kernel, this.records, options.logger);
    this.subscription = options.kernel.watch({
      changed: (keys) => {
        for (const key of keys) this.lookAt(key);
      },
      resynced: () => {
        for (const key of [...this.links.keys(), ...this.records.foreignLinks()]) this.lookAt(key);
      },
    });
  }

  /** Wants again what was attached before a restart, as far as it is still there, and gives back the addresses of the rest. */
  async restore(): Promise<void> {
    // All are read before any is looked at: a bridge is removed with the last attachment that is known.
    const problems = this.records.load();
    for (const problem of problems) this.options.logger.warn({ problem }, 'attachment record not read');
    for (const stored of this.records.all()) await this.settle(stored);
    await this.bridges.tidyAll();
  }

  /** Looks for attachments without a link on the host whose pod is gone, of which nobody tells, and for links that would not go. */
  async sweep(): Promise<void> {
    for (const stored of this.records.all()) {
      if (this.attaching.has(stored.part) || this.reaper.isLeaving(stored.part)) continue;
      if (vethOf(stored) !== undefined && stored.leaving !== true) continue;
      await this.turns.take(baseOf(stored) ?? stored.part, async () => {
        if (this.records.get(stored.part) === stored) await this.settle(stored);
      });
    }
    await this.bridges.tidy([]);
  }

  /** True if an earlier ADD of the attachment is known. */
  has(part: string): boolean {
    return this.records.get(part) !== undefined;
  }

  /** The link whose end a chained part is to share, where the interface is none of ours. */
  foreignLink(part: string, prevResult: CniResult | undefined): ForeignLink | undefined {
    return this.has(part) ? undefined : foreignLinkOf(prevResult, this.options.kernel.state());
  }

  /** The interfaces' own records, or those of a chained plugin, of one network. */
  recordsOf(network: string, chainedPlugin?: string): StoredPart[] {
    const isMeant = (stored: StoredPart) =>
      (baseOf(stored) === undefined ? undefined : stored.plugin) === chainedPlugin;
    return this.records.all().filter((stored) => stored.attachment.network === network && isMeant(stored));
  }

  /** All records. */
  all(): StoredPart[] {
    return this.records.all();
  }

  /** What is missing or different of a part's objects in the kernel; undefined if no such part is known. */
  problemsOf(part: string): string[] | undefined {
    const stored = this.records.get(part);
    if (stored === undefined) return undefined;
    const state = this.options.kernel.state();
    return stored.objects.flatMap((object) => {
      const found = state.get(keyOf(object));
      // Sysctls are put back by the loop; what is not followed here is not known.
      if (found === undefined)
        return object.kind === 'sysctl' ? [] : [`${describeObject(object)} is missing`];
      return compareObjects(object, found) === 'same' ? [] : [`${describeObject(object)} is different`];
    });
  }

  /** Puts down that an ADD begins, so that its addresses are not lost to a crash. */
  begin(record: AttachmentRecord): Attaching {
    const { part } = record;
    const before = this.records.get(part);
    if (before === undefined && record.dataDir !== undefined)
      this.records.keep({ ...record, objects: [], pending: true });
    this.attaching.add(part);
    let isDone = false;
    return {
      done: () => {
        isDone = true;
      },
      [Symbol.dispose]: () => {
        this.attaching.delete(part);
        // Refused before anything was made: an attachment of that name stays as it was.
        if (!isDone && before === undefined && this.records.get(part)?.objects.length === 0)
          this.records.forget(part);
        if (record.hostLink !== undefined) this.lookAt(linkKey(record.hostLink.name));
      },
    };
  }

  /** No attachment wants these any more: they are about to be removed. */
  withdraw(objects: readonly KernelObject[]): void {
    const gone = new Set(objects.map(keyOf));
    for (const stored of this.records.all()) {
      const left = stored.objects.filter((object) => !gone.has(keyOf(object)));
      if (left.length < stored.objects.length) this.change({ ...stored, objects: left });
    }
  }

  /**
   * Makes an attachment's objects, `shared` ones among them; returns what failed.
   */
  async attach(
    record: AttachmentRecord,
    shared: readonly KernelObject[],
    own: readonly KernelObject[],
  ): Promise<readonly { message: string }[]> {
    const { loop } = this.options;
    const stored = { ...record, objects: [...shared, ...own] };
    this.records.keep(stored);
    if (stored.objects.length === 0) return [];
    const endpoint = endpointOf(stored);
    if (endpoint !== undefined) await this.options.policy?.admit(endpoint);
    await this.bridges.settled();
    const failures = await loop.ensure(record.part, stored.objects);
    if (failures.length === 0) this.remember(stored);
    return failures;
  }

  /**
   * Nothing of the part is wanted any more; its record stays until drop(). Tables and what is in them go at once, links are the
   * caller's to remove. Returns what failed.
   */
  async release(part: string): Promise<readonly OpFailure[]> {
    const stored = this.records.get(part);
    for (const [link, owner] of this.links) if (owner === part) this.links.delete(link);
    this.options.policy?.released(part);
    if (stored?.objects.some(({ kind }) => kind.startsWith('nft-')) === true)
      return this.options.loop.ensure(part, []);
    this.options.loop.want(part, []);
    return [];
  }

  /** Removes links that carry nothing any more in its own time, gives back the attachment's addresses, and drops the part. */
  depart(part: string, links: readonly Link[], giveBack: () => Promise<void>): void {
    const stored = this.records.get(part);
    if (stored !== undefined) this.records.keepAnyway({ ...stored, leaving: true });
    this.reaper.reap(part, links, async (failures) => {
      try {
        // The addresses stay with a link that stays; it is tried again by sweep(), and at the next start.
        if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('; '));
        // One that got another name at the last moment is removed under that.
        const renamed = linksOfAlias(this.options.kernel.state(), part).filter(isVeth);
        if (renamed.length > 0) return this.depart(part, renamed, giveBack);
        await giveBack();
        await this.drop(part);
      } catch (error) {
        this.options.logger.error({ part, err: error }, 'link or addresses of a pod not given back');
      }
    });
  }

  /** Resolves when what an earlier DEL of the attachment left behind is gone. */
  async departed(part: string): Promise<void> {
    await this.reaper.departed(part);
  }

  /** Resolves when all that DELs left behind is gone; false if there was nothing. */
  async settled(): Promise<boolean> {
    return this.reaper.settled();
  }

  /** Forgets an attachment of which nothing is left, and removes its bridge if it was the last on it. */
  async drop(part: string): Promise<void> {
    const objects = this.records.get(part)?.objects ?? [];
    this.records.forget(part);
    await this.bridges.tidy(bridgesOf(objects));
  }

  /** Removes bridges that are of no use, whoever left them. */
  async tidyBridges(): Promise<void> {
    await this.bridges.tidyAll();
  }

  /** Ends what chained plugins did for an interface that is gone. */
  async dropChained(part: string): Promise<void> {
    for (const stored of this.records.chainedTo(part)) await this.dropPart(stored);
  }

  /** Ends a part that has no link to wait for. */
  async dropPart({ part, objects, files = [], staleFlows = [] }: StoredPart): Promise<void> {
    const failures = await this.release(part);
    for (const { message } of failures) this.options.logger.warn({ part, message }, 'attachment not removed');
    const left = leftOf(objects, this.options.kernel.state());
    if (left.length > 0) await this.options.kernel.apply(left.map((object) => ({ verb: 'remove', object })));
    await changeFiles(files.map((path) => ({ path, text: undefined })));
    await this.options.forget(staleFlows);
    if (failures.length === 0) await this.drop(part);
  }

  /** Ends a chained part, known or not, after its plugin's own DEL: that may not know where the container's links were. */
  async dropNamed(part: string): Promise<void> {
    const stored = this.records.get(part);
    if (stored !== undefined) await this.dropPart(stored);
  }

  /** The attachment's pod is gone, or not valid any more: gives back what it had. */
  async vanished(part: string): Promise<void> {
    const { addresses, logger } = this.options;
    const { attachment, dataDir } = this.records.get(part) ?? {};
    try {
      await this.release(part);
      await this.dropChained(part);
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

  [Symbol.dispose](): void {
    this.subscription[Symbol.dispose]();
    this.options.journal[Symbol.dispose]();
  }

  /** Another wish for an attachment that is there: nothing fails because the disk does. */
  private change(stored: StoredPart): void {
    this.options.loop.want(stored.part, stored.objects);
    const refusal = this.records.keepAnyway(stored);
    if (refusal !== undefined)
      this.options.logger.error({ part: stored.part, err: refusal }, 'attachment record not written');
  }

  private remember(stored: StoredPart): void {
    const link = vethOf(stored);
    if (link !== undefined) this.links.set(keyOf(link), stored.part);
    const endpoint = endpointOf(stored);
    if (endpoint !== undefined) this.options.policy?.restored(endpoint);
  }

  private lookAt(key: string): void {
    for (const stored of this.records.onForeignLink(key))
      if (this.findForeign(stored)?.name !== stored.hostLink?.name) this.settleInTurn(stored);
    const part = this.links.get(key);
    const stored = part === undefined ? undefined : this.records.get(part);
    if (stored === undefined || stored.leaving === true) return;
    const link = this.linkOf(stored);
    if (link === undefined || keyOf(link) !== key) this.settleInTurn(stored);
  }

  private settleInTurn(stored: StoredPart): void {
    if (this.attaching.has(stored.part)) return;
    const { part } = stored;
    const settled = this.turns.take(baseOf(stored) ?? part, async () => {
      if (this.records.get(part) === stored) await this.settle(stored);
    });
    settled.catch((error: unknown) => this.options.logger.error({ part, err: error }, 'link not followed'));
  }

  /** Wants what an attachment is made of, on the link as it is called now; without a link or a namespace the pod is gone. */
  private async settle(stored: StoredPart): Promise<void> {
    const { part, objects } = stored;
    const veth = vethOf(stored);
    if (veth === undefined) return this.settleWithoutLink(stored);
    const link = this.linkOf(stored);
    if (stored.leaving === true && link !== undefined) {
      await this.options.kernel.apply([{ verb: 'remove', object: link }]);
      return this.vanished(part);
    }
    if (link === undefined) return this.vanished(part);
    if (veth.name === link.name) {
      this.options.loop.want(part, objects);
      return this.remember(stored);
    }
    this.options.logger.warn({ part, from: veth.name, to: link.name }, 'link of a pod renamed: followed');
    const followed = { ...stored, objects: withLinkRenamed(objects, veth.name, link.name) };
    this.links.delete(linkKey(veth.name));
    this.change(followed);
    this.remember(followed);
    for (const chained of this.records.chainedTo(part)) {
      const objects = withLinkRenamed(chained.objects, veth.name, link.name);
      this.change({ ...chained, objects });
      for (const { message } of await this.options.loop.ensure(chained.part, objects))
        this.options.logger.warn({ part: chained.part, message }, 'chained part not on the renamed link');
    }
  }

  /** A chained part lives as long as its interface, if that is known; else both as long as the pod's namespace has its path. */
  private async settleWithoutLink(stored: StoredPart): Promise<void> {
    if (stored.hostLink !== undefined) return this.settleOnForeignLink(stored);
    const base = baseOf(stored);
    const isAlive =
      stored.leaving !== true &&
      stored.pending !== true &&
      stored.netns !== undefined &&
      (base !== undefined && this.has(base) ? true : existsSync(stored.netns));
    if (isAlive) this.options.loop.want(stored.part, stored.objects);
    else if (base === undefined) await this.vanished(stored.part);
    else await this.dropPart(stored);
  }

  private async settleOnForeignLink(stored: StoredPart): Promise<void> {
    const { part, hostLink } = stored;
    const found = this.findForeign(stored);
    if (found === undefined) {
      this.options.logger.info({ part, link: hostLink?.name }, 'link of others vanished');
      return this.dropPart(stored);
    }
    if (found.name === hostLink?.name && found.mac === hostLink.mac)
      return this.options.loop.want(part, stored.objects);
    this.options.logger.warn({ part, from: hostLink, to: found }, 'link of others changed: followed');
    this.change(withForeignLink(stored, found));
  }

  /** The link of others that a chained part is on, be it under another name, but none that another attachment is on. */
  private findForeign(stored: StoredPart): ForeignLink | undefined {
    if (stored.hostLink === undefined) return undefined;
    const isAnothers = (name: string) =>
      this.records.onForeignLink(linkKey(name)).some((other) => baseOf(other) !== baseOf(stored));
    return findForeignLink(stored.hostLink, this.options.kernel.state(), isAnothers);
  }

  private linkOf(stored: StoredPart): Link | undefined {
    return attachmentLink(stored.part, vethOf(stored), this.options.kernel.state());
  }
}
