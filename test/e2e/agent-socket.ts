/**
 * Where an agent answers and keeps its sockets, and what it says of itself there, as docs/agent.md has it. Without the agent's own code,
 * which takes the slow virtual machine half a minute to load.
 */
import { request } from 'node:http';
import { join } from 'node:path';
import type { AgentStatus } from '#app/agent/index.ts';

/** Below the root of an agent's files; of a further network if one is named. */
export function agentSocket(root: string, name: 'agent' | 'cni' | 'tunnel', network?: string): string {
  return join(root, 'run/poplin', ...(network === undefined ? [] : [`network-${network}`]), `${name}.sock`);
}

/** Asks a running agent; rejects if there is none. */
export function askStatus(path: string): Promise<AgentStatus> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: path, path: '/status', timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve(JSON.parse(body) as AgentStatus));
      response.on('error', reject);
    });
    call.on('error', reject);
    call.on('timeout', () => call.destroy(new Error(`no answer at ${path}`)));
    call.end();
  });
}
