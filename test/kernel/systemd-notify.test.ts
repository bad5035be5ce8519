/** sd_notify, heard by a socket of Python's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { notifySystemd } from '#io/systemd/index.ts';

const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind('\\0' + name[1:] if name[0] == '@' else name)
print('ready', flush=True)
print(s.recv(99).decode(), flush=True)
`;
const folder = mkdtempSync(join(tmpdir(), 'poplin-notify-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([join(folder, 'notify'), `@poplin-notify-${process.pid}`])(
  'a state is sent to %s',
  async (name) => {
    const listener = spawn('python3', ['-c', LISTENER, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(listener, 'exit');
    try {
      const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe('ready');
      expect(notifySystemd('READY=1', { NOTIFY_SOCKET: name })).toBe(true);
      expect((await lines.next()).value).toBe('READY=1');
    } finally {
      listener.kill();
      await gone;
    }
  },
);

test('nothing is sent where nobody asks, and what cannot be used is said', () => {
  expect(notifySystemd('READY=1', {})).toBe(false);
  expect(notifySystemd('READY=1', { NOTIFY_SOCKET: '' })).toBe(false);
  for (const name of ['vsock:2:1234', '/', `/${'x'.repeat(108)}`])
    expect(() => notifySystemd('READY=1', { NOTIFY_SOCKET: name })).toThrow(`NOTIFY_SOCKET "${name}"`);
  expect(() => notifySystemd('READY=1', { NOTIFY_SOCKET: join(folder, 'gone') })).toThrow('error 2');
});
