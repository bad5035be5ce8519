import { expect, it } from 'vitest';
import { guestEnvironment } from './environment.ts';

it('a command in the virtual machine gets what it is given, where the tools are, and no secrets of its caller', () => {
  const env = guestEnvironment({
    POPLIN_TALLY: '/tmp/x',
    CI: 'true',
    API_TOKEN: 'secret',
    HOME: '/home/me',
    NO_COLOR: undefined,
  });
  expect(env).toMatchObject({ POPLIN_TALLY: '/tmp/x', CI: 'true', HOME: '/root' });
  expect(env['PATH']).toMatch(/^[^:]*\/node_modules\/\.bin:\/usr\/sbin:\/usr\/bin:\/sbin:\/bin:/);
  expect(env).not.toHaveProperty('API_TOKEN');
  expect(env).not.toHaveProperty('NO_COLOR');
});
