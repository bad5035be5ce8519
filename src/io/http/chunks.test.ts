import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { chunksOf } from './chunks.ts';

const wrapped = (error: unknown) => new Error('wrapped', { cause: error });

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of chunksOf(stream, wrapped)) text += Buffer.from(chunk).toString();
  return text;
}

describe('chunks of a stream', () => {
  test('come in order, those of a burst and those that are waited for', async () => {
    const stream = new Readable({ read: () => {} });
    const read = textOf(stream);
    for (let n = 0; n < 50; n++) {
      stream.push(`${n},`);
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    stream.push(null);
    expect(await read).toBe(Array.from({ length: 50 }, (_, n) => `${n},`).join(''));
  });

  test('end with the error of the stream, after what came before it', async () => {
    const stream = new Readable({ read: () => {} });
    const chunks = chunksOf(stream, wrapped);
    stream.push('a');
    await new Promise((resolve) => setImmediate(resolve));
    stream.destroy(new Error('broken'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await chunks.next()).toEqual({ value: Buffer.from('a'), done: false });
    await expect(chunks.next()).rejects.toMatchObject({ message: 'wrapped', cause: { message: 'broken' } });
    await expect(chunks.next()).rejects.toThrow('wrapped');
  });

  test('end with an error where the connection is closed before the end, also for one who waits', async () => {
    const stream = new Readable({ read: () => {} });
    const waiting = chunksOf(stream, wrapped).next();
    stream.destroy();
    await expect(waiting).rejects.toMatchObject({ cause: { message: 'the connection was closed' } });
  });

  test('hold the sender up where nobody takes them, and lose none', async () => {
    const [pieces, bytes] = [100, 64 * 1024];
    let made = 0;
    const stream = new Readable({
      read() {
        this.push(made++ < pieces ? Buffer.alloc(bytes, made) : null);
      },
    });
    const chunks = chunksOf(stream, wrapped);
    while (!stream.isPaused()) await new Promise((resolve) => setImmediate(resolve));
    expect(made).toBeLessThan(30);
    let total = 0;
    for await (const chunk of chunks) total += chunk.length;
    expect(total).toBe(pieces * bytes);
  });

  test('are wanted no more when the loop is left', async () => {
    const stream = new Readable({ read: () => {} });
    stream.push('a');
    for await (const chunk of chunksOf(stream, wrapped)) {
      expect(chunk).toEqual(Buffer.from('a'));
      break;
    }
    expect(stream.destroyed).toBe(true);
  });
});

describe('a stream whose socket rests', () => {
  const begin = () => {
    const clock = new SimClock();
    const stream = new Readable({ read: () => {} });
    const calls: string[] = [];
    const socket = { pause: () => calls.push('pause'), resume: () => calls.push('resume') } as never;
    return { clock, stream, calls, chunks: chunksOf(stream, wrapped, { clock, ms: 100, socket }) };
  };

  test('gives the first piece at once, then leaves the socket alone for a while', async () => {
    const { clock, stream, calls, chunks } = begin();
    stream.push('a');
    expect(await chunks.next()).toMatchObject({ value: Buffer.from('a') });
    await settle();
    expect(calls).toEqual(['pause']);
    await clock.advanceAsync(99);
    expect(calls).toEqual(['pause']);
    await clock.advanceAsync(1);
    expect(calls).toEqual(['pause', 'resume']);
    stream.push('b');
    stream.push('c');
    await settle();
    expect(calls).toEqual(['pause', 'resume', 'pause']);
    expect(await chunks.next()).toMatchObject({ value: Buffer.from('b') });
    expect(await chunks.next()).toMatchObject({ value: Buffer.from('c') });
  });

  test('leaves no timer and no resting socket behind, however it ends', async () => {
    for (const end of ['push', 'destroy', 'return'] as const) {
      const { clock, stream, calls, chunks } = begin();
      stream.push('a');
      await chunks.next();
      await settle();
      if (end === 'push') stream.push(null);
      else if (end === 'destroy') stream.destroy();
      else await chunks.return?.();
      await settle();
      expect(calls, end).toEqual(['pause', 'resume']);
      expect(clock.pending, end).toBe(0);
    }
  });

  test('that ended with a piece does not begin to rest', async () => {
    const { clock, stream, calls, chunks } = begin();
    stream.push('a');
    stream.push(null);
    await chunks.next();
    expect(await chunks.next()).toEqual({ value: undefined, done: true });
    await settle();
    expect(calls).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
