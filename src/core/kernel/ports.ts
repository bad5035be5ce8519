/** What the rest of Poplin needs from a kernel: one network namespace, read as state, changed by operations, watched. */
import type { KernelOp, KernelState, Link } from './state.ts';

/** Why an operation failed, in the kernel's own terms. */
export interface OpFailure {
  readonly op: KernelOp;
  /** `EEXIST`, `ENODEV`, … */
  readonly code: string;
  /** `add route 10.1.0.0/24 via 10.0.0.2: no such device (ENODEV)`. */
  readonly message: string;
}

export interface ApplyOutcome {
  /** Operations that took effect. */
  readonly applied: number;
  readonly failures: readonly OpFailure[];
}

export interface KernelListener {
  /**
   * Keys of objects that appeared, changed or vanished since the last call. What apply() made, and the kernel announced as it was asked
   * for, may be left out.
   */
  changed(keys: ReadonlySet<string>): void;
  /** Notifications were lost and everything was read anew: anything may have changed. */
  resynced(): void;
}

/** One network namespace of a real or a fake kernel. */
export interface Kernel extends Disposable {
  /**
   * What is there now: all links, their addresses, qdiscs and filters; of the rest, what carries an owner's mark (owners.ts), and the
   * sysctls asked for by `trackSysctls`. Of WireGuard's objects: as they were after the last apply() or refresh(). The map is live: read it at once, do not keep it across an await.
   */
  state(): KernelState;
  /**
   * Carries operations out in the given order. nf_tables operations of one call form one transaction: all or none.
   * A failed operation does not stop the others (other than its transaction). Afterwards state() shows the result.
   */
  apply(ops: readonly KernelOp[], signal?: AbortSignal): Promise<ApplyOutcome>;
  /**
   * Removes links in its own time while other calls go on: the kernel takes long to take a link apart. Resolves when they are gone,
   * with what it refused. Links that are not there any more count as removed.
   */
  removeAside(links: readonly Link[]): Promise<readonly OpFailure[]>;
  /** Reads anew what the kernel changes without a word: what WireGuard knows. To be called now and then, before state(). */
  refresh(): void;
  /** Adds paths below /proc/sys whose values state() is to show. */
  trackSysctls(paths: Iterable<string>): void;
  watch(listener: KernelListener): Disposable;
}
