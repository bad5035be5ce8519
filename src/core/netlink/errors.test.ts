import { expect, test } from 'vitest';
import { isDecodeError } from '#core/codec/index.ts';
import { decodeVerdict, errnoName, errnoText } from './index.ts';

test('errno values have a name and a text', () => {
  expect(errnoName(19)).toBe('ENODEV');
  expect(errnoName(4095)).toBe('errno 4095');
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

const said = { errno: 19, acknowledgement: { message: 'no', offset: 20 } };

test('an error that quotes the header of the request', () => {
  const bytes = [...header(52, NLM_F_CAPPED | NLM_F_ACK_TLVS), ...ENODEV, ...request, ...attributes];
  expect(decodeVerdict(Uint8Array.from(bytes))).toEqual(said);
});

test('an error that quotes the whole request', () => {
  const payload = Array.from({ length: 20 }, () => 0xaa);
  const bytes = [...header(72, NLM_F_ACK_TLVS), ...ENODEV, ...request, ...payload, ...attributes];
  expect(decodeVerdict(Uint8Array.from(bytes))).toEqual(said);
});

test('an acknowledgement', () => {
  const bytes = [...header(36, NLM_F_CAPPED), 0, 0, 0, 0, ...request];
  expect(decodeVerdict(Uint8Array.from(bytes))).toEqual({ errno: 0, acknowledgement: {} });
});

test('the end of a dump, with and without an errno', () => {
  const done = (length: number, flags: number) => header(length, flags).with(4, 3);
  const verdictOf = (...bytes: number[]) => decodeVerdict(Uint8Array.from(bytes));
  expect(verdictOf(...done(16, 0))).toEqual({ errno: 0, acknowledgement: {} });
  expect(verdictOf(...done(20, 0), ...ENODEV)).toEqual({ errno: 19, acknowledgement: {} });
  expect(verdictOf(...done(36, NLM_F_ACK_TLVS), ...ENODEV, ...attributes)).toEqual(said);
});

test('a refusal whose explanation cannot be read', () => {
  const broken = [7, 0, 1, 0, 0xff, 0xff, 0, 0];
  const bytes = [...header(44, NLM_F_CAPPED | NLM_F_ACK_TLVS), ...ENODEV, ...request, ...broken];
  expect(decodeVerdict(Uint8Array.from(bytes))).toEqual({ errno: 19, acknowledgement: {} });
});

test.each([
  ['a message of another type', [...header(36, 0).with(4, 16), 0, 0, 0, 0, ...request]],
  ['a quoted length under a header', [...header(36, NLM_F_ACK_TLVS), ...ENODEV, ...request.with(0, 3)]],
  ['a message cut short', [...header(36, 0), 0, 0]],
])('%s is refused', (_name, bytes) => {
  let error: unknown;
  try {
    decodeVerdict(Uint8Array.from(bytes));
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toSatisfy(isDecodeError);
});
