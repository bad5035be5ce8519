/** What two pods get through their node: bytes of one TCP connection, by iperf3, and connections that are opened and closed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { addressesOf, PORT, type Sizes } from './content.ts';
import { type Place, SERVER } from './place.ts';

const run = promisify(execFile);
const ATTEMPTS = 5;
const AGAIN_MS = 300;

interface IperfReport {
  readonly end?: { readonly sum_received?: { readonly bits_per_second: number } };
  readonly error?: string;
}

const CONNECT = join(import.meta.dirname, 'connect.mjs');

/** Who serves and who asks, until disposed. */
export class Traffic implements AsyncDisposable {
  readonly #place: Place;
  readonly #address: string;
  readonly #children: ChildProcess[] = [];
  #asker: { readonly child: ChildProcess; readonly answers: AsyncIterator<string, undefined> } | undefined;

  private constructor(place: Place, sizes: Sizes) {
    this.#place = place;
    [this.#address] = addressesOf(SERVER, sizes);
  }

  static async start(place: Place, sizes: Sizes): Promise<Traffic> {
    const traffic = new Traffic(place, sizes);
    const server = traffic.#spawn(place.server, ['iperf3', '-s', '-p', String(PORT), '--forceflush']);
    await once(server.stdout as NodeJS.ReadableStream, 'data');
    server.stdout?.resume();
    return traffic;
  }

  /** Mbit/s at which so many MiB arrive. A server that is not done with the client before says so, and is asked again. */
  async mbit(mebibytes: number): Promise<number> {
    const args = ['iperf3', '-c', this.#address, '-p', String(PORT), '-n', `${mebibytes}M`, '-J'];
    for (let attempt = 1; ; attempt++) {
      const { stdout } = await run('nsenter', [`--net=${this.#place.client}`, ...args], {
        maxBuffer: 2 ** 25,
      }).catch((error: unknown) => error as { readonly stdout: string });
      const { end, error } = JSON.parse(stdout) as IperfReport;
      const arrived = end?.sum_received?.bits_per_second;
      if (arrived !== undefined) return arrived / 1e6;
      if (attempt === ATTEMPTS) throw new Error(`iperf3: ${error ?? 'no sum'}`);
      await sleep(AGAIN_MS);
    }
  }

  /** In place of iperf3, something that takes connections and closes them, and something that opens them. */
  async serveConnections(): Promise<void> {
    await this.#end();
    const server = this.#spawn(this.#place.server, [process.execPath, CONNECT, 'serve', String(PORT)]);
    await nextLine(linesOf(server));
    const child = this.#spawn(this.#place.client, [
      process.execPath,
      CONNECT,
      'ask',
      String(PORT),
      this.#address,
    ]);
    this.#asker = { child, answers: linesOf(child) };
    await nextLine(this.#asker.answers);
  }

  /** Connections a second. */
  async connections(durationMs: number): Promise<number> {
    if (this.#asker === undefined) throw new Error('nobody takes connections yet');
    this.#asker.child.stdin?.write(`${durationMs}\n`);
    return Number(await nextLine(this.#asker.answers));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  #spawn(netns: string, command: readonly string[]): ChildProcess {
    const child = spawn('nsenter', [`--net=${netns}`, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(child);
    return child;
  }

  async #end(): Promise<void> {
    this.#asker = undefined;
    for (const child of this.#children.splice(0).toReversed()) {
      const ended = once(child, 'close');
      child.kill();
      await ended;
    }
  }
}

function linesOf(child: ChildProcess): AsyncIterator<string, undefined> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return lines[Symbol.asyncIterator]() as AsyncIterator<string, undefined>;
}

async function nextLine(lines: AsyncIterator<string, undefined>): Promise<string> {
  const line = await lines.next();
  if (line.done === true) throw new Error('one that opens or takes connections ended');
  return line.value;
}
