/** The links of a namespace by number and by name, and for each the keys of what lies on it. */
import type { LinkReferences } from './decode.ts';

export interface LinkRecord {
  readonly index: number;
  readonly name: string;
  readonly references: LinkReferences;
  /** Keys of addresses, routes, neighbours and forwarding entries that name this link. */
  readonly dependents: Set<string>;
}

type Mutable = { -readonly [Key in keyof LinkRecord]: LinkRecord[Key] };

export class LinkTable {
  private readonly byIndex = new Map<number, Mutable>();
  private readonly byName = new Map<string, Mutable>();
  /** By number, the links whose description names that one. */
  private readonly referrers = new Map<number, Set<LinkRecord>>();

  get(index: number): LinkRecord | undefined {
    return this.byIndex.get(index);
  }

  named(name: string): LinkRecord | undefined {
    return this.byName.get(name);
  }

  nameOf(index: number): string | undefined {
    return this.byIndex.get(index)?.name;
  }

  all(): LinkRecord[] {
    return [...this.byIndex.values()];
  }

  add(index: number, name: string, references: LinkReferences): LinkRecord {
    const record: Mutable = { index, name, references, dependents: new Set() };
    this.byIndex.set(index, record);
    this.byName.set(name, record);
    this.list(record);
    return record;
  }

  rename({ index }: LinkRecord, name: string): void {
    const record = this.byIndex.get(index);
    if (record === undefined) return;
    if (this.byName.get(record.name) === record) this.byName.delete(record.name);
    record.name = name;
    this.byName.set(name, record);
  }

  /** Notes which links a link's description names now. */
  refer({ index }: LinkRecord, references: LinkReferences): void {
    const record = this.byIndex.get(index);
    if (record === undefined) return;
    this.unlist(record);
    record.references = references;
    this.list(record);
  }

  delete(record: LinkRecord): void {
    this.unlist(record);
    this.byIndex.delete(record.index);
    if (this.byName.get(record.name) === record) this.byName.delete(record.name);
  }

  /** The links whose description names this one. */
  referringTo(index: number): LinkRecord[] {
    return [...(this.referrers.get(index) ?? [])];
  }

  private list(record: LinkRecord): void {
    for (const index of namedBy(record)) {
      const found = this.referrers.get(index);
      if (found === undefined) this.referrers.set(index, new Set([record]));
      else found.add(record);
    }
  }

  private unlist(record: LinkRecord): void {
    for (const index of namedBy(record)) {
      const found = this.referrers.get(index);
      found?.delete(record);
      if (found?.size === 0) this.referrers.delete(index);
    }
  }
}

function namedBy({ references: { master, lower } }: LinkRecord): number[] {
  return [master, lower].filter((index) => index !== 0);
}
