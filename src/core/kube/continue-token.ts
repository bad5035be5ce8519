/** Continue tokens of paged lists: the snapshot's version and the last key seen, as opaque text. */
import { isObject } from './json.ts';
import { badRequest } from './status.ts';

export interface ContinueToken {
  readonly version: number;
  readonly namespace: string;
  readonly name: string;
}

/** The token as URL-safe text. */
export const encodeContinue = (token: ContinueToken): string =>
  btoa(JSON.stringify({ v: 1, rv: token.version, ns: token.namespace, n: token.name }))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');

/** Reads a token. Throws 400. */
export function decodeContinue(text: string): ContinueToken {
  try {
    const parsed: unknown = JSON.parse(atob(text.replaceAll('-', '+').replaceAll('_', '/')));
    if (isObject(parsed)) {
      const { v, rv, ns, n } = parsed;
      if (v === 1 && Number.isSafeInteger(rv) && typeof ns === 'string' && typeof n === 'string') {
        return { version: Number(rv), namespace: ns, name: n };
      }
    }
  } catch {
    // refused below, with the same words as any other token that is not ours
  }
  throw badRequest('continue key is not valid: send back the token of the previous page unchanged');
}
