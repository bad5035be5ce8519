/**
 * A lab for tests of the agent: the real command line builds it, iproute2 and nft look into it, ping and a TCP stream cross it.
 * Everything of it is gone after `await using`.
 */
import { type ChildProcess, type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AgentStatus } from '#app/agent/index.ts';
import { IS_VIRTUAL } from '../kernel/virtual.ts';
import { agentSocket, askStatus } from './agent-socket.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
export const PROGRAM = join(PROJECT, 'dist/poplin.mjs');

/** Runs Poplin's command line; rejects with what it said on standard error. */
export function poplin(...args: string[]): Promise<string> {
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      said[name] += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(said.stdout);
      else reject(new Error(`poplin ${args.join(' ')}: status ${code}: ${said.stderr}${said.stdout}`));
    });
  });
}

/** Runs a command inside a namespace file and returns what it printed; throws with what it said if it fails. */
export function inNetns(netns: string, command: string, ...args: string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, command, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The virtual machine is slow, and a probe is not what should take its time. */
const [LIMIT_MS, PAUSE_MS] = IS_VIRTUAL ? [150_000, 100] : [20_000, 3];

/** Waits until the probe gives something; rejects after `limitMs` with the last thing it threw, or the text. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = LIMIT_MS,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const late = performance.now() > deadline;
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (late) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(PAUSE_MS);
  }
}

export class AgentLab implements AsyncDisposable {
  readonly name: string;
  private readonly traffic = new Set<ChildProcess>();

  private constructor(name: string) {
    this.name = name;
  }

  /** Builds a lab with a name of its own; `topology` is the YAML behind it. */
  static async up(purpose: string, topology: string): Promise<AgentLab> {
    const name = `e2e-${purpose}-${process.pid}`;
    const folder = mkdtempSync(join(tmpdir(), 'poplin-e2e-'));
    const file = join(folder, 'topology.yaml');
    writeFileSync(file, `name: ${name}\n${topology}`);
    const lab = new AgentLab(name);
    try {
      await poplin('lab', 'up', file);
      for (const node of readdirSync(`${lab.path}/nodes`)) {
        await until(
          'the end of duplicate address detection',
          () => !lab.sh(node, 'ip -6 address').includes('tentative'),
        );
      }
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.endTraffic();
    await poplin('lab', 'down', this.name).catch(() => undefined);
  }

  /** Ends what a failed test left running. */
  endTraffic(): void {
    for (const child of this.traffic) child.kill('SIGKILL');
  }

  /** Starts a program in a node or pod; it is ended with the lab at the latest. */
  start(member: string, program: string, ...args: string[]): ChildProcessByStdio<null, Readable, null> {
    const child = spawn('nsenter', [`--net=${this.netns(member)}`, program, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.traffic.add(child);
    child.once('close', () => this.traffic.delete(child));
    child.stdout.setEncoding('utf8');
    return child;
  }

  netns(member: string): string {
    return `/run/netns/poplin-${this.name}-${member}`;
  }

  /** The root of a node's files. */
  root(node: string): string {
    return `${this.path}/nodes/${node}`;
  }

  get path(): string {
    return `/run/poplin/lab/${this.name}`;
  }

  /** Runs a command line in a node or pod. */
  sh(member: string, commandLine: string): string {
    return inNetns(this.netns(member), 'sh', '-ec', commandLine);
  }

  /** A node's or pod's own address. */
  address(member: string, family: 4 | 6): string {
    const shown = this.sh(member, `ip -${family} -o address show dev eth0 scope global`);
    const found = / inet6? ([^/]+)\//.exec(shown)?.[1];
    if (found === undefined) throw new Error(`${member} has no IPv${family} address`);
    return found;
  }

  /** What the node's agent says of itself; undefined while there is none. */
  async status(node: string): Promise<AgentStatus | undefined> {
    return askStatus(agentSocket(this.root(node), 'agent')).catch(() => undefined);
  }

  /** The status of an agent that is ready and is not the process `formerPid`. */
  ready(node: string, formerPid?: number): Promise<AgentStatus> {
    return until(`agent of ${node} ready`, async () => {
      const status = await this.status(node);
      return status?.ready && status.pid !== formerPid ? status : undefined;
    });
  }

  async pid(node: string): Promise<number> {
    const status = await this.status(node);
    if (status === undefined) throw new Error(`no agent answers on ${node}`);
    return status.pid;
  }

  /** True if one echo request is answered within 300 ms. */
  reaches(from: string, to: string, family: 4 | 6): boolean {
    try {
      inNetns(this.netns(from), 'ping', '-nqc1', '-W0.3', this.address(to, family));
      return true;
    } catch {
      return false;
    }
  }
}

/** What a traffic source came to. */
export interface PingReport {
  readonly answered: number;
  /** Sequence numbers below the last answered one without an answer. */
  readonly lost: number;
  /** The longest round trip, ms. */
  readonly slowestMs: number;
}

/** A running `ping -i 0.01`. */
export class Ping {
  private readonly child;
  private readonly address: string;
  private readonly sequences = new Set<number>();
  private slowestMs = 0;
  private readonly closed: Promise<unknown>;

  constructor(lab: AgentLab, from: string, address: string) {
    this.address = address;
    this.child = lab.start(from, 'ping', '-n', '-i0.01', address);
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const found = /icmp_seq=(\d+) .*time=([\d.]+) ms/.exec(line);
      if (found === null) return;
      this.sequences.add(Number(found[1]));
      this.slowestMs = Math.max(this.slowestMs, Number(found[2]));
    });
    this.closed = new Promise((resolve) => this.child.once('close', resolve));
  }

  /** Resolves once that many answers more came. */
  async answers(count: number): Promise<void> {
    const goal = this.sequences.size + count;
    await until(`${count} answers from ${this.address}`, () => this.sequences.size >= goal);
  }

  async stop(): Promise<PingReport> {
    this.child.kill('SIGINT');
    await this.closed;
    const last = [...this.sequences].reduce((a, b) => Math.max(a, b), 0);
    const answered = this.sequences.size;
    return { answered, lost: last - answered, slowestMs: this.slowestMs };
  }
}

export interface StreamReport {
  readonly received: number;
  /** Numbers that did not follow their predecessor, and connections that broke. */
  readonly disorder: number;
  /** The longest time from sending to receiving a number, ms. */
  readonly slowestMs: number;
  /** Segments sent again because they were lost, as the sender's kernel counts them. */
  readonly retransmitted: number;
}

/** A TCP connection that carries a number every 2 ms (agent-stream.ts at both ends). */
export class Stream {
  private readonly lab: AgentLab;
  private readonly from: string;
  private readonly receiver;
  private readonly sender;
  private last: Omit<StreamReport, 'retransmitted'> = { received: 0, disorder: 0, slowestMs: 0 };

  private constructor(lab: AgentLab, from: string, to: string, family: 4 | 6, port: number) {
    this.lab = lab;
    this.from = from;
    const program = join(PROJECT, 'test/e2e/agent-stream.ts');
    this.receiver = lab.start(to, process.execPath, program, 'receive', String(port));
    createInterface({ input: this.receiver.stdout }).on('line', (line) => {
      this.last = JSON.parse(line) as typeof this.last;
    });
    this.sender = lab.start(from, process.execPath, program, 'send', String(port), lab.address(to, family));
  }

  static async start(lab: AgentLab, from: string, to: string, family: 4 | 6, port: number): Promise<Stream> {
    const stream = new Stream(lab, from, to, family, port);
    await until('first numbers', () => stream.last.received > 50);
    return stream;
  }

  async stop(): Promise<StreamReport> {
    const sockets = this.lab.sh(this.from, 'ss -tin');
    const total = (pattern: RegExp) =>
      [...sockets.matchAll(pattern)].reduce((sum, [, count]) => sum + Number(count), 0);
    // RFC 2883: what the receiver reports as received twice was not lost, an idle process was only late.
    const retransmitted = total(/retrans:\d+\/(\d+)/g) - total(/dsack_dups:(\d+)/g);
    const ended = new Promise((resolve) => this.receiver.once('close', resolve));
    this.sender.kill('SIGTERM');
    await ended;
    return { ...this.last, retransmitted };
  }
}

const QUESTIONS = [
  'ip -d -o link',
  'ip -o address',
  'ip -4 route show table all',
  'ip -6 route show table all',
  'ip -4 neigh show nud permanent',
  'ip -6 neigh show nud permanent',
  'bridge fdb show dev flannel.1',
  'bridge fdb show dev flannel-v6.1',
  'ip -4 rule',
  'ip -6 rule',
  'nft -s list ruleset',
];

/**
 * All that a node's kernel holds of the network, as iproute2 and nft print it, without what counts or numbers by itself, and without
 * the link-local addresses that the kernel makes (after duplicate address detection, a second or more later).
 */
export function networkText(netns: string): string {
  const script = QUESTIONS.map((question) => `echo "## ${question}"; ${question} 2>&1 || true`).join('\n');
  return inNetns(netns, 'sh', '-c', script)
    .split(/^(?=## )/m)
    .map((section) => {
      // Tables, and chains and sets in them, stand in the order they were made in.
      if (section.startsWith('## nft'))
        return section
          .split(/^(?=table )/m)
          .map((table) => sortedBlocks(table))
          .toSorted()
          .join('');
      return section
        .replaceAll(/^\d+: /gm, '')
        .replaceAll(/@if\d+/g, '')
        .replaceAll(/state \w+ |\w+_timer +[\d.]+ /g, '')
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => !/fe80:(?!:1[ /])/.test(line))
        .sort()
        .join('\n');
    })
    .join('\n');
}

/** A table with what lies in it in the order of the alphabet. */
function sortedBlocks(table: string): string {
  const [head = '', ...blocks] = table.replace(/\n}\s*$/, '\n').split(/^(?=\t(?:chain|set|map) )/m);
  return [head, ...blocks.map((block) => `${block.trimEnd()}\n`).toSorted(), '}\n'].join('');
}
