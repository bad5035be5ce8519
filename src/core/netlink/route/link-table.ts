/** The links of a namespace by number and by name, and for each the keys of what lies on it. */
import type { LinkReferences } from './decode.ts';

export interface LinkRecord {
  readonly index: number;
  name: string;
  references: LinkReferences;
  /** Keys of addresses, routes, neighbours and forwarding entries that name this link. */
  readonly dependents: Set<string>;
}

export class LinkTable {
  private readonly byIndex = new Map<number, LinkRecord>();
  private readonly byName = new Map<string, LinkRecord>();

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
    const record: LinkRecord = { index, name, references, dependents: new Set() };
    this.byIndex.set(index, record);
    this.byName.set(name, record);
    return record;
  }

  rename(record: LinkRecord, name: string): void {
    if (this.byName.get(record.name) === record) this.byName.delete(record.name);
    record.name = name;
    this.byName.set(name, record);
  }

  delete(record: LinkRecord): void {
    this.byIndex.delete(record.index);
    if (this.byName.get(record.name) === record) this.byName.delete(record.name);
  }

  /** The links whose description names this one. */
  referringTo(index: number): LinkRecord[] {
    return this.all().filter(({ references: { master, lower } }) => master === index || lower === index);
  }
}
