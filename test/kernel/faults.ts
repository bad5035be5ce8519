/**
 * Faults at the steps of a call: each place where the service reaches for the kernel, the pod or the disk announces its step first, and
 * what the test put there happens.
 */
import { AttachmentJournal, type StoredPart } from '#app/cni/index.ts';
import type { AddressStore } from '#core/cni/index.ts';
import type {
  ApplyOutcome,
  Kernel,
  KernelListener,
  KernelOp,
  KernelState,
  Link,
  OpFailure,
} from '#core/kernel/index.ts';
import { PodKernel } from '#io/kernel/index.ts';

/** Called before a step; what it throws the step fails with. */
export type Step = (name: string) => void | Promise<void>;

/** The kernel refuses an operation. */
export class Refusal extends Error {
  readonly code = 'ENOBUFS';
}

/** The disk takes no more. */
export class DiskFull extends Error {
  readonly code = 'ENOSPC';
  readonly syscall = 'write';
}

export class SteppedKernel implements Kernel {
  private readonly kernel: Kernel;
  private readonly step: Step;

  constructor(kernel: Kernel, step: Step) {
    this.kernel = kernel;
    this.step = step;
  }

  state(): KernelState {
    return this.kernel.state();
  }

  async apply(ops: readonly KernelOp[], signal?: AbortSignal): Promise<ApplyOutcome> {
    if (ops.length > 0) {
      const failures = await refused(this.step, 'kernel', ops);
      if (failures !== undefined) return { applied: 0, failures };
    }
    return this.kernel.apply(ops, signal);
  }

  async removeAside(links: readonly Link[]): Promise<readonly OpFailure[]> {
    const ops = links.map((object): KernelOp => ({ verb: 'remove', object }));
    return (await refused(this.step, 'kernel aside', ops)) ?? this.kernel.removeAside(links);
  }

  refresh(): void {
    this.kernel.refresh();
  }

  trackSysctls(paths: Iterable<string>): void {
    this.kernel.trackSysctls(paths);
  }

  watch(listener: KernelListener): Disposable {
    return this.kernel.watch(listener);
  }

  [Symbol.dispose](): void {
    this.kernel[Symbol.dispose]();
  }
}

export class SteppedJournal extends AttachmentJournal {
  private readonly step: Step;

  constructor(folder: string, step: Step) {
    super(folder);
    this.step = step;
  }

  override save(stored: StoredPart): void {
    void this.step('record');
    super.save(stored);
  }
}

export function steppedAddresses(addresses: AddressStore, step: Step): AddressStore {
  return {
    withNetwork: async (network, work) => {
      await step('addresses');
      return addresses.withNetwork(network, work);
    },
  };
}

/** Announces what is done in pods, until disposed. */
export function steppedPods(step: Step): Disposable {
  const { prototype } = PodKernel;
  const original: unknown = Reflect.get(prototype, 'apply');
  const apply = original as PodKernel['apply'];
  PodKernel.prototype.apply = async function stepped(this: PodKernel, ops) {
    return ops.length === 0 ? [] : ((await refused(step, 'pod', ops)) ?? apply.call(this, ops));
  };
  return {
    [Symbol.dispose]: () => {
      PodKernel.prototype.apply = apply;
    },
  };
}

async function refused(step: Step, name: string, ops: readonly KernelOp[]): Promise<OpFailure[] | undefined> {
  try {
    await step(name);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return ops.map((op) => ({
      op,
      code: error.code,
      message: `${op.verb} ${op.object.kind}: refused (ENOBUFS)`,
    }));
  }
}
