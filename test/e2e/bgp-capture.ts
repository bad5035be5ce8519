/** Packets as they pass a link, read by somebody else (bgp-capture.py). */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './agent-world.ts';

export interface CapturedPacket {
  readonly from: string;
  readonly to: string;
  readonly ttl: number;
  /** The number of the VXLAN network that it is of. */
  readonly vxlan?: number;
  readonly inner?: CapturedPacket;
}

export class Capture implements Disposable {
  readonly #child: ChildProcess;
  readonly #lines: unknown[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on('line', (line) => this.#lines.push(JSON.parse(line)));
  }

  static async start(netns: string, link: string): Promise<Capture> {
    const script = join(import.meta.dirname, 'bgp-capture.py');
    const child = spawn('nsenter', [`--net=${netns}`, 'python3', script, link], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const capture = new Capture(child);
    await until('the capture', () => capture.#lines.length > 0);
    return capture;
  }

  /** Packets between two addresses in either direction, as they are or within others. */
  between(a: string, b: string): readonly CapturedPacket[] {
    const isMeant = ({ from, to }: CapturedPacket): boolean =>
      (from === a && to === b) || (from === b && to === a);
    return (this.#lines.slice(1) as readonly CapturedPacket[]).filter((packet) =>
      isMeant(packet.inner ?? packet),
    );
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
