/** A body that comes bit by bit, as lines. */

/** The longest line accepted, in bytes: far above the largest object a server stores. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

const EMPTY = new Uint8Array(0);

/** Splits bytes at line feeds, whatever the chunks; a last line without line feed counts. Empty lines are skipped. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes = MAX_LINE_BYTES,
): AsyncGenerator<string> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const take = () => {
    const [first = EMPTY] = held;
    const bytes =
      held.length > 1 ? Buffer.concat(held) : Buffer.from(first.buffer, first.byteOffset, first.length);
    const line = bytes.toString('utf8').trim();
    held = [];
    heldBytes = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      held.push(chunk.subarray(from, end));
      from = end + 1;
      const line = take();
      if (line !== '') yield line;
    }
    if (from < chunk.length) held.push(chunk.subarray(from));
    heldBytes += chunk.length - from;
    if (heldBytes > maxBytes) throw new RangeError(`a line of the watch is longer than ${maxBytes} bytes`);
  }
  const last = take();
  if (last !== '') yield last;
}
