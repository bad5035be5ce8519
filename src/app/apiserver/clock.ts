/** Time and chance, as the server needs them. */
import { randomInt, randomUUID } from 'node:crypto';

/** The letters Kubernetes uses for generated names: no vowels, so that no words appear. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;

/** Now, RFC 3339 with whole seconds. */
export const timestamp = (): string => `${new Date().toISOString().slice(0, 19)}Z`;

export const newUid = (): string => randomUUID();

/** The random end of a generated name. */
export const nameSuffix = (): string =>
  Array.from({ length: SUFFIX_LENGTH }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('');
