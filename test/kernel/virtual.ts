/** The virtual machine (tools/vm) is slow: what the machine at hand has shown already is not tried there again. */
import { describe } from 'vitest';

export const IS_VIRTUAL = process.env['POPLIN_VIRTUAL'] === '1';

/** `describe` for what every kernel has. */
export function describeHere(name: string, tests: () => void): void {
  if (!IS_VIRTUAL) describe(name, tests);
}
