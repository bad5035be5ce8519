/** The orders of native/tunnel-control.c over its unix socket. Whoever answers there must be of this process's user. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

import { hasCode, peerUser } from '#io/files/index.ts';

const PROTOCOL = 1;
const ANSWER_MS = 5000;
const MAX_LINE = 8192;

/** Of one family: packets and bytes carried, system calls made, and what was dropped, by reason. */
export interface TunnelCounters {
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly deviceReads: number;
  readonly deviceWrites: number;
  readonly socketSends: number;
  readonly socketReceives: number;
  /** For no known subnet; answered with ICMP "no route". */
  readonly noPeer: number;
  readonly sendFailed: number;
  /** Too large for the wire, and not to be cut. */
  readonly uncut: number;
  /** From a known node, and not one whole IP packet. */
  readonly malformed: number;
  /** From an address and port that no node has. */
  readonly unknownOuter: number;
  /** From a known node, with a source that is another's. */
  readonly spoofedInner: number;
  readonly deviceFailed: number;
  /** Prefixes known. */
  readonly peers: number;
}

export type CountersByFamily = Partial<Record<'ipv4' | 'ipv6', TunnelCounters>>;

export class TunnelConnection implements Disposable {
  readonly pid: number;
  /** The ends it was started with, as configurationOf writes them. */
  readonly configuration: string;
  /** Settles when the connection ends, for whatever reason. */
  readonly ended: Promise<void>;
  private readonly socket: Socket;
  private readonly lines: Lines;

  private constructor(socket: Socket, lines: Lines, pid: number, configuration: string) {
    this.socket = socket;
    this.lines = lines;
    this.pid = pid;
    this.configuration = configuration;
    this.ended = lines.ended;
  }

  /** Undefined if nothing listens there. Rejects if it is not a tunnel of ours. */
  static async open(path: string): Promise<TunnelConnection | undefined> {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ECONNREFUSED')) return undefined;
      throw error;
    }
    const lines = new Lines(socket);
    try {
      const uid = peerUser(socket);
      if (uid !== process.geteuid?.()) throw new Error(`${path} is served by user ${uid}: not our tunnel`);
      const [, protocol, pid, configuration] =
        /^poplin-tunnel (\d+) (\d+) (.*)$/.exec(await lines.next()) ?? [];
      if (configuration === undefined)
        throw new Error(`${path} is served by another program than poplin-tunnel`);
      // Of another protocol nothing is known but how to end it.
      const known = Number(protocol) === PROTOCOL ? configuration : `protocol ${protocol}`;
      return new TunnelConnection(socket, lines, Number(pid), known);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Orders that are not answered. */
  order(...orders: readonly string[]): void {
    if (orders.length > 0) this.socket.write(`${orders.join('\n')}\n`);
  }

  /** The list of peers since `begin` is complete; the number of prefixes that are known then. */
  async commit(): Promise<number> {
    this.order('commit');
    return Number(await this.answer('committed'));
  }

  async counters(): Promise<CountersByFamily> {
    this.order('counters');
    return JSON.parse(await this.answer('counters')) as CountersByFamily;
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    this.order('stop');
    await this.ended;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  private async answer(name: string): Promise<string> {
    const line = await this.lines.next();
    if (line.startsWith(`${name} `)) return line.slice(name.length + 1);
    throw new Error(`poplin-tunnel answers ${JSON.stringify(line)}, not ${name}`);
  }
}

/** Ends the tunnel that serves the socket, if there is one, and takes the socket's file away. True if there was one. */
export async function endTunnel(path: string): Promise<boolean> {
  using connection = await TunnelConnection.open(path);
  await connection?.stop();
  rmSync(path, { force: true });
  return connection !== undefined;
}

/** The lines of a socket, one after another; one who waits for a line gets an error when the socket ends or takes too long. */
class Lines {
  readonly ended: Promise<void>;
  private text = '';
  private readonly ready: string[] = [];
  private readonly waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  private isOver = false;

  constructor(socket: Socket) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.take(chunk, socket));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.isOver = true;
      for (const each of this.waiting.splice(0)) each.reject(new Error('poplin-tunnel ended'));
      resolve();
    });
  }

  next(): Promise<string> {
    const line = this.ready.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.isOver) return Promise.reject(new Error('poplin-tunnel ended'));
    return new Promise((resolve, reject) => {
      const entry = {
        resolve: (text: string) => (clearTimeout(deadline), resolve(text)),
        reject: (error: Error) => (clearTimeout(deadline), reject(error)),
      };
      const deadline = setTimeout(() => reject(new Error('poplin-tunnel does not answer')), ANSWER_MS);
      this.waiting.push(entry);
    });
  }

  private take(chunk: string, socket: Socket): void {
    this.text += chunk;
    const lines = this.text.split('\n');
    this.text = lines.pop() ?? '';
    if (this.text.length > MAX_LINE) return void socket.destroy();
    for (const line of lines) {
      const waiting = this.waiting.shift();
      if (waiting === undefined) this.ready.push(line);
      else waiting.resolve(line);
    }
  }
}
