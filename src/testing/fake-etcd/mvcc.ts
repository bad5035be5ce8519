/** The keys of a fake etcd and their history: reads at any revision that is not compacted, comparisons, events. */
import {
  type EtcdCompare,
  EtcdError,
  type EtcdEvent,
  type EtcdKeyValue,
  type EtcdRange,
  type RangeAnswer,
  type RangeRequest,
} from '#core/lease/etcd/index.ts';

export class Mvcc {
  /** A new etcd is at revision 1. */
  revision = 1;
  compacted = 0;
  private readonly now = new Map<string, EtcdKeyValue>();
  private readonly history: EtcdEvent[] = [];

  get(key: string): EtcdKeyValue | undefined {
    return this.now.get(key);
  }

  /** By name, as etcd's bytes sort. */
  select(range: EtcdRange, from: Iterable<EtcdKeyValue> = this.now.values()): EtcdKeyValue[] {
    return [...from]
      .filter(({ key }) => inRange(range, key))
      .toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  range(request: RangeRequest): RangeAnswer {
    const { revision, limit = 0, minCreateRevision = 0, sortBy } = request;
    this.check(revision);
    const found = this.select(request, this.at(revision)).filter(
      (kv) => kv.createRevision >= minCreateRevision,
    );
    if (sortBy === 'create') found.sort((a, b) => a.createRevision - b.createRevision);
    const more = limit > 0 && found.length > limit;
    return { revision: this.revision, kvs: more ? found.slice(0, limit) : found, more };
  }

  holds(compare: EtcdCompare): boolean {
    const found = this.select(compare);
    const kvs = found.length > 0 ? found : [{ createRevision: 0, modRevision: 0, lease: '0' }];
    return kvs.every((kv) => {
      if (compare.target === 'lease') return kv.lease === compare.lease;
      const revision = compare.target === 'create' ? kv.createRevision : kv.modRevision;
      return compare.is === 'equal' ? revision === compare.revision : revision < compare.revision;
    });
  }

  /** Sets a key in the revision that is being made. */
  put(key: string, value: string, lease: string, revision: number): EtcdEvent {
    const createRevision = this.now.get(key)?.createRevision ?? revision;
    const kv = { key, value, createRevision, modRevision: revision, lease };
    this.now.set(key, kv);
    return { type: 'put', kv };
  }

  delete(key: string, revision: number): EtcdEvent {
    this.now.delete(key);
    return { type: 'delete', key, modRevision: revision };
  }

  commit(events: readonly EtcdEvent[], revision: number): void {
    this.revision = revision;
    this.history.push(...events);
  }

  /** Events of a range from a revision on. Throws for one that is compacted. */
  since(range: EtcdRange, revision: number): EtcdEvent[] {
    if (revision <= this.compacted) throw this.gone();
    return this.history.filter((event) => revisionOf(event) >= revision && inRange(range, keyOf(event)));
  }

  compact(revision: number): void {
    this.compacted = revision;
  }

  private check(revision: number | undefined): void {
    if (revision === undefined) return;
    if (revision > this.revision) throw new EtcdError('future', `revision ${revision} is yet to come`);
    if (revision < this.compacted) throw this.gone();
  }

  private gone(): EtcdError {
    return new EtcdError('compacted', 'required revision has been compacted', {
      compactRevision: this.compacted,
    });
  }

  private at(revision: number | undefined): Iterable<EtcdKeyValue> {
    if (revision === undefined || revision === this.revision) return this.now.values();
    const then = new Map<string, EtcdKeyValue>();
    for (const event of this.history) {
      if (revisionOf(event) > revision) break;
      if (event.type === 'put') then.set(event.kv.key, event.kv);
      else then.delete(event.key);
    }
    return then.values();
  }
}

export function revisionOf(event: EtcdEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision;
}

export function keyOf(event: EtcdEvent): string {
  return event.type === 'put' ? event.kv.key : event.key;
}

export function inRange({ key, end }: EtcdRange, name: string): boolean {
  return end === undefined ? name === key : name >= key && name < end;
}
