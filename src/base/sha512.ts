/**
 * SHA-512 (FIPS 180-4) for names that other software derives from it and that must come out the same, in rooms without node:crypto.
 * Of 64-bit arithmetic on BigInt: for short texts, not for files.
 */
import { utf8 } from '#base/bytes.ts';

const BLOCK_BYTES = 128;
const ROUNDS = 80;
const mask = (value: bigint) => BigInt.asUintN(64, value);

interface Constants {
  /** Section 5.3.5: of the square roots of the first eight primes, 64 bits behind the point. */
  readonly initial: readonly bigint[];
  /** Section 4.2.3: of the cube roots of the first eighty primes, 64 bits behind the point. */
  readonly round: readonly bigint[];
}

let known: Constants | undefined;

/** The digest of a text's UTF-8 form as 128 hexadecimal digits. */
export function sha512Hex(text: string): string {
  known ??= computeConstants();
  const { initial, round } = known;
  let state = initial;
  const message = padded(utf8(text));
  for (let at = 0; at < message.byteLength; at += BLOCK_BYTES) {
    const words = schedule(new DataView(message.buffer, at, BLOCK_BYTES));
    const mixed = compress(state, words, round);
    state = state.map((word, i) => mask(word + (mixed[i] as bigint)));
  }
  return state.map((word) => word.toString(16).padStart(16, '0')).join('');
}

/** Section 5.1.2: a one bit, zeros, and the length in bits as a number of 16 bytes. */
function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil((bytes.length + 17) / BLOCK_BYTES);
  const message = new Uint8Array(blocks * BLOCK_BYTES);
  message.set(bytes);
  message[bytes.length] = 0x80;
  new DataView(message.buffer).setBigUint64(message.length - 8, BigInt(bytes.length) * 8n);
  return message;
}

/** Section 6.4.2, step 1. */
function schedule(block: DataView): bigint[] {
  const words = Array.from({ length: 16 }, (_, i) => block.getBigUint64(8 * i));
  for (let t = 16; t < ROUNDS; t++) {
    const w2 = words[t - 2] as bigint;
    const w15 = words[t - 15] as bigint;
    const sigma0 = rotate(w15, 1n) ^ rotate(w15, 8n) ^ (w15 >> 7n);
    const sigma1 = rotate(w2, 19n) ^ rotate(w2, 61n) ^ (w2 >> 6n);
    words.push(mask(sigma1 + (words[t - 7] as bigint) + sigma0 + (words[t - 16] as bigint)));
  }
  return words;
}

/** Section 6.4.2, steps 2 and 3. */
function compress(state: readonly bigint[], words: readonly bigint[], round: readonly bigint[]): bigint[] {
  let [a, b, c, d, e, f, g, h] = state as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
  for (let t = 0; t < ROUNDS; t++) {
    const sum1 = rotate(e, 14n) ^ rotate(e, 18n) ^ rotate(e, 41n);
    const choice = (e & f) ^ (mask(~e) & g);
    const first = h + sum1 + choice + (round[t] as bigint) + (words[t] as bigint);
    const sum0 = rotate(a, 28n) ^ rotate(a, 34n) ^ rotate(a, 39n);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    [h, g, f, e, d, c, b, a] = [g, f, e, mask(d + first), c, b, a, mask(first + sum0 + majority)];
  }
  return [a, b, c, d, e, f, g, h];
}

function rotate(word: bigint, bits: bigint): bigint {
  return (word >> bits) | mask(word << (64n - bits));
}

function computeConstants(): Constants {
  const primes: number[] = [];
  for (let n = 2; primes.length < ROUNDS; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return {
    initial: primes.slice(0, 8).map((prime) => rootFraction(prime, 2)),
    round: primes.map((prime) => rootFraction(prime, 3)),
  };
}

/** The first 64 bits behind the point of a square or cube root: from 52 bits of it by Newton's method, then step by step. */
function rootFraction(prime: number, degree: 2 | 3): bigint {
  const power = BigInt(degree);
  const target = BigInt(prime) << (64n * power);
  let root = BigInt(Math.floor(prime ** (1 / degree) * 2 ** 48)) << 16n;
  for (let i = 0; i < 2; i++) root = ((power - 1n) * root + target / root ** (power - 1n)) / power;
  while (root ** power > target) root -= 1n;
  while ((root + 1n) ** power <= target) root += 1n;
  return mask(root);
}
