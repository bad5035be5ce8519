/**
 * A working model of one network namespace: it obeys the port's contract and refuses what a kernel refuses, with the kernel's
 * own error codes. `foreign` changes it as other software would. It moves no packets and picks no MAC addresses.
 */
import {
  type ApplyOutcome,
  describeOp,
  type Kernel,
  type KernelListener,
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  type Link,
  type OpFailure,
  ownerOf,
} from '#core/kernel/index.ts';
import { FakeErrno, type FakeState } from './errno.ts';
import { addObject, removeObject, replaceObject, requireUnused } from './rules.ts';
import { isOfWireguard, isOwned, readDevices } from './wireguard.ts';

const ALWAYS_VISIBLE: ReadonlySet<string> = new Set(['link', 'address', 'qdisc', 'filter']);

export class FakeKernel implements Kernel {
  private all: FakeState = new Map();
  private visible = new Map<string, KernelObject>();
  private readonly listeners = new Set<KernelListener>();
  private readonly tracked = new Set<string>();
  /** What WireGuard knew when it was last read: nothing announces a change of that. */
  private devices: FakeState = new Map();
  /** Every operation carried out, as text, in order. */
  readonly journal: string[] = [];

  constructor() {
    this.all.set('link lo', {
      kind: 'link',
      name: 'lo',
      detail: { type: 'other', linkKind: 'physical' },
      up: true,
    });
    this.show();
  }

  state(): KernelState {
    return this.visible;
  }

  trackSysctls(paths: Iterable<string>): void {
    for (const path of paths) this.tracked.add(path);
    this.show();
  }

  refresh(): void {
    this.devices = readDevices(this.all, this.devices);
    this.show();
  }

  apply(ops: readonly KernelOp[]): Promise<ApplyOutcome> {
    const failures: OpFailure[] = [];
    const transaction = ops.filter((op) => op.object.kind.startsWith('nft-'));
    for (const op of ops)
      if (!op.object.kind.startsWith('nft-')) this.attempt(op, () => this.carryOut(op), failures);
    this.commit(transaction, failures);
    for (const op of ops) this.journal.push(describeOp(op));
    this.devices = readDevices(this.all, this.devices, ops);
    this.show();
    return Promise.resolve({ applied: ops.length - failures.length, failures });
  }

  async removeAside(links: readonly Link[]): Promise<readonly OpFailure[]> {
    const present = links.filter((link) => this.all.has(keyOf(link)));
    return (await this.apply(present.map((object) => ({ verb: 'remove', object })))).failures;
  }

  watch(listener: KernelListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => this.listeners.delete(listener) };
  }

  /** Carries out operations as another program would; throws what the kernel refuses. */
  foreign(...ops: readonly KernelOp[]): void {
    for (const op of ops) this.carryOut(op);
    this.show();
  }

  /** Tells listeners that notifications were lost. */
  overrun(): void {
    for (const listener of this.listeners) listener.resynced();
  }

  /** Everything there is, ours and foreign, sorted, one object a line. */
  dump(): string {
    return [...this.all.keys()].sort().join('\n');
  }

  [Symbol.dispose](): void {
    this.listeners.clear();
  }

  private attempt(op: KernelOp, work: () => void, failures: OpFailure[]): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof FakeErrno)) throw error;
      failures.push({ op, code: error.code, message: `${describeOp(op)}: ${error.message}` });
    }
  }

  /** nf_tables: all of a transaction or none of it. */
  private commit(ops: readonly KernelOp[], failures: OpFailure[]): void {
    const before = new Map(this.all);
    const found: OpFailure[] = [];
    for (const op of ops) this.attempt(op, () => this.carryOut(op), found);
    for (const op of ops)
      if (op.verb === 'remove') this.attempt(op, () => requireUnused(this.all, op.object), found);
    if (found.length === 0) return;
    this.all = before;
    const [first] = found;
    for (const op of ops) {
      failures.push(found.find((failure) => failure.op === op) ?? { ...(first as OpFailure), op });
    }
  }

  private carryOut(op: KernelOp): void {
    if (op.verb === 'add') addObject(this.all, op.object);
    else if (op.verb === 'replace') replaceObject(this.all, op.object, op.previous);
    else removeObject(this.all, op.object);
  }

  private show(): void {
    const changed = new Set<string>();
    const next = new Map<string, KernelObject>();
    for (const [key, object] of this.all) if (this.isVisible(object)) next.set(key, object);
    for (const [key, object] of this.devices) if (isOwned(object, this.all)) next.set(key, object);
    for (const [key, object] of next) if (this.visible.get(key) !== object) changed.add(key);
    for (const key of this.visible.keys()) if (!next.has(key)) changed.add(key);
    this.visible = next;
    if (changed.size > 0) for (const listener of this.listeners) listener.changed(changed);
  }

  private isVisible(object: KernelObject): boolean {
    if (ALWAYS_VISIBLE.has(object.kind)) return true;
    if (isOfWireguard(object)) return false;
    if (object.kind === 'sysctl') return this.tracked.has(object.path);
    return ownerOf(object, this.all) !== undefined;
  }

  /** The object of that key, ours or foreign. */
  find(object: KernelObject): KernelObject | undefined {
    return this.all.get(keyOf(object));
  }
}
