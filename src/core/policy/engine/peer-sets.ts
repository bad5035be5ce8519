/**
 * The sets that policies of local endpoints ask for, kept as long as one does. Changes of members are collected and looked at when the
 * changes are taken: once for each member, however often it changed, and only where a selector looks at the labels that did.
 */
import type { PeerSet, PeerSetChange } from '../graph.ts';
import type { Member } from '../model.ts';
import { isNamed } from './domains.ts';
import { type Lookups, memberElements } from './elements.ts';
import type { Entry } from './entry.ts';
import { KeptSet } from './kept-set.ts';
import type { Members } from './members.ts';
import { same } from './same.ts';
import { type Indexed, indexed, SelectorIndex } from './selector-index.ts';

interface MemberSet extends Indexed {
  readonly kept: KeptSet;
}

/** The sets that count a member, and as what they count it. */
interface Counted {
  readonly member: Member;
  readonly sets: Set<MemberSet>;
}

/** What became of the sets since the last time. */
export interface SetChanges {
  readonly sets: ReadonlyMap<string, PeerSetChange>;
  readonly dropped: ReadonlySet<string>;
}

export class PeerSets {
  readonly #members: Members;
  readonly #lookups: Lookups;
  readonly #kept = new Map<string, KeptSet>();
  readonly #index = new SelectorIndex<MemberSet>();
  readonly #indexed = new Map<KeptSet, MemberSet>();
  readonly #counted = new Map<Entry, Counted>();
  /** Members that changed, with the labels that did; undefined: all may have. */
  readonly #dirty = new Map<Entry, ReadonlySet<string> | undefined>();
  /** Sets that nobody asked for before, or nobody asks for now. */
  readonly #unsettled = new Set<KeptSet>();
  readonly #ofDomains = new Set<KeptSet>();
  /** Sets of services and names whose elements are to be looked up again. */
  readonly #stale = new Set<KeptSet>();
  readonly #changed = new Set<KeptSet>();

  constructor(members: Members, lookups: Lookups) {
    this.#members = members;
    this.#lookups = lookups;
  }

  retain(id: string, set: PeerSet): void {
    let kept = this.#kept.get(id);
    if (kept === undefined) {
      this.#kept.set(id, (kept = new KeptSet(id, set)));
      this.#unsettled.add(kept);
    }
    kept.uses++;
  }

  release(id: string): void {
    const kept = this.#kept.get(id);
    if (kept !== undefined && --kept.uses === 0) this.#unsettled.add(kept);
  }

  /** A member is there, has changed, or is gone; see MemberListener. */
  memberChanged(entry: Entry, keys?: ReadonlySet<string>): void {
    if (this.#kept.size === 0) return;
    const before = this.#dirty.get(entry);
    if (keys === undefined || (this.#dirty.has(entry) && before === undefined))
      this.#dirty.set(entry, undefined);
    else this.#dirty.set(entry, before === undefined ? keys : before.union(keys));
  }

  /** The elements of the sets of a service are others. */
  lookupChanged(ids: readonly string[]): void {
    for (const id of ids) {
      const kept = this.#kept.get(id);
      if (kept !== undefined) this.#stale.add(kept);
    }
  }

  /** The addresses of a name are others. */
  domainChanged(name: string): void {
    for (const kept of this.#setsOf(name)) this.#stale.add(kept);
  }

  get hasDomains(): boolean {
    return this.#ofDomains.size > 0;
  }

  /** Whether a set is of this name. */
  wantsDomain(name: string): boolean {
    return this.#setsOf(name).next().done !== true;
  }

  take(): SetChanges {
    for (const [entry, keys] of this.#dirty) this.#recount(entry, keys);
    this.#dirty.clear();
    const dropped = new Set<string>();
    for (const kept of this.#unsettled) if (kept.uses === 0) this.#drop(kept, dropped);
    for (const kept of this.#unsettled) if (kept.uses > 0 && !kept.isTold) this.#fill(kept);
    this.#unsettled.clear();
    for (const kept of this.#stale) this.#lookUp(kept);
    this.#stale.clear();
    const sets = new Map<string, PeerSetChange>();
    for (const kept of this.#changed) {
      const change = kept.take();
      if (change !== undefined) sets.set(kept.id, change);
    }
    this.#changed.clear();
    return { sets, dropped };
  }

  *#setsOf(name: string): Generator<KeptSet, void> {
    const key = name.toLowerCase();
    for (const kept of this.#ofDomains)
      if (kept.set.kind === 'domains' && isNamed(kept.set.names, key)) yield kept;
  }

  #recount(entry: Entry, keys: ReadonlySet<string> | undefined): void {
    const counted = this.#counted.get(entry);
    const before = counted?.sets ?? new Set<MemberSet>();
    const after = this.#members.has(entry) ? this.#selecting(entry, before, keys) : new Set<MemberSet>();
    const isOther = counted !== undefined && !sameElements(counted.member, entry.member);
    for (const each of before)
      if (isOther || !after.has(each)) this.#count(each, (counted as Counted).member, -1);
    for (const each of after) if (isOther || !before.has(each)) this.#count(each, entry.member, 1);
    if (after.size === 0) this.#counted.delete(entry);
    else this.#counted.set(entry, { member: entry.member, sets: after });
  }

  #selecting(
    entry: Entry,
    before: ReadonlySet<MemberSet>,
    keys: ReadonlySet<string> | undefined,
  ): Set<MemberSet> {
    const found = this.#index.selecting(entry, keys);
    if (keys !== undefined) for (const each of before) if (keys.isDisjointFrom(each.keys)) found.add(each);
    return found;
  }

  #count({ kept }: MemberSet, member: Member, by: 1 | -1): void {
    kept.count(memberElements(kept.set, member), by);
    this.#changed.add(kept);
  }

  #fill(kept: KeptSet): void {
    this.#changed.add(kept);
    const { set } = kept;
    if (set.kind === 'domains') this.#ofDomains.add(kept);
    if (set.kind !== 'members' && set.kind !== 'named-port') return this.#lookUp(kept);
    const found = { ...indexed(set.selector ?? { op: 'all' }, this.#members.weigh), kept };
    this.#indexed.set(kept, found);
    this.#index.add(found);
    for (const entry of this.#members.selected(found.selector, found.pivot)) {
      this.#count(found, entry.member, 1);
      const counted = this.#counted.get(entry);
      if (counted === undefined) this.#counted.set(entry, { member: entry.member, sets: new Set([found]) });
      else counted.sets.add(found);
    }
  }

  #lookUp(kept: KeptSet): void {
    if (!this.#kept.has(kept.id)) return;
    kept.replace(this.#lookups.elements(kept.set));
    this.#changed.add(kept);
  }

  #drop(kept: KeptSet, dropped: Set<string>): void {
    this.#kept.delete(kept.id);
    this.#ofDomains.delete(kept);
    this.#changed.delete(kept);
    if (kept.isTold) dropped.add(kept.id);
    const found = this.#indexed.get(kept);
    if (found === undefined) return;
    this.#indexed.delete(kept);
    this.#index.remove(found);
    for (const entry of this.#members.selected(found.selector, found.pivot)) this.#forget(entry, found);
  }

  #forget(entry: Entry, set: MemberSet): void {
    const sets = this.#counted.get(entry)?.sets;
    if (sets?.delete(set) === true && sets.size === 0) this.#counted.delete(entry);
  }
}

/** Whether a member gives sets the same elements as it did. */
function sameElements(a: Member, b: Member): boolean {
  return a === b || (same(a.nets, b.nets) && same(a.ports, b.ports));
}
