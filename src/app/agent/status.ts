/** What the agent says of itself, as JSON over HTTP on a root-only unix socket: `GET /status`, and what BGP is asked below `/bgp/`. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { onlyForOwnUser, SocketFile } from '#io/files/index.ts';
import { sendJson } from '#io/http/index.ts';
import type { BgpStatus } from './bgp/index.ts';
import type { KernelLoopStatus } from './kernel-loop.ts';
import type { PolicyStatus } from './policy/index.ts';

export interface AgentStatus {
  readonly node: string;
  /** Which of the host's networks this agent is for. */
  readonly network: string;
  readonly ready: boolean;
  /** Started with --cni-only: there is no store, no lease and no overlay. */
  readonly cniOnly: boolean;
  readonly pid: number;
  readonly lease: { readonly ipv4: string | null; readonly ipv6: string | null };
  readonly store: 'connected' | 'away' | 'none';
  /** By which link and addresses other nodes reach this one, and how that was decided; null until it was. */
  readonly underlay?: UnderlayStatus | null;
  readonly kernel: KernelLoopStatus;
  /** null where policies are not carried out. */
  readonly policy?: PolicyStatus | null;
  /** null where BGP is not spoken. */
  readonly bgp?: BgpStatus | null;
  /** By VXLAN device: whether it offloads checksums, and why. */
  readonly checksumOffload: Readonly<Record<string, { readonly offload: boolean; readonly reason: string }>>;
  /** Why the agent cannot become ready with the configuration it has; null if nothing stands in the way. It is the first problem too. */
  readonly fatal: string | null;
  readonly problems: readonly string[];
  readonly memoryMb: number;
}

export interface UnderlayStatus {
  readonly link: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly reason: string;
}

/** Whom the socket speaks for. */
export interface StatusSource {
  readonly status: () => AgentStatus;
  readonly answerBgp: (incoming: IncomingMessage, response: ServerResponse) => void;
}

export class StatusServer implements AsyncDisposable {
  private readonly server: Server;
  private readonly file: SocketFile;

  private constructor(server: Server, file: SocketFile) {
    this.server = server;
    this.file = file;
  }

  static async listen(path: string, { status, answerBgp }: StatusSource): Promise<StatusServer> {
    const server = createServer((incoming, response) => {
      const { method, url = '' } = incoming;
      if (url.startsWith('/bgp/')) return answerBgp(incoming, response);
      if (method === 'GET' && url === '/status') return sendJson(response, 200, status());
      return sendJson(response, 404, { error: `no ${method} ${url}: try GET /status` });
    });
    onlyForOwnUser(server);
    return new StatusServer(server, await SocketFile.listen(server, path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.file.remove();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** Asks a running agent; rejects with ENOENT or ECONNREFUSED if there is none. */
export function fetchStatus(path: string): Promise<AgentStatus> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: path, path: '/status', timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(JSON.parse(body) as AgentStatus));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.on('timeout', () => call.destroy(new Error(`no answer from the agent at ${path}`)));
    call.end();
  });
}
