/** The agent's log, JSON lines of pino, read for the one line that says why it cannot run. */

/** pino's levels: 30 info, 40 warn, 50 error, 60 fatal. */
const WARN = 40;

interface Entry {
  readonly level?: number;
  readonly msg?: string;
  readonly err?: { readonly message?: string };
}

/** The last complaint in a log, in one line; of a process that died without one, its last words. Undefined for an empty log. */
export function lastComplaint(log: string): string | undefined {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  const complaint = lines
    .map(parseEntry)
    .findLast((entry) => entry !== undefined && (entry.level ?? 0) >= WARN);
  // An error that nobody caught: Node prints the place, the message and the stack.
  const uncaught = lines.findLast((line) => /^(poplin: |\w*Error\b.*: )/.test(line));
  const text = complaint?.err?.message ?? complaint?.msg ?? uncaught ?? lines.at(-1);
  return text?.split('\n')[0];
}

function parseEntry(line: string): Entry | undefined {
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return undefined;
  }
}
