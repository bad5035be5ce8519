/** HTTP pieces: reading a bounded body, decoding it, and sending answers and refusals. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseDocument } from 'yaml';
import {
  type BodyForm,
  badRequest,
  decodeProtobuf,
  hasPrototypeKey,
  internalError,
  PatchError,
  type Status,
  StatusError,
  tooLarge,
} from '#core/kube/index.ts';

export const BODY_LIMIT_BYTES = 3 * 1024 * 1024;

/** The whole body. Throws 413 when it is longer than the limit. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > BODY_LIMIT_BYTES) throw tooLarge(BODY_LIMIT_BYTES);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > BODY_LIMIT_BYTES) throw tooLarge(BODY_LIMIT_BYTES);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

const FORM_NAMES = { json: 'JSON', yaml: 'YAML', protobuf: 'protobuf' } as const;

function parse(body: Buffer, form: BodyForm): unknown {
  if (form === 'protobuf') return decodeProtobuf(body);
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  if (form === 'json') return JSON.parse(text);
  const document = parseDocument(text, { uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) throw problem;
  return document.toJS({ maxAliasCount: 100 });
}

/** The value a body holds. Throws 400 that says what is wrong with its text. */
export function decodeBody(body: Buffer, form: BodyForm): unknown {
  let value: unknown;
  try {
    value = parse(body, form);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw badRequest(`the body of the request is not valid ${FORM_NAMES[form]}: ${cause}`);
  }
  if (hasPrototypeKey(value))
    throw badRequest('the body of the request has a key "__proto__", which is refused');
  return value;
}

export interface Answer {
  readonly code: number;
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A Warning header as RFC 7234 section 5.5 has it, with the agent left open. */
const warningHeader = (text: string): string =>
  `299 - "${text.replace(/[\r\n]+/g, ' ').replace(/[\\"]/g, '\\$&')}"`;

const WARNING_LIMIT_CHARS = 4096;

/** Header values must be Latin-1; other characters become question marks. */
const warningHeaders = (warnings: readonly string[]): string[] => {
  const headers: string[] = [];
  let size = 0;
  for (const text of new Set(warnings)) {
    const header = warningHeader(text.replace(/[^\x20-\x7e]/g, '?').slice(0, 256));
    size += header.length;
    if (size > WARNING_LIMIT_CHARS) break;
    headers.push(header);
  }
  return headers;
};

/** Adds Warning headers to whatever is answered later, a refusal included. */
export function warn(response: ServerResponse, warnings: readonly string[]): void {
  const headers = warningHeaders(warnings);
  if (headers.length > 0 && !response.headersSent) response.setHeader('warning', headers);
}

/** Writes an answer, unless the response has begun or its peer is gone. */
export function send(response: ServerResponse, answer: Answer): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = answer.code;
  response.setHeader('content-type', answer.contentType ?? 'application/json');
  response.setHeader('cache-control', 'no-cache, private');
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  const body = Buffer.from(answer.body);
  response.setHeader('content-length', body.length);
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

/** The Status that tells a client of an error; anything unforeseen is a 500 without details. */
export function statusOf(error: unknown): Status {
  if (error instanceof StatusError) return error.status;
  if (error instanceof PatchError) {
    if (error.problem === 'malformed') return badRequest(error.message).status;
    return new StatusError(
      422,
      'Invalid',
      `the server rejected our request due to an error in our request: ${error.message}`,
    ).status;
  }
  if (error instanceof RangeError && /call stack/i.test(error.message)) {
    return badRequest('the body of the request is nested too deeply').status;
  }
  return internalError('the request could not be served; the server log says why').status;
}

export const answerOf = (value: unknown, code = 200): Answer => ({ code, body: JSON.stringify(value) });
