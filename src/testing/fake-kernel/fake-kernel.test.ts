import type { KernelObject } from '#core/kernel/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { kernelContract } from '#testing/kernel-contract.ts';
import { tunnelContract } from '#testing/tunnel-contract.ts';

const create = () => {
  const kernel = new FakeKernel();
  return Promise.resolve({
    kernel,
    addForeign: (...objects: KernelObject[]) => {
      kernel.foreign(...objects.map((object) => ({ verb: 'add', object }) as const));
      return Promise.resolve();
    },
    removeForeign: (...objects: KernelObject[]) => {
      kernel.foreign(...objects.map((object) => ({ verb: 'remove', object }) as const));
      return Promise.resolve();
    },
    changeForeign: (object: KernelObject, previous: KernelObject) => {
      kernel.foreign({ verb: 'replace', object, previous });
      return Promise.resolve();
    },
    exists: (object: KernelObject) => Promise.resolve(kernel.find(object) !== undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(kernel[Symbol.dispose]()),
  });
};

kernelContract('FakeKernel', create);
tunnelContract('FakeKernel', create);
