import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDecodeError } from '#core/codec/index.ts';
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  MAX_REQUEST_BYTES,
  type PluginCall,
  requestLength,
} from './frame.ts';

/** A byte order mark at the beginning is left out in decoding. */
const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\ufeff', ''));
const call: fc.Arbitrary<PluginCall> = fc.record({
  plugin: text,
  environment: fc.dictionary(
    fc.stringMatching(/^[A-Z_]{1,12}$/),
    text.map((value) => value.replaceAll('\0', '')),
  ),
  stdin: text,
});
const answer = fc.record({ exitStatus: fc.nat({ max: 255 }), stdout: text, stderr: text });

/** Frames with one byte changed, cut off, or with bytes behind them. */
const damaged = (frame: fc.Arbitrary<Uint8Array>) =>
  fc.oneof(
    fc
      .tuple(frame, fc.nat(), fc.nat({ max: 255 }))
      .map(([bytes, at, value]) => bytes.with(at % bytes.length, value)),
    fc.tuple(frame, fc.nat()).map(([bytes, end]) => bytes.slice(0, end % bytes.length)),
    fc
      .tuple(frame, fc.uint8Array({ minLength: 1 }))
      .map(([bytes, more]) => Uint8Array.from([...bytes, ...more])),
  );

/** What a function gives, or undefined for a DecodeError; other errors come through. */
function orRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!isDecodeError(error)) throw error;
    return undefined;
  }
}

const SMALL: PluginCall = {
  plugin: 'bridge',
  environment: { CNI_COMMAND: 'ADD', CNI_ARGS: 'a=b' },
  stdin: '{}',
};

describe('request frames', () => {
  it('have a fixed form', () => {
    const hex = (part: string) => Buffer.from(part).toString('hex');
    expect(Buffer.from(encodeRequest(SMALL)).toString('hex')).toBe(
      [
        hex('PCN1'),
        '00000001',
        '00000006',
        hex('bridge'),
        '0000001d',
        hex('CNI_COMMAND=ADD\0CNI_ARGS=a=b\0'),
        '00000002',
        hex('{}'),
      ].join(''),
    );
  });

  it('bring back what went in', () => {
    fc.assert(
      fc.property(call, (each) => {
        expect(decodeRequest(encodeRequest(each))).toEqual(each);
      }),
    );
  });

  it('tell their length as soon as it can be known, and never another', () => {
    fc.assert(
      fc.property(call, fc.nat(), (each, cut) => {
        const frame = encodeRequest(each);
        const stdinBytes = new TextEncoder().encode(each.stdin).length;
        const end = cut % (frame.length + 1);
        const known = end >= frame.length - stdinBytes;
        expect(requestLength(frame.slice(0, end))).toBe(known ? frame.length : undefined);
      }),
    );
  });

  it('are refused with nothing but a DecodeError, and the length is never at odds with the decoder', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), damaged(call.map(encodeRequest))), (bytes) => {
        const length = orRefused(() => requestLength(bytes));
        const decoded = orRefused(() => decodeRequest(bytes));
        if (decoded !== undefined) expect(length).toBe(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, (frame: Uint8Array) => Uint8Array, string]>([
    ['another magic', (frame) => frame.with(0, 0x51), 'magic: not a Poplin CNI frame (byte 0)'],
    [
      'another version',
      (frame) => frame.with(7, 2),
      'version: version 2, this agent speaks 1: reinstall the plugins (byte 4)',
    ],
    [
      'a name that is too long',
      (frame) => frame.with(10, 9),
      'plugin: 2310 bytes, at most 256 are allowed (byte 8)',
    ],
    ['bytes left over', (frame) => Uint8Array.from([...frame, 0]), '1 trailing bytes (byte 57)'],
    ['bytes missing', (frame) => frame.slice(0, -1), 'stdin: needs 2 bytes, has 1 (byte 55)'],
  ])('with %s are refused in words that say where', (_, damage, message) => {
    expect(() => decodeRequest(damage(encodeRequest(SMALL)))).toThrow(message);
  });

  it.each([
    ['name', 8, 256],
    ['environment', 18, 256 * 1024],
    ['standard input', 51, 1024 * 1024],
  ])('with a %s above its limit are refused from the length alone', (_, at, max) => {
    const frame = encodeRequest(SMALL).slice(0, at + 4);
    const view = new DataView(frame.buffer);
    view.setUint32(at, max + 1);
    expect(() => requestLength(frame)).toThrow(`${max + 1} bytes, at most ${max} are allowed`);
    view.setUint32(at, max);
    expect(orRefused(() => requestLength(frame)) ?? 0).toBeLessThanOrEqual(MAX_REQUEST_BYTES);
  });

  it('are as long as they may be at most, and no longer', () => {
    const biggest: PluginCall = {
      plugin: 'p'.repeat(256),
      environment: { X: 'x'.repeat(256 * 1024 - 3) },
      stdin: 's'.repeat(1024 * 1024),
    };
    expect(encodeRequest(biggest)).toHaveLength(MAX_REQUEST_BYTES);
    expect(() => encodeRequest({ ...biggest, stdin: `${biggest.stdin}s` })).toThrow(RangeError);
  });
});

describe('reply frames', () => {
  it('bring back what went in', () => {
    fc.assert(
      fc.property(answer, (each) => {
        expect(decodeReply(encodeReply(each))).toEqual(each);
      }),
    );
  });

  it('are refused with nothing but a DecodeError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), damaged(answer.map(encodeReply))), (bytes) => {
        orRefused(() => decodeReply(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});
