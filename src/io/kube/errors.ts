/**
 * What goes wrong between us and an API server: answers of kind Status become the port's StoreError, everything
 * that is no answer becomes UnreachableError.
 */
import { StoreError } from '#core/store/index.ts';
import { describe, excerpt } from '#io/http/index.ts';

/** The API server could not be reached, did not answer in time, or went away in the middle of an answer. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  /** `10.0.0.1:6443` */
  readonly server: string;
  /** `what` is the request: `GET /api/v1/nodes`. */
  constructor(server: string, what: string, cause: unknown) {
    super(`kubernetes api at ${server}: ${what}: ${describe(cause)}`, { cause });
    this.server = server;
  }
}

export const isUnreachable = (error: unknown): error is UnreachableError => error instanceof UnreachableError;

/** Kubernetes reasons for answers that carry none. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

interface StatusBody {
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

export interface StatusFailure {
  readonly error: StoreError;
  /** From the Status body's details, in seconds. */
  readonly retryAfterSeconds?: number;
}

/** The error in an answer's body: a Status, or any text a proxy may send. `what` is the request it answers. */
export function statusFailure(code: number, body: string, what: string): StatusFailure {
  let status: StatusBody | undefined;
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status')
      status = value;
  } catch {
    // not JSON: the text itself is the message
  }
  const error = status
    ? statusError(status, code, what)
    : new StoreError(code, reasonOf(code), `${what}: ${code} ${excerpt(body)}`.trimEnd());
  const seconds = status?.details?.retryAfterSeconds;
  return typeof seconds === 'number' && seconds > 0 ? { error, retryAfterSeconds: seconds } : { error };
}

/** A Status object as an error; `code` stands in where it names none. */
export function statusError(status: StatusBody, code: number, what: string): StoreError {
  const number = typeof status.code === 'number' && status.code > 0 ? status.code : code;
  const reason = typeof status.reason === 'string' && status.reason !== '' ? status.reason : reasonOf(number);
  const message =
    typeof status.message === 'string' && status.message !== '' ? status.message : `${number} ${reason}`;
  return new StoreError(number, reason, `${what}: ${message}`);
}

function reasonOf(code: number): string {
  return REASONS[code] ?? 'Unknown';
}
