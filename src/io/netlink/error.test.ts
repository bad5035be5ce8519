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

test('every errno has a name, and those that netlink uses have a text', () => {
  for (let errno = 1; errno < 134; errno += 1) {
    expect(new NetlinkError({ operation: 'x', errno }).code).toMatch(/^E[A-Z0-9]+$/);
  }
  expect(new NetlinkError({ operation: 'nft', errno: 85 }).message).toBe(
    'nft: interrupted by another change (ERESTART)',
  );
  expect(new NetlinkError({ operation: 'x', errno: 95 }).code).toBe('EOPNOTSUPP');
  expect(new NetlinkError({ operation: 'x', errno: 11 }).code).toBe('EAGAIN');
});

test('an interrupted dump is told from a call interrupted by a signal', () => {
  expect(isDumpInterrupted(new NetlinkError({ operation: 'x', errno: 4, dumpInterrupted: true }))).toBe(true);
  expect(isDumpInterrupted(new NetlinkError({ operation: 'x', errno: 4 }))).toBe(false);
});
