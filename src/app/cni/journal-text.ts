/** The text of the journal of attachments: a first line, then one for each change, of which the last about a part counts. */
import { parseStoredPart, type StoredPart } from './stored-part.ts';

/** The first line, by which a file that was emptied is told from one in which nothing is attached. */
const HEAD = '{"poplin":"attachments"}';

/** What is left of parts when a journal was read, and what is wrong with its lines. */
export interface JournalReading {
  readonly parts: Map<string, StoredPart>;
  readonly wrong: readonly string[];
}

/** A journal of these parts alone. */
export function journalOf(parts: Iterable<StoredPart>): string {
  return [HEAD, ...Array.from(parts, savedLine), ''].join('\n');
}

export function savedLine(stored: StoredPart): string {
  return JSON.stringify(stored);
}

/** The line that takes a part out. */
export function goneLine(part: string): string {
  return JSON.stringify({ gone: part });
}

/** What a journal says; `before` is what was known without it. */
export function readJournal(text: string, before: Iterable<StoredPart> = []): JournalReading {
  const parts = new Map(Array.from(before, (stored) => [stored.part, stored]));
  // What is behind the last line end was broken off while it was written, and never answered for.
  const [head, ...lines] = text.split('\n').slice(0, -1);
  const wrong: string[] = head === HEAD ? [] : ['it does not begin as one'];
  for (const [at, line] of lines.entries()) {
    const gone = goneOf(line);
    const found = gone === undefined ? parseStoredPart(line) : undefined;
    if (gone !== undefined) parts.delete(gone);
    else if (typeof found === 'object') parts.set(found.part, found);
    else wrong.push(`line ${at + 2}: ${found}`);
  }
  return { parts, wrong };
}

function goneOf(line: string): string | undefined {
  if (!line.startsWith('{"gone":')) return undefined;
  try {
    const { gone } = JSON.parse(line) as { gone: unknown };
    return typeof gone === 'string' ? gone : undefined;
  } catch {
    return undefined;
  }
}
