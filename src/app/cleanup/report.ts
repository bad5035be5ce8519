/** What a cleanup did, thing by thing. */

export interface Row {
  /** In the words of ip, nft or the file system. */
  readonly what: string;
  readonly done: 'removed' | 'would be removed' | 'kept' | 'failed';
  /** Why it was kept, or what the system said. */
  readonly reason?: string;
}

/** It was not begun: the message says why, and what to do. Exit status 2. */
export class CleanupRefused extends Error {
  override readonly name = 'CleanupRefused';
}

/** A line for each thing, as `ip` would have it last. */
export function describeRows(rows: readonly Row[]): string {
  if (rows.length === 0) return 'nothing of Poplin is on this host\n';
  const width = Math.max(...rows.map(({ done }) => done.length));
  return rows
    .map(
      ({ what, done, reason }) =>
        `${done.padEnd(width)}  ${what}${reason === undefined ? '' : ` (${reason})`}\n`,
    )
    .join('');
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
