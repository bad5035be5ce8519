import { expect, test } from 'vitest';
import { formatScopedIp, isLinkLocal, isLinkName, parseScopedIp } from './index.ts';

test.each([
  ['fe80::1%eth0', { address: 'fe80::1', link: 'eth0' }],
  ['FEBF::1%eth0.7', { address: 'febf::1', link: 'eth0.7' }],
  ['fe80::1', { address: 'fe80::1' }],
  ['10.0.0.1', { address: '10.0.0.1' }],
  ['fd00::1', { address: 'fd00::1' }],
] as const)('%s is read', (text, expected) => {
  const read = parseScopedIp(text);
  expect(read).toEqual(expected);
  expect(formatScopedIp(expected.address, 'link' in expected ? expected.link : undefined)).toBe(
    text.toLowerCase(),
  );
});

test.each([
  ['fd00::1%eth0', '10.0.0.1%eth0', 'fe80::1%', '%eth0', 'fe80::1%et h0', 'fe80::1%a/b', 'fe80::1%a%b'],
  ['fe80::1%sixteen-letters-', 'fe80::1%.', 'fe80::1%..', 'fe80:', ''],
])('what has no scope, or no name of a link behind it, is nothing', (...texts) => {
  for (const text of texts) expect(parseScopedIp(text), text).toBeUndefined();
});

test('link-local are fe80::/10 and nothing else', () => {
  for (const address of ['fe80::', 'fe80::1', 'febf:ffff::1'])
    expect(isLinkLocal(address), address).toBe(true);
  for (const address of ['fec0::1', 'fe7f::1', 'fd00::1', '::', '169.254.0.1'])
    expect(isLinkLocal(address), address).toBe(false);
  expect(formatScopedIp('fd00::1', 'eth0')).toBe('fd00::1');
});

test('a name of a link has at most 15 characters', () => {
  expect(isLinkName('fifteen-letters')).toBe(true);
  expect(isLinkName('sixteen-letters-')).toBe(false);
});
