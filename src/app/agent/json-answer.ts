/** Answers of the agent's socket. */
import type { ServerResponse } from 'node:http';

/** The whole answer. */
export function sendJson(response: ServerResponse, code: number, value: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(value));
}
