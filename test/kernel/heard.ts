/** A kernel that is watched, and what its listener hears; gone when the test ends. */
import { onTestFinished } from 'vitest';
import { RealKernel, type RealKernelOptions } from '#io/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';

export function listen(namespace: Namespace, options: RealKernelOptions = {}) {
  const kernel = RealKernel.open(namespace, options);
  onTestFinished(() => kernel[Symbol.dispose]());
  const heard = { resyncs: 0, keys: new Set<string>() };
  kernel.watch({
    changed: (keys) => {
      for (const key of keys) heard.keys.add(key);
    },
    resynced: () => {
      heard.resyncs += 1;
    },
  });
  return { kernel, heard };
}
