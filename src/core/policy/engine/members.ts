/** All members with the labels of their namespaces and service accounts, found by key, by label and by address. */
import type { IpAddress } from '#base/ip/index.ts';
import type { LabelMap, Member } from '../model.ts';
import type { Selector } from '../selector/index.ts';
import { matchesSelector } from '../selector/index.ts';
import { AddressIndex } from './addresses.ts';
import { Entry, type Group } from './entry.ts';
import { isOfName, MemberLabels } from './member-labels.ts';
import { type Pivot, pivotOf, type Term, termKey } from './pivot.ts';
import { same } from './same.ts';

/** Told of each member that is there, changed or gone; `keys` are the labels that changed, absent: anything may have. */
export type MemberListener = (entry: Entry, keys?: ReadonlySet<string>) => void;

const NO_LABELS: LabelMap = {};

export class Members {
  readonly entries = new Map<string, Entry>();
  readonly namespaces = new Map<string, Group>();
  readonly #accounts = new Map<string, Group>();
  readonly #labels = new MemberLabels();
  readonly #addresses = new AddressIndex();
  readonly #changed: MemberListener;

  constructor(changed: MemberListener) {
    this.#changed = changed;
  }

  upsert(member: Member): void {
    const found = this.entries.get(member.key);
    if (found === undefined) {
      const entry = new Entry(member);
      this.entries.set(member.key, entry);
      this.#index(entry);
      this.#changed(entry);
    } else if (!same(found.member, member)) {
      this.#unindex(found);
      found.member = member;
      this.#index(found);
      this.#changed(found);
    }
  }

  remove(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.#unindex(entry);
    this.entries.delete(key);
    this.#changed(entry);
  }

  setNamespace(name: string, labels: LabelMap): void {
    this.#setLabels(this.namespaces, 'namespace', name, labels);
  }

  setServiceAccount(namespace: string, name: string, labels: LabelMap): void {
    this.#setLabels(this.#accounts, 'service-account', `${namespace}/${name}`, labels);
  }

  /** Everything, to be upserted elsewhere. */
  copyTo(other: Members): void {
    for (const { key, labels } of this.namespaces.values()) other.setNamespace(key, labels);
    for (const { key, labels } of this.#accounts.values())
      other.#setLabels(other.#accounts, 'service-account', key, labels);
    for (const { member } of this.entries.values()) other.upsert(member);
  }

  has(entry: Entry): boolean {
    return this.entries.get(entry.member.key) === entry;
  }

  /** Members that have the address itself, in the order of their keys. */
  at(address: IpAddress): readonly Entry[] {
    return this.#addresses.at(address);
  }

  /** Members that have the address, or a net it lies in. */
  covering(address: IpAddress): readonly Entry[] {
    return this.#addresses.covering(address);
  }

  /** The host endpoints of a node. */
  hostEndpointsOf(node: string): ReadonlySet<Entry> | undefined {
    return this.#labels.hostEndpointsOf(node);
  }

  get hasHostEndpoints(): boolean {
    return this.#labels.hasHostEndpoints;
  }

  /** How many members have a label, or a little more. */
  readonly weigh = (term: Term): number => (isOfName(term) ? this.entries.size : this.#labels.weigh(term));

  /** The members that a selector selects; its pivot says where to look. */
  *selected(selector: Selector, pivot: Pivot): Generator<Entry> {
    for (const entry of this.#labels.candidates(pivot) ?? this.entries.values())
      if (matchesSelector(selector, entry)) yield entry;
  }

  selectsAny(selector: Selector): boolean {
    return !this.selected(selector, pivotOf(selector, this.weigh)).next().done;
  }

  #index(entry: Entry): void {
    const { member } = entry;
    this.#labels.add(entry);
    if (member.namespace !== undefined) {
      entry.namespace = join(this.namespaces, member.namespace, entry);
      if (member.serviceAccount !== undefined)
        entry.account = join(this.#accounts, `${member.namespace}/${member.serviceAccount}`, entry);
    }
    this.#addresses.add(entry);
  }

  #unindex(entry: Entry): void {
    this.#labels.remove(entry);
    leave(this.namespaces, entry.namespace, entry);
    leave(this.#accounts, entry.account, entry);
    entry.namespace = undefined;
    entry.account = undefined;
    this.#addresses.remove(entry);
  }

  #setLabels(
    groups: Map<string, Group>,
    of: 'namespace' | 'service-account',
    key: string,
    labels: LabelMap,
  ): void {
    const group = groups.get(key) ?? { key, labels: NO_LABELS, entries: new Set() };
    const before = group.labels;
    if (same(before, labels)) return;
    groups.set(key, group);
    this.#labels.replace(of, group, before, labels);
    group.labels = labels;
    const keys = new Set<string>();
    for (const each in { ...before, ...labels })
      if (before[each] !== labels[each]) keys.add(termKey(of, each));
    for (const entry of group.entries) this.#changed(entry, keys);
    leave(groups, group);
  }
}

function join(groups: Map<string, Group>, key: string, entry: Entry): Group {
  let group = groups.get(key);
  if (group === undefined) groups.set(key, (group = { key, labels: NO_LABELS, entries: new Set() }));
  group.entries.add(entry);
  return group;
}

function leave(groups: Map<string, Group>, group: Group | undefined, entry?: Entry): void {
  if (group === undefined) return;
  if (entry !== undefined) group.entries.delete(entry);
  if (group.entries.size === 0 && Object.keys(group.labels).length === 0) groups.delete(group.key);
}
