/** The server's options, and the rule that keeps it from being open to a network without protection. */
import type { Logger as PinoLogger } from 'pino';
import { isLoopback } from './access.ts';
import type { WatchLimits } from './watch-session.ts';

export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'>;

export interface ApiServerOptions {
  /** An address or `localhost`. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** The SQLite file, made when missing. */
  readonly databasePath: string;
  /** Certificate chain and key, as PEM text. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly token?: string;
  readonly logger?: Logger;
  /** How many past versions watches can resume from; 10,000 when absent. */
  readonly historyLimit?: number;
  readonly watchLimits?: Partial<WatchLimits>;
}

const TOKEN_LENGTH = 16;

/** Options under which the server refuses to listen; the message says which to add. */
export class ListeningError extends Error {
  override readonly name = 'ListeningError';
}

/** Only the loopback interface may be served without TLS and token. Throws ListeningError. */
export function checkListening({ host, tls, token }: ApiServerOptions): void {
  if (token !== undefined && (token.length < TOKEN_LENGTH || /\s/.test(token))) {
    throw new ListeningError(
      `the token has ${token.length} characters: it needs at least ${TOKEN_LENGTH}, without white space`,
    );
  }
  if (isLoopback(host)) return;
  const missing = [
    ...(tls === undefined ? ['a TLS certificate and key (--tls-cert, --tls-key)'] : []),
    ...(token === undefined ? ['a bearer token (--token-file)'] : []),
  ];
  if (missing.length === 0) return;
  throw new ListeningError(
    `refusing to listen on ${host}, which other machines may reach: add ${missing.join(' and ')}, or listen on 127.0.0.1 or ::1`,
  );
}
