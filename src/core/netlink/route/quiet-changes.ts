/**
 * Own additions that the kernel need not announce, since its acknowledgement says that they are as they were asked for. Notifications of
 * what others do meanwhile come as ever, but nothing tells whether that was before or after: of a kind that others touched in the
 * same places, or that changed without a word, everything is dumped again when the additions are through. Forwarding entries are
 * announced in nobody's name: while additions are under way none is heard of, and they are always dumped at the end.
 */
import { type KernelObject, keyOfOp } from '#core/kernel/index.ts';
import type { AdditionPack, PlainAddition } from './addition-pack.ts';
import { AskedEntries } from './asked-entries.ts';
import type { DumpKind } from './dump.ts';
import { announcedRoute, linkOfEchoed } from './echo.ts';
import type { LinkTable } from './link-table.ts';
import type { MirrorStore } from './mirror-store.ts';
import { RTM_NEIGHBOUR } from './neighbour.ts';
import { RTM_ROUTE } from './route.ts';
import { AF } from './scope.ts';

/** Their notifications carry the port of who asked for the change. */
export const QUIET_TYPES: readonly number[] = [RTM_NEIGHBOUR.NEW, RTM_ROUTE.NEW];
/** New forwarding entries, whose notifications carry none. */
export const QUIET_ENTRIES = { type: RTM_NEIGHBOUR.NEW, family: AF.BRIDGE } as const;
const QUIET_KINDS = ['route', 'neighbour'] as const satisfies DumpKind[];

export class QuietChanges {
  private readonly store: MirrorStore;
  private readonly links: LinkTable;
  private readonly owned: ReadonlySet<number>;
  private readonly stale: Set<DumpKind>;
  /** What others spoke of since begin(). */
  private touched: Set<string> | undefined;
  private readonly unclear = new Set<DumpKind>();
  private readonly entries = new AskedEntries();

  /** `owned` are protocol numbers; to `stale` goes what must be dumped again. */
  constructor(
    { store, links }: { readonly store: MirrorStore; readonly links: LinkTable },
    owned: ReadonlySet<number>,
    stale: Set<DumpKind>,
  ) {
    this.store = store;
    this.links = links;
    this.owned = owned;
    this.stale = stale;
    store.touch = (key) => this.touch(key);
  }

  /** Before the first of several requests is sent. */
  begin(): void {
    this.touched = new Set();
    this.unclear.clear();
  }

  /** A notification spoke of the object with this key. */
  touch(key: string): void {
    this.touched?.add(key);
  }

  /** Of these kinds anything may have changed without a word, or unheard; or what became of the additions is not known. */
  disturb(kinds: readonly DumpKind[] = QUIET_KINDS): void {
    if (this.touched !== undefined) for (const kind of kinds) this.unclear.add(kind);
  }

  /** The kernel acknowledged one of a pack's additions, and all notifications from before that were taken in. */
  take(pack: AdditionPack, index: number): void {
    const op = pack.ops[index] as PlainAddition;
    const { object } = op;
    if (object.kind !== 'fdb' && !this.owned.has(object.protocol)) return;
    const key = keyOfOp(op);
    const link = linkOfEchoed(object);
    const isUnclear = this.touched?.has(key) === true || link === undefined || !this.links.named(link);
    if (!isUnclear) {
      this.store.putAsked(key, resultOf(object));
      if (object.kind === 'fdb') this.entries.add(pack, index);
      return;
    }
    this.unclear.add(object.kind);
    // It may have come and gone: whoever asked for it must look again.
    this.store.tell(key);
  }

  /** True if a message of a dump shows a forwarding entry just as it was asked for, and as the state has it. */
  confirm(message: Uint8Array): boolean {
    const asked = this.entries.find(message);
    if (asked === undefined) return false;
    const key = keyOfOp(asked.op);
    const { object } = asked.op;
    if (this.links.get(asked.index)?.name !== object.link || this.store.get(key) !== object) return false;
    this.store.confirm(key);
    return true;
  }

  /** All forwarding entries were dumped. */
  dumpedEntries(): void {
    this.entries.clear();
  }

  /** After the last. Nobody has heard meanwhile what others did to forwarding entries, whatever the additions were. */
  end(): void {
    this.stale.add('fdb');
    for (const kind of this.unclear) this.stale.add(kind);
    this.touched = undefined;
    this.unclear.clear();
  }
}

function resultOf(object: PlainAddition['object']): KernelObject {
  return object.kind === 'route' ? announcedRoute(object) : object;
}
