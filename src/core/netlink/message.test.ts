import { expect, test } from 'vitest';
import { isDecodeError, text, u8 } from '#core/codec/index.ts';
import { decodeMessage, encodeMessage, messageType, NLM_F } from './index.ts';

test('a message is its header and its payload, padded, sequence and port left to the socket', () => {
  const bytes = encodeMessage(u8, { type: 16, flags: NLM_F.REQUEST | NLM_F.ACK, payload: 7 });
  // length 20, type 16, flags 5, sequence 0, port 0, payload
  expect(bytes).toEqual(Uint8Array.of(20, 0, 0, 0, 16, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0));
  expect(messageType(bytes)).toBe(16);
});

test('a message decodes to type, flags and payload', () => {
  const bytes = encodeMessage(text, { type: 16, flags: 1, payload: 'abc' });
  expect(decodeMessage(text, bytes)).toEqual({ type: 16, flags: 1, payload: 'abc' });
});

test('an encoding that fails leaves nothing behind in the next', () => {
  expect(() => encodeMessage(text, { type: 1, flags: 0, payload: 'a\0' })).toThrow(RangeError);
  expect(encodeMessage(u8, { type: 1, flags: 0, payload: 0 }).slice(16)).toEqual(new Uint8Array(4));
});

test.each([
  ['shorter than its header', [15, 0, 0, 0]],
  ['longer than the bytes', [21, 0, 0, 0]],
])('a length %s is refused', (_name, length) => {
  const bytes = Uint8Array.from([...length, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(() => decodeMessage(text, bytes)).toThrow(/^length: message length/);
  try {
    decodeMessage(text, bytes);
  } catch (error) {
    expect(isDecodeError(error)).toBe(true);
  }
});
