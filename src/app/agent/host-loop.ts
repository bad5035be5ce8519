/** The kernel loop as CNI sees it: what is wanted anew is carried out soon, also where nothing but the wish has changed. */
import type { HostLoop } from '#app/cni/index.ts';
import type { KernelLoop } from './kernel-loop.ts';

export function hostLoopOf(loop: KernelLoop): HostLoop {
  return {
    ensure: (part, objects) => loop.ensure(part, objects),
    want: (part, objects) => {
      loop.want(part, objects);
      loop.trigger();
    },
  };
}
