import type { KernelOp } from '#core/kernel/index.ts';
import type { LinkIndex } from './link-index.ts';

export function encodeOp(op: KernelOp, links: LinkIndex): Uint8Array[] {
  throw new Error(`not written yet: ${op.verb} ${links}`);
}
