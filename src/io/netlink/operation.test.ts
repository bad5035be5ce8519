import { describe, expect, test } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { Channel } from './channel.ts';
import { isDumpInterrupted, isOverrun, NetlinkError } from './error.ts';
import { flagsOf, sequenceOf, splitMessages } from './frame.ts';
import { message } from './message.fixture.ts';
import { dump, request, transact, transactPacked } from './operation.ts';
import type { NetlinkExchange, NetlinkTransport } from './transport.ts';

const ACKNOWLEDGE = 0x4;

function verdict(sequence: number, errno: number): Uint8Array {
  return message(2, 0x100, sequence, [
    (256 - errno) & 255,
    ...(errno ? [255, 255, 255] : [0, 0, 0]),
    ...Array(16).fill(0),
  ]);
}

function done(sequence: number, flags = 2): Uint8Array {
  return message(3, flags, sequence, [0, 0, 0, 0]);
}

function padded(bytes: Uint8Array): number[] {
  return [...bytes, ...Array(-bytes.length & 3).fill(0)];
}

type Answer = Partial<NetlinkExchange>;

/** A transport whose answers are made from the messages it was sent. */
class ScriptedTransport implements NetlinkTransport {
  readonly answersMax: number = 3;
  readonly requests: Uint8Array[][] = [];
  closed = 0;
  readonly #answer: (messages: Uint8Array[], turn: number) => Answer;

  constructor(answer: (messages: Uint8Array[], turn: number) => Answer) {
    this.#answer = answer;
  }

  sendBytesMax(): number {
    return 64;
  }

  exchange(bytes: Uint8Array): NetlinkExchange {
    const messages = splitMessages(bytes.slice());
    this.requests.push(messages);
    const answer = this.#answer(messages, this.requests.length);
    return { sendErrno: 0, receiveErrno: 0, lost: false, messages: [], ...answer };
  }

  async exchangeAsync(bytes: Uint8Array): Promise<NetlinkExchange> {
    return this.exchange(bytes);
  }

  close(): void {
    this.closed += 1;
  }
}

const lastOf = (messages: Uint8Array[]) => sequenceOf(messages.at(-1) ?? new Uint8Array(16));
const question = message(18, 0, 0);

describe('a request', () => {
  test('gives the answers of its own sequence number only', () => {
    const transport = new ScriptedTransport((sent) => {
      const sequence = lastOf(sent);
      const stale = [message(16, 0, sequence - 1), verdict(sequence - 1, 17)];
      return { messages: [...stale, message(16, 0, sequence, [1]), verdict(sequence, 0)] };
    });
    const channel = new Channel(transport);
    channel.takeSequences(10);
    expect(channel.runSync(request(channel, question, 'x')).map((each) => each[16])).toEqual([1]);
  });

  test('is an overrun if its answer was lost', () => {
    const channel = new Channel(new ScriptedTransport(() => ({ lost: true })));
    expect(thrownBy(NetlinkError, () => channel.runSync(request(channel, question, 'x')))).toSatisfy(
      isOverrun,
    );
  });

  test('that is never acknowledged is an error, and so is one that cannot be sent', () => {
    const silent = new Channel(new ScriptedTransport(() => ({})));
    expect(() => silent.runSync(request(silent, question, 'link a'))).toThrow(
      'link a: protocol error (EPROTO)',
    );
    const full = new Channel(new ScriptedTransport(() => ({ sendErrno: 90 })));
    expect(() => full.runSync(request(full, question, 'link a'))).toThrow('(EMSGSIZE)');
  });
});

describe('a dump', () => {
  test('is repeated while it is disturbed, with a new sequence number each time', () => {
    const transport = new ScriptedTransport((sent, turn) => ({
      messages: [message(16, turn < 3 ? 0x12 : 2, lastOf(sent), [turn]), done(lastOf(sent))],
    }));
    const channel = new Channel(transport);
    expect(channel.runSync(dump(channel, question, 'links')).map((each) => each[16])).toEqual([3]);
    expect(new Set(transport.requests.map(lastOf)).size).toBe(3);
  });

  test('is repeated if only its last message tells of the disturbance', () => {
    const transport = new ScriptedTransport((sent, turn) => ({
      messages: [done(lastOf(sent), turn < 2 ? 0x12 : 2)],
    }));
    const channel = new Channel(transport);
    expect(channel.runSync(dump(channel, question, 'links'))).toEqual([]);
    expect(transport.requests.length).toBe(2);
  });

  test('that is disturbed ten times is an error of its own', () => {
    const transport = new ScriptedTransport((sent) => ({ messages: [done(lastOf(sent), 0x12)] }));
    const channel = new Channel(transport);
    expect(thrownBy(NetlinkError, () => channel.runSync(dump(channel, question, 'links')))).toSatisfy(
      isDumpInterrupted,
    );
    expect(transport.requests.length).toBe(10);
  });

  test('without its end is never taken for complete', () => {
    const transport = new ScriptedTransport((sent) => ({ messages: [message(16, 2, lastOf(sent))] }));
    const channel = new Channel(transport);
    expect(() => channel.runSync(dump(channel, question, 'links'))).toThrow(NetlinkError);
    expect(transport.requests.length).toBe(1);
  });
});

