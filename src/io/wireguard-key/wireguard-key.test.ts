import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadWireguardKeys, wireguardKeyProblem } from './index.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-wgkey-'));
  path = join(folder, 'run', 'wgkey');
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (content: string, mode = 0o600) => {
  path = join(folder, 'wgkey');
  writeFileSync(path, content);
  chmodSync(path, mode);
};

describe('loadWireguardKeys', () => {
  test('makes a key that only its owner reads, and finds the same again', async () => {
    const first = await loadWireguardKeys(path);
    expect(first).toMatchObject({ made: true });
    expect(wireguardKeyProblem(path)).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe(`${first.privateKey}\n`);
    expect(await loadWireguardKeys(path)).toEqual({ ...first, made: false });
    expect(readdirSync(join(folder, 'run'))).toEqual(['wgkey']);
  });

  test('processes that make it at once agree', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => loadWireguardKeys(path)));
    expect(new Set(all.map(({ publicKey }) => publicKey)).size).toBe(1);
    expect(all.filter(({ made }) => made)).toHaveLength(1);
    expect(readdirSync(join(folder, 'run'))).toEqual(['wgkey']);
  });

  test('reads what "wg genkey" or flannel wrote, with the public key "wg pubkey" has for it', async () => {
    // Made by wg of wireguard-tools 1.0.20210914.
    put('oI2sodRtsp6TYy3nEXBBIDWQcxCVGwlC/W09cUs+RFY=');
    expect(await loadWireguardKeys(path)).toMatchObject({
      privateKey: 'oI2sodRtsp6TYy3nEXBBIDWQcxCVGwlC/W09cUs+RFY=',
      publicKey: 'hp5BV5HHz+0IB+aMfZ5hBPoFDwinRmG38fwLevTdcRI=',
      made: false,
    });
  });

  test('clamps a key as the kernel does', async () => {
    const raw = Buffer.alloc(32, 0xff);
    put(raw.toString('base64'));
    const { privateKey } = await loadWireguardKeys(path);
    expect(Buffer.from(privateKey, 'base64')).toEqual(
      Buffer.from([248, ...Array<number>(30).fill(255), 127]),
    );
  });

  test('uses a file that others may read or write, which is a problem until they may not', async () => {
    for (const mode of [0o644, 0o640, 0o602]) {
      put('oI2sodRtsp6TYy3nEXBBIDWQcxCVGwlC/W09cUs+RFY=\n', mode);
      expect(await loadWireguardKeys(path)).toMatchObject({ made: false });
      expect(wireguardKeyProblem(path)).toContain(`${path} is readable or writable for others`);
      expect(wireguardKeyProblem(path)).toContain(`(mode 0${mode.toString(8)})`);
    }
    chmodSync(path, 0o600);
    expect(wireguardKeyProblem(path)).toBeUndefined();
    rmSync(path);
    expect(wireguardKeyProblem(path)).toBeUndefined();
  });

  test.each([
    ['nothing', ''],
    ['too few bytes', Buffer.alloc(31, 7).toString('base64')],
    ['text', 'my secret is a secret, is a secret, is it so'],
  ])('refuses %s without repeating it', async (_name, content) => {
    put(content);
    const error = await loadWireguardKeys(path).catch((cause: unknown) => cause as Error);
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toContain(`${path} holds no WireGuard private key`);
    if (content !== '') expect((error as Error).message).not.toContain(content);
    expect(readFileSync(path, 'utf8')).toBe(content);
  });
});
