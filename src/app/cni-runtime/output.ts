/** What the commands of `poplin cni` print and end with: text for people, or with --json one JSON value. */
import { CniError, encodeError } from '#core/cni/index.ts';

/** A wrong use of the command: the message says what to do instead. Exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const EXIT = { failed: 1, usage: 2 } as const;

/** Prints a value as JSON, or the text. */
export function print(json: boolean | undefined, value: unknown, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : text);
}

/** Says something beside the answer. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Runs a command's work. A CniError is printed (as the specification's error object with --json) and ends with status 1, a
 * UsageError with 2; anything else is thrown on.
 */
export async function reported(
  command: string,
  json: boolean | undefined,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isUsage = error instanceof UsageError;
    if (!isUsage && !(error instanceof CniError)) throw error;
    process.exitCode = isUsage ? EXIT.usage : EXIT.failed;
    if (json) process.stdout.write(`${JSON.stringify(encodeError(error, '1.1.0'))}\n`);
    const code = isUsage ? '' : ` (code ${error.code})`;
    note(`poplin cni ${command}: ${error.message}${code}`);
  }
}

/** Columns as wide as their widest cell, two spaces between them. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), 0),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
