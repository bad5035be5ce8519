/** Pings at a steady pace from a namespace, and what became of them. */
import { spawn } from 'node:child_process';

export interface FlowCount {
  readonly sent: number;
  readonly lost: number;
}

/** Sends a packet every 10 ms until the function that is given back is called. */
export function startFlow(netns: string, address: string): () => Promise<FlowCount> {
  const args = [`--net=${netns}`, 'ping', '-q', '-i0.01', '-W1', address];
  const child = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  return async () => {
    child.kill('SIGINT');
    await ended;
    const [, sent = '0', received = '0'] = /(\d+) packets transmitted, (\d+) received/.exec(out) ?? [];
    return { sent: Number(sent), lost: Number(sent) - Number(received) };
  };
}
