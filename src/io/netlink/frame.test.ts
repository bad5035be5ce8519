import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checkMessage,
  copyMessage,
  flagsOf,
  readVerdict,
  sequenceOf,
  splitMessages,
  typeOf,
} from './frame.ts';
import { message } from './message.fixture.ts';

const QUOTED_HEADER = [20, 0, 0, 0, 24, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0];

describe('netlink frames', () => {
  test('a refusal carries errno, text and offset', () => {
    const text = [...new TextEncoder().encode('bad\0')];
    const refusal = message(2, 0x300, 7, [
      ...[0xef, 0xff, 0xff, 0xff],
      ...QUOTED_HEADER,
      ...[8, 0, 1, 0, ...text],
      ...[8, 0, 2, 0, 36, 0, 0, 0],
    ]);
    expect(readVerdict(refusal)).toEqual({ errno: 17, code: 'EEXIST', message: 'bad', offset: 36 });
  });

  test('the quoted message is skipped whole when the kernel did not cap it', () => {
    const refusal = message(2, 0x200, 7, [
      ...[0xea, 0xff, 0xff, 0xff],
      ...QUOTED_HEADER,
      ...[9, 9, 9, 9],
      ...[8, 0, 2, 0, 16, 0, 0, 0],
    ]);
    expect(readVerdict(refusal)).toEqual({ errno: 22, code: 'EINVAL', offset: 16 });
  });

  test('errno 0 is an acknowledgement', () => {
    expect(readVerdict(message(2, 0x100, 7, [0, 0, 0, 0, ...QUOTED_HEADER])).errno).toBe(0);
  });

  test('a dump that failed tells so in its last message', () => {
    expect(readVerdict(message(3, 2, 7, [0xff, 0xff, 0xff, 0xff]))).toEqual({ errno: 1, code: 'EPERM' });
    expect(readVerdict(message(3, 2, 7, [0, 0, 0, 0])).errno).toBe(0);
    expect(readVerdict(message(3, 2, 7, [])).errno).toBe(0);
  });

  test('messages of odd length are split at multiples of four', () => {
    const bytes = new Uint8Array([...message(16, 0, 1, [1]), 0, 0, 0, ...message(17, 0, 2, [])]);
    expect(splitMessages(bytes).map((each) => [typeOf(each), sequenceOf(each), each.length])).toEqual([
      [16, 1, 17],
      [17, 2, 16],
    ]);
  });

  test('a copy gets sequence and flags while the original stays as it was', () => {
    const original = message(16, 0x400, 1, [1, 2, 3]);
    const before = original.slice();
    const target = new Uint8Array(24);
    expect(copyMessage(original, target, 0, { sequence: 0xfedc_ba98, flags: 5 })).toBe(20);
    expect(sequenceOf(target)).toBe(0xfedc_ba98);
    expect(flagsOf(target)).toBe(0x405);
    expect(original).toEqual(before);
  });

  test('a message whose length field is wrong is refused before it is sent', () => {
    const wrong = message(16, 0, 1, [1, 2, 3, 4]).subarray(0, 18);
    expect(() => checkMessage(wrong, 'link a')).toThrow(
      'link a: the netlink message is 18 bytes long, but nlmsg_len says 20',
    );
    expect(() => checkMessage(new Uint8Array(3), 'link a')).toThrow('shorter than its header');
  });

  test('no bytes make the readers throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const each of splitMessages(bytes)) readVerdict(each);
      }),
    );
  });
});
