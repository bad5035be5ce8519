/** What two pods get through their node: bytes of one TCP connection, by iperf3, and connections that are opened and closed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
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

/** The servers in the pod that is asked, until disposed. */
export class Traffic implements AsyncDisposable {
  readonly #place: Place;
  readonly #address: string;
  readonly #servers: ChildProcess[] = [];

  private constructor(place: Place, sizes: Sizes) {
    this.#place = place;
    [this.#address] = addressesOf(SERVER, sizes);
  }

  static async start(place: Place, sizes: Sizes): Promise<Traffic> {
    const traffic = new Traffic(place, sizes);
    await traffic.#serve(['iperf3', '-s', '-p', String(PORT), '--forceflush']);
    return traffic;
  }

  /** Mbit/s that arrive. A server that is not done with the client before says so, and is asked again. */
  async mbit(seconds: number): Promise<number> {
    const args = ['iperf3', '-c', this.#address, '-p', String(PORT), '-t', String(seconds), '-J'];
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

  /** In place of iperf3, something that takes connections and closes them. */
  async serveConnections(): Promise<void> {
    await this.#end();
    await this.#serve([process.execPath, CONNECT, 'serve', String(PORT)]);
  }

  /** Connections a second. */
  async connections(seconds: number): Promise<number> {
    const args = [process.execPath, CONNECT, 'ask', String(PORT), this.#address, String(seconds)];
    const { stdout } = await run('nsenter', [`--net=${this.#place.client}`, ...args]);
    return Number(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #serve(command: readonly string[]): Promise<void> {
    const server = spawn('nsenter', [`--net=${this.#place.server}`, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#servers.push(server);
    await once(server.stdout as NodeJS.ReadableStream, 'data');
    server.stdout?.resume();
  }

  async #end(): Promise<void> {
    for (const server of this.#servers.splice(0)) {
      const ended = once(server, 'close');
      server.kill();
      await ended;
    }
  }
}
