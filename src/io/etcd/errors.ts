/** What goes wrong between us and etcd, as the port's EtcdError. Codes are those of gRPC, which the gateway hands on. */
import { EtcdError, type EtcdFailure } from '#core/lease/etcd/index.ts';
import { describe, excerpt } from '#io/http/index.ts';

/** gRPC's status codes, as far as etcd uses them. */
const CODES: Readonly<Record<number, EtcdFailure>> = {
  1: 'unavailable', // cancelled
  2: 'unavailable', // unknown
  4: 'unavailable', // deadline exceeded
  7: 'denied',
  13: 'unavailable', // internal
  14: 'unavailable',
  16: 'denied',
};

const STALE_TOKEN = /invalid auth token|revision of auth store is old|user name is empty/;

/** An error answer: `{"error":"…","message":"…","code":5}`, or whatever a proxy says. `what` is the request. */
export function answerFailure(status: number, text: string, what: string): EtcdError {
  let body: { code?: unknown; error?: unknown; message?: unknown } = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) body = value;
  } catch {
    // not etcd: the text itself is the message
  }
  const message = [body.message, body.error].find((part) => typeof part === 'string' && part !== '');
  const code = typeof body.code === 'number' ? body.code : undefined;
  return etcdFailure(code, String(message ?? `${status} ${excerpt(text)}`.trimEnd()), what, status >= 500);
}

/** An error by gRPC's code and etcd's text. Where there is no code, `isTransient` tells a server's trouble from ours. */
export function etcdFailure(
  code: number | undefined,
  message: string,
  what: string,
  isTransient = true,
): EtcdError {
  const text = `${what}: ${message}`;
  if (/required revision has been compacted/.test(message)) return new EtcdError('compacted', text);
  if (/is a future revision/.test(message)) return new EtcdError('future', text);
  if (/requested lease not found/.test(message)) return new EtcdError('lease-not-found', text);
  if (/permission denied|authentication failed/.test(message) || STALE_TOKEN.test(message))
    return new EtcdError('denied', text);
  const failure = code === undefined ? (isTransient ? 'unavailable' : 'refused') : (CODES[code] ?? 'refused');
  // "request timed out" and "leader changed" leave it open whether the request was carried out.
  return new EtcdError(failure, text, { mayBeDone: failure === 'unavailable' });
}

/** True where a new token may help. */
export function isStaleToken(error: unknown): boolean {
  return error instanceof EtcdError && error.failure === 'denied' && STALE_TOKEN.test(error.message);
}

/** Failures after which the request cannot have left this machine. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
]);
const TLS_FAILURE =
  /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS_|HOSTNAME_MISMATCH|INVALID_CA|ERR_SSL_WRONG|EPROTO)/;

/** No answer, for a reason below HTTP. */
export function unreachable(error: Error, what: string): EtcdError {
  const codes = codesOf(error);
  const isNeverSent =
    codes.length > 0 && codes.every((code) => NEVER_SENT.has(code) || TLS_FAILURE.test(code));
  return new EtcdError('unavailable', `${what}: ${describe(error)}`, {
    cause: error,
    mayBeDone: !isNeverSent,
  });
}

function codesOf(error: Error): string[] {
  if (error instanceof AggregateError) return error.errors.flatMap(codesOf);
  return 'code' in error && typeof error.code === 'string' ? [error.code] : [''];
}
