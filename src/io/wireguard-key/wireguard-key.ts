/**
 * The node's WireGuard key, in flannel's file: 32 bytes in base64. It is made where there is none, and lasts as long as the file: a node
 * that keeps it is known to its peers after a restart. Whoever puts another key there, or removes the file, gives the node a new one
 * when it is read next.
 */
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { atomicCreate, ensureDir, readRegularFile } from '#io/files/index.ts';

/** Where flannel has it, unless the environment variable WIREGUARD_KEY_FILE says otherwise. */
export const WIREGUARD_KEY_FILE = '/run/flannel/wgkey';

export interface WireguardKeyFile {
  /** A secret; clamped (RFC 7748 section 5), as the kernel keeps it. */
  readonly privateKey: string;
  readonly publicKey: string;
  /** True if the file was not there before. */
  readonly made: boolean;
}

const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const KEY_BYTES = 32;
const FILE_BYTES_MAX = 256;
/** PKCS #8 around an X25519 private key (RFC 8410 section 7). */
const PKCS8_HEADER = Buffer.from('302e020100300506032b656e04220420', 'hex');

/**
 * Reads the key, or makes it, readable by its owner alone; of several processes that make it at once one succeeds and all use its key.
 * Throws Node's errors, and RangeError for content that is no key; no error repeats the content.
 */
export async function loadWireguardKeys(path: string): Promise<WireguardKeyFile> {
  const found = readKey(path);
  if (found !== undefined) return { ...keysOf(found), made: false };
  await ensureDir(dirname(path));
  const key = clamped(randomBytes(KEY_BYTES)).toString('base64');
  const made = await atomicCreate(path, `${key}\n`, { mode: 0o600 });
  const raw = readKey(path);
  if (raw === undefined) throw new Error(`${path} was removed while it was read`);
  return { ...keysOf(raw), made };
}

function readKey(path: string): Buffer | undefined {
  let text: string;
  try {
    text = readRegularFile(path, FILE_BYTES_MAX).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (!KEY.test(text))
    throw new RangeError(
      `${path} holds no WireGuard private key: 32 bytes in base64, as "wg genkey" prints, are due; remove the file to have one made`,
    );
  return Buffer.from(text, 'base64');
}

function keysOf(raw: Buffer): { privateKey: string; publicKey: string } {
  const secret = clamped(raw);
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_HEADER, secret]),
    format: 'der',
    type: 'pkcs8',
  });
  // The key is the end of its SubjectPublicKeyInfo.
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    privateKey: secret.toString('base64'),
    publicKey: spki.subarray(spki.length - KEY_BYTES).toString('base64'),
  };
}

function clamped(raw: Uint8Array): Buffer {
  const key = Buffer.from(raw);
  key[0] = (key[0] as number) & 248;
  key[31] = ((key[31] as number) & 127) | 64;
  return key;
}

/** What is wrong with the file as it is now, though it can be used; undefined if nothing is, or there is none. Throws nothing. */
export function wireguardKeyProblem(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  const mode = (found?.mode ?? 0) & 0o777;
  if ((mode & 0o077) === 0) return undefined;
  return `${path} is readable or writable for others than its owner (mode ${mode.toString(8).padStart(4, '0')}): chmod 0600, and let a new key be made if it was read`;
}
