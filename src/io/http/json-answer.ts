/** Answers of our own sockets. */
import type { ServerResponse } from 'node:http';

/** The whole answer, after which the connection closes. */
export function sendJson(response: ServerResponse, code: number, value: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(value));
}
