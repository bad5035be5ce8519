/** Checks every single revision of the subnet keys in an etcd. */
import {
  type EtcdEvent,
  type EtcdKeyValue,
  pairsOverlap,
  readStored,
  type StoredSubnet,
} from '#core/lease/etcd/index.ts';
import { layout, revisionOf } from './etcd-crowd.ts';

/** Follows every revision: a key that Poplin makes overlaps none, and a key it writes was its own. */
export class Auditor {
  readonly faults: string[] = [];
  readonly live = new Map<string, StoredSubnet>();
  /** Nodes whose subnets a flannel node has taken or written over. */
  readonly trodden = new Set<string>();
  created = 0;
  rewritten = 0;

  constructor(kvs: readonly EtcdKeyValue[]) {
    for (const kv of kvs) this.set(kv);
  }

  take(events: readonly EtcdEvent[]): void {
    const revisions = Map.groupBy(events, revisionOf);
    for (const [revision, together] of revisions) {
      for (const event of together) if (event.type === 'delete') this.live.delete(event.key);
      for (const event of together) if (event.type === 'put') this.put(event.kv, revision);
    }
  }

  private put(kv: EtcdKeyValue, revision: number): void {
    const before = this.live.get(kv.key);
    const now = this.set(kv);
    if (now === undefined) return void this.faults.push(`${revision}: ${kv.key} cannot be read: ${kv.value}`);
    const owner = now.value.owner?.uid;
    const overlapping = [...this.live.values()].filter(
      (other) => other.kv.key !== kv.key && pairsOverlap(other.subnets, now.subnets),
    );
    if (owner === undefined) {
      for (const other of [...overlapping, ...(before ? [before] : [])])
        if (other.value.owner !== undefined) this.trodden.add(other.value.owner.uid);
      return;
    }
    if (before === undefined) {
      this.created++;
      for (const other of overlapping)
        this.faults.push(
          `${revision}: ${owner} made ${kv.key}, which overlaps ${other.kv.key} ${other.kv.value}`,
        );
      return;
    }
    this.rewritten++;
    if (before.value.owner?.uid !== owner)
      this.faults.push(`${revision}: ${owner} wrote over ${kv.key} of ${before.kv.value}`);
  }

  private set(kv: EtcdKeyValue): StoredSubnet | undefined {
    const reading = readStored(layout, kv);
    if (!reading.ok) return undefined;
    this.live.set(kv.key, reading.stored);
    return reading.stored;
  }

  /** Keys that overlap now. */
  doubles(): string[] {
    const all = [...this.live.values()];
    return all.flatMap((one, index) =>
      all
        .slice(index + 1)
        .filter((other) => pairsOverlap(one.subnets, other.subnets))
        .map((other) => `${one.kv.key} ${one.kv.value} and ${other.kv.key} ${other.kv.value}`),
    );
  }
}
