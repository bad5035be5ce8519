import { expect, test } from 'vitest';
import { isDumpInterrupted, isExist, isNotFound, isOverrun, NetlinkError } from './error.ts';

test('the text says what was done, what went wrong and the code', () => {
  const error = new NetlinkError({ operation: 'route 10.1.0.0/24 via 10.0.0.2', errno: 19 });
  expect(error.message).toBe('route 10.1.0.0/24 via 10.0.0.2: no such device (ENODEV)');
  expect(error.code).toBe('ENODEV');
});

test('the words of the kernel follow', () => {
  const error = new NetlinkError({
    operation: 'route 10.1.0.0/24',
    errno: 101,
    extAck: 'Nexthop has invalid gateway',
  });
  expect(error.message).toBe(
    'route 10.1.0.0/24: network is unreachable (ENETUNREACH): Nexthop has invalid gateway',
  );
});

test.each([
  ['isExist', isExist, [17]],
  ['isNotFound', isNotFound, [2, 3, 6, 19, 99]],
  ['isOverrun', isOverrun, [105]],
])('%s holds for its errnos and for no others', (_name, predicate, errnos) => {
  const holding = Array.from({ length: 134 }, (_, errno) => errno).filter((errno) =>
    predicate(new NetlinkError({ operation: 'x', errno })),
  );
  expect(holding).toEqual(errnos);
  expect(predicate(new Error('EEXIST'))).toBe(false);
});

test('errno values that Linux and Node name differently keep the name of Linux', () => {
  const message = (errno: number) => new NetlinkError({ operation: 'x', errno }).message;
  expect(message(85)).toBe('x: interrupted by another change (ERESTART)');
  expect(message(95)).toBe('x: operation not supported (EOPNOTSUPP)');
  expect(message(11)).toBe('x: try again (EAGAIN)');
  expect(message(4095)).toBe('x: errno 4095 (errno 4095)');
});

test('an interrupted dump is told from a call interrupted by a signal', () => {
  expect(isDumpInterrupted(new NetlinkError({ operation: 'x', errno: 4, dumpInterrupted: true }))).toBe(true);
  expect(isDumpInterrupted(new NetlinkError({ operation: 'x', errno: 4 }))).toBe(false);
});
