/**
 * Who may talk to the server: with a token, those who show it; without one, programs on this machine, but not web pages
 * that a browser on this machine has open.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { StatusError, unauthorized } from '#core/kube/index.ts';

/** Paths that load balancers and clients ask before they have credentials. */
const OPEN = new Set(['/healthz', '/livez', '/readyz', '/version']);

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether the address can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare === '::1') return true;
  return isIP(bare) === 4 && bare.startsWith('127.');
}

const hostNameOf = (header: string): string => header.replace(/:\d+$/, '');

export class Gatekeeper {
  readonly #expected: Buffer | undefined;

  constructor(token: string | undefined) {
    this.#expected = token === undefined ? undefined : digest(token);
  }

  /** Throws 401 or 403 unless the request may be served. */
  check(request: IncomingMessage, path: string): void {
    if (this.#expected === undefined) this.#checkLocal(request);
    else if (!OPEN.has(path)) this.#checkToken(request, this.#expected);
  }

  #checkToken(request: IncomingMessage, expected: Buffer): void {
    const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '');
    // digests have one length, so that the comparison tells nothing about the token's
    if (match === null || !timingSafeEqual(digest(match[1] ?? ''), expected)) {
      throw unauthorized('Unauthorized: a valid bearer token is required');
    }
  }

  #checkLocal(request: IncomingMessage): void {
    const { origin, host } = request.headers;
    if (origin === undefined && (host === undefined || isLoopback(hostNameOf(host)))) return;
    throw new StatusError(
      403,
      'Forbidden',
      origin === undefined
        ? `requests for host "${host}" are refused while no token is configured: use the loopback address, or start the server with --token-file`
        : `requests of web pages (origin "${origin}") are refused while no token is configured: start the server with --token-file`,
    );
  }
}
