import { expect, test } from 'vitest';
import { CNI_ERROR, CniError, decodeError, encodeError } from './error.ts';

test('the error object has the version, the code and both texts', () => {
  const error = new CniError(CNI_ERROR.invalidNetworkConfig, 'Invalid Configuration', 'too small');
  expect(error.message).toBe('Invalid Configuration; too small');
  expect(encodeError(error, '1.1.0')).toEqual({
    cniVersion: '1.1.0',
    code: 7,
    msg: 'Invalid Configuration',
    details: 'too small',
  });
  expect(encodeError(new CniError(3, 'x'), '0.4.0')).toEqual({ cniVersion: '0.4.0', code: 3, msg: 'x' });
});

test('any other thrown value is code 999', () => {
  expect(encodeError(new Error('boom'), '1.0.0')).toEqual({ cniVersion: '1.0.0', code: 999, msg: 'boom' });
  expect(encodeError('boom', '1.0.0').msg).toBe('boom');
});

test('an error object read back is the error', () => {
  const error = new CniError(11, 'later', 'no lease yet');
  expect(decodeError(encodeError(error, '1.0.0'))).toEqual(error);
  for (const json of [null, 7, {}, { msg: 'x' }]) expect(decodeError(json)).toBeUndefined();
});
