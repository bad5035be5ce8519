/**
 * /healthz, /readyz and /metrics over HTTP, for whoever can reach the port: so nothing is asked of anybody for an answer, nothing a caller
 * sends is read beyond its first line, and there are limits on how many connections there may be and for how long.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HealthPages {
  /** Why the node is not ready, in a few words; undefined if it is. */
  readonly notReady: () => string | undefined;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

const MAX_CONNECTIONS = 64;
const REQUEST_MS = 5000;
const IDLE_MS = 5000;
const MAX_HEADER_BYTES = 8192;
const TEXT = 'text/plain; charset=utf-8';

export class HealthServer implements AsyncDisposable {
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  /** Listens; an empty host is all addresses of both families, port 0 any free port. Rejects with the system's error (EADDRINUSE, …). */
  static async listen(host: string, port: number, pages: HealthPages): Promise<HealthServer> {
    const server = createServer(
      {
        headersTimeout: REQUEST_MS,
        requestTimeout: REQUEST_MS,
        keepAliveTimeout: IDLE_MS,
        connectionsCheckingInterval: REQUEST_MS,
        maxHeaderSize: MAX_HEADER_BYTES,
      },
      (request, response) => void answer(request, response, pages),
    );
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, ...(host !== '' && { host }) }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return new HealthServer(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, pages: HealthPages): Promise<void> {
  const send = (status: number, text: string, contentType = TEXT, more: Record<string, string> = {}) => {
    const bytes = Buffer.from(text);
    response.writeHead(status, {
      'content-type': contentType,
      'content-length': bytes.length,
      ...more,
    });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    // What follows the head is not waited for.
    return send(405, 'only GET and HEAD\n', TEXT, { allow: 'GET, HEAD', connection: 'close' });
  }
  switch ((request.url ?? '').split('?', 1)[0]) {
    case '/healthz':
      return send(200, 'running\n');
    case '/readyz': {
      const reason = pages.notReady();
      return reason === undefined ? send(200, 'ready\n') : send(503, `not ready: ${reason}\n`);
    }
    case '/metrics':
      try {
        const { contentType, text } = await pages.metrics();
        return send(200, text, contentType);
      } catch (error) {
        return send(500, `metrics: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    default:
      return send(404, 'there are /healthz, /readyz and /metrics\n');
  }
}
