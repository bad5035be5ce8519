import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGone, StoreError } from '#core/store/index.ts';
import { splitLines } from '#io/http/index.ts';
import { thrownBy } from '#testing/thrown.ts';
import { parseWatchEvent } from './watch-stream.ts';

async function linesOf(chunks: Uint8Array[], maxBytes?: number): Promise<string[]> {
  const stream = (async function* () {
    yield* chunks;
  })();
  return Array.fromAsync(splitLines(stream, maxBytes));
}

describe('the lines of a watch', () => {
  it('are the same however the bytes are cut', async () => {
    const lines = fc.array(fc.string({ unit: fc.constantFrom('a', 'ü', '€', '😀', ' ') }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        lines,
        fc.array(fc.nat(60), { maxLength: 8 }),
        fc.boolean(),
        async (texts, cuts, ended) => {
          const bytes = Buffer.from(texts.join('\n') + (ended ? '\n' : ''));
          const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort(
            (a, b) => a - b,
          );
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          expect(await linesOf(chunks)).toEqual(
            texts.map((text) => text.trim()).filter((text) => text !== ''),
          );
        },
      ),
    );
  });

  it('may be large, but not without limit', async () => {
    const chunks = Array.from({ length: 1000 }, () => Buffer.alloc(1000, 'x'));
    expect((await linesOf(chunks))[0]).toHaveLength(1_000_000);
    await expect(linesOf(chunks, 500_000)).rejects.toThrow('longer than 500000 bytes');
  });
});

describe('a watch event', () => {
  const object = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', resourceVersion: '7' } };
  const parse = (value: unknown) => parseWatchEvent(JSON.stringify(value), 'watch of /api/v1/nodes');

  it('is a change or a bookmark; other types are passed over', () => {
    for (const type of ['ADDED', 'MODIFIED', 'DELETED'])
      expect(parse({ type, object })).toEqual({ type, object });
    expect(parse({ type: 'BOOKMARK', object })).toEqual({ type: 'BOOKMARK', resourceVersion: '7' });
    expect(parse({ type: 'NEW', object })).toBeUndefined();
  });

  it('of type ERROR is the error in its Status', () => {
    const status = {
      kind: 'Status',
      code: 410,
      reason: 'Expired',
      message: 'too old resource version: 1 (9)',
    };
    const error = thrownBy(StoreError, () => parse({ type: 'ERROR', object: status }));
    expect(isGone(error)).toBe(true);
    expect(error).toMatchObject({
      code: 410,
      message: 'watch of /api/v1/nodes: too old resource version: 1 (9)',
    });
    expect(thrownBy(StoreError, () => parse({ type: 'ERROR', object: {} }))).toMatchObject({
      code: 500,
      reason: 'InternalError',
    });
  });

  it('that is none is a StoreError', () => {
    for (const line of ['<html>', 'null', '1', '{}', '{"type":"ADDED"}', '{"type":"ADDED","object":null}'])
      expect(
        thrownBy(StoreError, () => parseWatchEvent(line, 'watch')),
        line,
      ).toBeInstanceOf(StoreError);
  });
});
