/** From decoded messages to the vocabulary. */
import type { Link } from '#core/kernel/index.ts';

export function decodeLink(message: Uint8Array): (Link & { readonly index: number }) | undefined {
  throw new Error(`not written yet: ${message.length}`);
}
