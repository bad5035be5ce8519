/** What is measured between two pods, each by a program that nobody here wrote: iperf3 and ping. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import type { Family, PodPair } from './pair.ts';

const run = promisify(execFile);
/** As a game or a name server sends them. */
const SMALL_BYTES = 200;

interface IperfSum {
  readonly bits_per_second: number;
  readonly packets?: number;
  readonly lost_packets?: number;
  readonly seconds: number;
}

/** A server in the second pod, until disposed. */
export class Iperf implements AsyncDisposable {
  private readonly pair: PodPair;
  private readonly server: ChildProcess;

  private constructor(pair: PodPair, server: ChildProcess) {
    this.pair = pair;
    this.server = server;
  }

  static async start(pair: PodPair): Promise<Iperf> {
    const server = spawn('nsenter', [`--net=${pair.pod(2)}`, 'iperf3', '-s', '--forceflush'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(server.stdout as NodeJS.ReadableStream, 'data');
    server.stdout?.resume();
    return new Iperf(pair, server);
  }

  /** Mbit/s of payload that arrive by one TCP connection. */
  async tcpMbit(family: Family, seconds: number): Promise<number> {
    const { sum_received: sum } = await this.ask(family, seconds, []);
    if (sum === undefined) throw new Error('iperf3 reports no sum');
    return sum.bits_per_second / 1e6;
  }

  /** Datagrams of 200 bytes a second that arrive, when the sender sends what it can. */
  async smallPackets(family: Family, seconds: number): Promise<number> {
    const { sum } = await this.ask(family, seconds, ['-u', '-b', '0', '-l', String(SMALL_BYTES)]);
    if (sum?.packets === undefined) throw new Error('iperf3 reports no sum');
    return (sum.packets - (sum.lost_packets ?? 0)) / sum.seconds;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.server, 'close');
    this.server.kill();
    await ended;
  }

  private async ask(
    family: Family,
    seconds: number,
    more: readonly string[],
  ): Promise<{ readonly sum?: IperfSum; readonly sum_received?: IperfSum }> {
    const to = this.pair.address(2, family);
    const args = [`--net=${this.pair.pod(1)}`, 'iperf3', '-c', to, '-t', String(seconds), '-J', ...more];
    const { stdout } = await run('nsenter', args, { maxBuffer: 2 ** 25 });
    return (JSON.parse(stdout) as { end: { sum?: IperfSum; sum_received?: IperfSum } }).end;
  }
}

/** The mean time there and back of pings that follow each other as fast as they are answered, µs. */
export async function pingUs(pair: PodPair, family: Family, count: number): Promise<number> {
  const to = pair.address(2, family);
  const { stdout } = await run('nsenter', [
    `--net=${pair.pod(1)}`,
    'ping',
    '-q',
    '-A',
    '-c',
    String(count),
    to,
  ]);
  const mean = /= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1];
  if (mean === undefined || !stdout.includes(' 0% packet loss')) throw new Error(`ping: ${stdout}`);
  return Number(mean) * 1000;
}
