/** The list of a protocol's codecs, by name: tests loop over it, so no codec escapes round trip and fuzzing. */
import type { Codec } from './codec.ts';

export interface RegisteredCodec {
  readonly name: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a registry holds codecs of every type
  readonly codec: Codec<any>;
}

/** Turns `{ link: codec, … }` into registry rows named `protocol.link`. */
export function registry(
  protocol: string,
  codecs: Readonly<Record<string, RegisteredCodec['codec']>>,
): RegisteredCodec[] {
  return Object.entries(codecs).map(([name, codec]) => ({ name: `${protocol}.${name}`, codec }));
}