describe('a transaction', () => {
  const accept = (sent: Uint8Array[]): Answer => ({
    messages: sent.filter((each) => flagsOf(each) & ACKNOWLEDGE).map((each) => verdict(sequenceOf(each), 0)),
  });

  test('of messages that lie one behind the other is stamped in place, cut alike, and refused message by message', () => {
    const lengths = [0, 0, 0, 17, 17, 0, 0, 0, 0];
    const packed = Uint8Array.from(
      lengths.flatMap((bytes) => padded(message(18, 0x400, 0, Array(bytes).fill(7)))),
    );
    const transport = new ScriptedTransport((sent, turn) => ({
      messages: [
        ...(turn === 4 ? [verdict(sequenceOf(sent[1] as Uint8Array), 17)] : []),
        verdict(lastOf(sent), 0),
      ],
    }));
    const channel = new Channel(transport);
    expect(channel.runSync(transactPacked(channel, packed))).toEqual([
      { index: 7, errno: 17, code: 'EEXIST' },
    ]);
    expect(transport.requests.map((each) => each.length)).toEqual([3, 1, 2, 3]);
    const sent = transport.requests.flat();
    expect(sent.map(sequenceOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const [plain, last] = [0x401, 0x405];
    expect(sent.map(flagsOf)).toEqual([plain, plain, last, last, plain, last, plain, plain, last]);
    expect(() => channel.runSync(transactPacked(channel, packed.subarray(0, 20)))).toThrow(RangeError);
  });

  test('is cut by bytes and by the number of answers that fit', () => {
    const byCount = new ScriptedTransport(accept);
    const few = new Channel(byCount);
    few.runSync(transact(few, Array(7).fill(question), {}));
    expect(byCount.requests.map((each) => each.length)).toEqual([3, 3, 1]);
    const byBytes = new ScriptedTransport(accept);
    const large = new Channel(byBytes);
    large.runSync(transact(large, Array(3).fill(message(16, 0, 0, Array(17).fill(0))), {}));
    expect(byBytes.requests.map((each) => each.length)).toEqual([1, 1, 1]);
  });

  test('asks for the last acknowledgement of each send, or for all', () => {
    for (const [acknowledge, expected] of [
      ['last', [0, 0, ACKNOWLEDGE]],
      ['all', [ACKNOWLEDGE, ACKNOWLEDGE, ACKNOWLEDGE]],
    ] as const) {
      const transport = new ScriptedTransport(accept);
      const channel = new Channel(transport);
      channel.runSync(transact(channel, Array(3).fill(question), { acknowledge }));
      expect(transport.requests[0]?.map((each) => flagsOf(each) & ACKNOWLEDGE)).toEqual(expected);
    }
  });

  test('tells which messages were refused, over all sends', () => {
    const transport = new ScriptedTransport((sent) => ({
      messages: sent.map((each) => verdict(sequenceOf(each), [2, 4, 6].includes(sequenceOf(each)) ? 17 : 0)),
    }));
    const channel = new Channel(transport);
    const failures = channel.runSync(transact(channel, Array(7).fill(question), {}));
    expect(failures.map(({ index, code }) => [index, code])).toEqual([
      [1, 'EEXIST'],
      [3, 'EEXIST'],
      [5, 'EEXIST'],
    ]);
  });

  test('of nothing sends nothing', () => {
    const transport = new ScriptedTransport(accept);
    const channel = new Channel(transport);
    expect(channel.runSync(transact(channel, [], {}))).toEqual([]);
    expect(transport.requests).toEqual([]);
  });
});

describe('a channel', () => {
  test('runs asynchronous operations in their order and closes after the last', async () => {
    const transport = new ScriptedTransport((sent) => ({ messages: [verdict(lastOf(sent), 0)] }));
    const channel = new Channel(transport);
    const order: number[] = [];
    const calls = [1, 2, 3].map(async (name) => {
      await channel.run(request(channel, question, 'x'));
      order.push(name);
    });
    channel.close();
    channel.close();
    expect(transport.closed).toBe(0);
    await Promise.all(calls);
    await channel.settled();
    expect(order).toEqual([1, 2, 3]);
    expect(transport.closed).toBe(1);
    expect(() => channel.runSync(request(channel, question, 'x'))).toThrow('used after it was closed');
  });

  test('goes on after an operation that failed', async () => {
    const transport = new ScriptedTransport((sent, turn) => ({
      messages: [verdict(lastOf(sent), turn === 1 ? 17 : 0)],
    }));
    const channel = new Channel(transport);
    const first = channel.run(request(channel, question, 'x'));
    const second = channel.run(request(channel, question, 'x'));
    await expect(first).rejects.toThrow('EEXIST');
    await expect(second).resolves.toEqual([]);
  });

  test('never hands out the sequence number 0, nor a row that wraps', () => {
    const channel = new Channel(new ScriptedTransport(() => ({})));
    channel.takeSequences(0xffff_fff0);
    expect(channel.takeSequences(20)).toBe(1);
  });
});
