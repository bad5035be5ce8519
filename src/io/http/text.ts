/** Foreign text in messages: what a server said, and why it said nothing. */

/** The first characters of a text on one line. */
export function excerpt(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}

/** An error's message with its code; the parts of an AggregateError, which has no message of its own. */
export function describe(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0)
    return [...new Set(cause.errors.map(describe))].join(', ');
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  if (code === '' || cause.message.includes(code)) return cause.message;
  return `${cause.message} (${code})`;
}
