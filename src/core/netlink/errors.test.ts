import { expect, test } from 'vitest';
import { isDecodeError } from '#core/codec/index.ts';
import { decodeErrorMessage, errnoName, errnoNumber, errnoText } from './index.ts';

test('errno values have a number, a name and a text', () => {
  expect(errnoName(19)).toBe('ENODEV');
  expect(errnoName(-17)).toBe('EEXIST');
  expect(errnoName(4095)).toBe('errno 4095');
  expect(errnoNumber('EPERM')).toBe(1);
  expect(errnoNumber('toString')).toBeUndefined();
  expect(errnoText('ENODEV')).toBe('no such device');
  expect(errnoText('EWHATEVER')).toBe('EWHATEVER');
});

// nlmsghdr of the error: length, type 2, flags, sequence, port; then errno -19 and the request's nlmsghdr, of 36 bytes
const header = (length: number, flags: number) => [length, 0, 0, 0, 2, 0, 0, flags, 5, 0, 0, 0, 1, 0, 0, 0];
const ENODEV = [0xed, 0xff, 0xff, 0xff];
const request = [36, 0, 0, 0, 16, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0];
// NLMSGERR_ATTR_MSG "no", NLMSGERR_ATTR_OFFS 20
const attributes = [7, 0, 1, 0, 0x6e, 0x6f, 0, 0, 8, 0, 2, 0, 20, 0, 0, 0];
const NLM_F_CAPPED = 1;
const NLM_F_ACK_TLVS = 2;

const said = { errno: 19, sequence: 5, acknowledgement: { message: 'no', offset: 20 } };

test('an error that quotes the header of the request', () => {
  const bytes = [...header(52, NLM_F_CAPPED | NLM_F_ACK_TLVS), ...ENODEV, ...request, ...attributes];
  expect(decodeErrorMessage(Uint8Array.from(bytes))).toEqual(said);
});

test('an error that quotes the whole request', () => {
  const payload = Array.from({ length: 20 }, () => 0xaa);
  const bytes = [...header(72, NLM_F_ACK_TLVS), ...ENODEV, ...request, ...payload, ...attributes];
  expect(decodeErrorMessage(Uint8Array.from(bytes))).toEqual(said);
});

test('an acknowledgement', () => {
  const bytes = [...header(36, NLM_F_CAPPED), 0, 0, 0, 0, ...request];
  expect(decodeErrorMessage(Uint8Array.from(bytes))).toEqual({ errno: 0, sequence: 5, acknowledgement: {} });
});

test.each([
  ['a message of another type', [...header(36, 0).with(4, 3), 0, 0, 0, 0, ...request]],
  ['a quoted length under a header', [...header(36, NLM_F_ACK_TLVS), ...ENODEV, ...request.with(0, 3)]],
  ['a message cut short', [...header(36, 0), 0, 0]],
])('%s is refused', (_name, bytes) => {
  let error: unknown;
  try {
    decodeErrorMessage(Uint8Array.from(bytes));
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toSatisfy(isDecodeError);
});
