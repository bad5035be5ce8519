import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SocketFile } from './socket-file.ts';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-socket-file-'));
  path = join(folder, 'run', 'x.sock');
});

afterEach(() => rmSync(folder, { recursive: true }));

const greeter = (word: string): Server => createServer((socket) => socket.end(word));

async function hear(): Promise<string> {
  let heard = '';
  for await (const chunk of connect(path)) heard += String(chunk);
  return heard;
}

async function end(server: Server, file: SocketFile): Promise<void> {
  file.remove();
  await new Promise((resolve) => server.close(resolve));
}

test('a socket file is private, alone in its folder, and gone at the end', async () => {
  const server = greeter('one');
  const file = await SocketFile.listen(server, path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, 'run')).mode & 0o777).toBe(0o700);
  expect(await hear()).toBe('one');
  expect(readdirSync(join(folder, 'run'))).toEqual(['x.sock']);
  await end(server, file);
  expect(readdirSync(join(folder, 'run'))).toEqual([]);
  file.remove();
});

test('a successor takes the place over, and the end of the former leaves it there', async () => {
  const [former, successor] = [greeter('former'), greeter('successor')];
  const formerFile = await SocketFile.listen(former, path);
  const successorFile = await SocketFile.listen(successor, path);
  await end(former, formerFile);
  expect(await hear()).toBe('successor');
  await end(successor, successorFile);
  expect(readdirSync(join(folder, 'run'))).toEqual([]);
});

test('a file left by a dead process is replaced; a folder is refused and nothing left behind', async () => {
  mkdirSync(join(folder, 'run'));
  writeFileSync(path, '');
  const server = greeter('alive');
  const file = await SocketFile.listen(server, path);
  expect(await hear()).toBe('alive');
  await end(server, file);
  mkdirSync(path);
  await expect(SocketFile.listen(greeter('nobody'), path)).rejects.toMatchObject({ code: 'EISDIR' });
  expect(readdirSync(join(folder, 'run'))).toEqual(['x.sock']);
});

test('a path that is too long is refused', async () => {
  const long = join(folder, 'x'.repeat(120), 'x.sock');
  await expect(SocketFile.listen(greeter('nobody'), long)).rejects.toMatchObject({ syscall: 'listen' });
});
