/** The kernel loop as a network's overlay sees it: what the overlay wants bears the marks of its network. */
import type { KernelObject } from '#core/kernel/index.ts';
import { asOfNetwork } from '#core/overlay/index.ts';
import type { KernelLoop } from './kernel-loop.ts';

export interface NetworkLoop {
  want(part: string, objects: readonly KernelObject[]): void;
  start(): void;
  /** Asks for a pass over what was wanted anew. */
  trigger(): void;
  inPlace(part: string): Promise<void>;
  /** All that is wanted, by whomever. */
  wanted(): Iterable<KernelObject>;
}

export function loopOfNetwork(loop: KernelLoop, network: number): NetworkLoop {
  const marked = asOfNetwork(network);
  return {
    want: (part, objects) => loop.want(part, network === 0 ? objects : objects.map(marked)),
    start: () => loop.start(),
    trigger: () => loop.trigger(),
    inPlace: (part) => loop.inPlace(part),
    wanted: () => loop.desired.state.values(),
  };
}
