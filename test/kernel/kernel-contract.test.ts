/** The contract of Kernel on the running kernel, in a namespace of its own; foreign changes go over sockets of their own. */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KernelObject } from '#core/kernel/index.ts';
import { PodKernel, RealKernel } from '#io/kernel/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { kernelContract } from '#testing/kernel-contract.ts';
import { runIp } from './ip.ts';

kernelContract('RealKernel', () => {
  const path = join(tmpdir(), `poplin-contract-${randomBytes(4).toString('hex')}`);
  const namespace = createNamespace(path);
  const kernel = RealKernel.open(namespace);
  const change = async (verb: 'add' | 'remove', objects: readonly KernelObject[]) => {
    using other = PodKernel.open(path);
    const failures = await other.apply(objects.map((object) => ({ verb, object })));
    if (failures.length > 0) throw new Error(failures.map((failure) => failure.message).join('; '));
  };
  return Promise.resolve({
    kernel,
    addForeign: (...objects: KernelObject[]) => change('add', objects),
    removeForeign: (...objects: KernelObject[]) => change('remove', objects),
    exists: (object: KernelObject) => Promise.resolve(runIp(path, object)),
    [Symbol.asyncDispose]: () => {
      kernel[Symbol.dispose]();
      namespace.close();
      removeNamespace(path);
      return Promise.resolve();
    },
  });
});
