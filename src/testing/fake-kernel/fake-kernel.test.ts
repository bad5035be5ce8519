import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { kernelContract } from '#testing/kernel-contract.ts';

kernelContract('FakeKernel', () => {
  const kernel = new FakeKernel();
  return Promise.resolve({
    kernel,
    addForeign: (...objects) => {
      kernel.foreign(...objects.map((object) => ({ verb: 'add', object }) as const));
      return Promise.resolve();
    },
    removeForeign: (...objects) => {
      kernel.foreign(...objects.map((object) => ({ verb: 'remove', object }) as const));
      return Promise.resolve();
    },
    exists: (object) => Promise.resolve(kernel.find(object) !== undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(kernel[Symbol.dispose]()),
  });
});
