/** The running kernel for the contract suites, in a namespace of its own; foreign changes go over sockets of their own. */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KernelObject, KernelOp } from '#core/kernel/index.ts';
import { PodKernel, RealKernel } from '#io/kernel/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import type { TunnelKernelUnderTest } from '#testing/tunnel-contract.ts';
import { runIp } from './ip.ts';

export function realKernelUnderTest(): Promise<TunnelKernelUnderTest> {
  const path = join(tmpdir(), `poplin-contract-${randomBytes(4).toString('hex')}`);
  const namespace = createNamespace(path);
  const kernel = RealKernel.open(namespace);
  const change = async (...ops: KernelOp[]) => {
    using other = PodKernel.open(path);
    const failures = await other.apply(ops);
    if (failures.length > 0) throw new Error(failures.map((failure) => failure.message).join('; '));
  };
  return Promise.resolve({
    kernel,
    addForeign: (...objects: KernelObject[]) =>
      change(...objects.map((object) => ({ verb: 'add', object }) as const)),
    removeForeign: (...objects: KernelObject[]) =>
      change(...objects.map((object) => ({ verb: 'remove', object }) as const)),
    changeForeign: (object: KernelObject, previous: KernelObject) =>
      change({ verb: 'replace', object, previous }),
    exists: (object: KernelObject) => Promise.resolve(runIp(path, object)),
    [Symbol.asyncDispose]: () => {
      kernel[Symbol.dispose]();
      namespace.close();
      removeNamespace(path);
      return Promise.resolve();
    },
  });
}
