/** The lab's control socket: JSON over HTTP between a lab's commands and its supervisor. Only the lab's own user can open it. */
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { sendJson } from '#io/http/index.ts';

export type ControlRoutes = Readonly<Record<string, () => Promise<unknown>>>;

/** Serves `METHOD /path` routes; a rejected handler answers 500 with its message. */
export async function serveControl(path: string, routes: ControlRoutes): Promise<Server> {
  const server = createServer((incoming, response) => {
    const handler = routes[`${incoming.method} ${incoming.url}`];
    const answer = (status: number, body: unknown) => sendJson(response, status, body ?? null);
    if (handler === undefined) return answer(404, { error: `no ${incoming.method} ${incoming.url}` });
    handler().then(
      (body) => answer(200, body),
      (error: unknown) => answer(500, { error: error instanceof Error ? error.message : String(error) }),
    );
  });
  const mask = process.umask(0o177);
  server.listen(path);
  process.umask(mask);
  await once(server, 'listening');
  return server;
}

/** Asks a lab's supervisor; rejects with ENOENT or ECONNREFUSED where there is none, ETIMEDOUT after that long without an answer. */
export function callControl<T>(
  path: string,
  method: 'GET' | 'POST',
  route: string,
  timeoutMs?: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: path, method, path: route }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        const body = JSON.parse(text) as { error?: string };
        if (response.statusCode === 200) resolve(body as T);
        else reject(new Error(body.error ?? `status ${response.statusCode}`));
      });
    });
    call.on('error', reject);
    if (timeoutMs !== undefined) {
      call.setTimeout(timeoutMs, () => {
        call.destroy(Object.assign(new Error(`no answer to ${method} ${route}`), { code: 'ETIMEDOUT' }));
      });
    }
    call.end();
  });
}
