/**
 * The BGP benchmark: the same routes, from the same peers, to Poplin, GoBGP and BIRD, one after the other; how long each takes until a peer
 * has been told all of them, how long for another peer that comes later, and what memory it has then.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import type { BenchOptions } from '../options.ts';
import { type Case, type Cost, jsonOf, tableOf } from './report.ts';
import { commandOf, type Peer, ROUTERS, type Router } from './routers.ts';

const PROGRAM = join(import.meta.dirname, '../../dist/poplin.mjs');
const TRAFFIC = join(import.meta.dirname, 'traffic.mjs');
const ROUTER = '10.99.0.1';
const ASN = 64_512;
const LIMIT_MS = 600_000;

interface Load {
  readonly name: string;
  readonly peers: number;
  readonly routesEach: number;
}
const USUAL: readonly Load[] = [
  { name: '10 × 100,000', peers: 10, routesEach: 100_000 },
  { name: '1 × 1,000,000', peers: 1, routesEach: 1_000_000 },
  { name: '100 × 1,000', peers: 100, routesEach: 1_000 },
];
const QUICK: readonly Load[] = [{ name: '10 × 1,000', peers: 10, routesEach: 1_000 }];

interface News {
  readonly event: string;
  readonly atMs: number;
  readonly startedMs: number;
}

/** Prints the table, or with `json` one line; progress goes to standard error. */
export async function benchBgp({ json, quick, only }: BenchOptions): Promise<void> {
  const cases: Case[] = [];
  const loads = quick ? QUICK : USUAL;
  for (const load of loads.filter((_, at) => only === undefined || only.includes(String(at + 1)))) {
    const costs: Partial<Record<Router, Cost>> = {};
    for (const router of ROUTERS) {
      process.stderr.write(`bgp: ${load.name}, ${router}\n`);
      costs[router] = await measure(router, load);
    }
    cases.push({ name: load.name, costs: costs as Record<Router, Cost> });
  }
  process.stdout.write(json ? `${JSON.stringify(jsonOf(cases))}\n` : tableOf(cases));
}

async function measure(router: Router, { peers, routesEach }: Load): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-bgp-'));
  const [near, far] = [join(folder, 'router-ns'), join(folder, 'peers-ns')];
  for (const path of [near, far]) createNamespace(path).close();
  await using processes = new AsyncDisposableStack();
  processes.defer(() => {
    for (const path of [near, far]) removeNamespace(path);
    rmSync(folder, { recursive: true, force: true });
  });
  lay(near, far);
  const feeders = Array.from(
    { length: peers },
    (_, at): Peer => ({ asn: 65_001 + at, address: `10.99.1.${at + 1}` }),
  );
  const takers = [1, 2].map((at): Peer => ({ asn: 65_400 + at, address: `10.99.2.${at}` }));
  const setup = {
    folder: join(folder, 'router'),
    address: ROUTER,
    asn: ASN,
    feeders,
    takers,
    program: PROGRAM,
  };
  const dut = processes.use(new Program(near, commandOf(router, setup), false));
  const expected = peers * routesEach;
  const take = (first: Peer | undefined) =>
    processes.use(
      new Program(far, [
        process.execPath,
        TRAFFIC,
        'take',
        JSON.stringify({ router: ROUTER, first, expected }),
      ]),
    );
  const feed = processes.use(
    new Program(far, [
      process.execPath,
      TRAFFIC,
      'feed',
      JSON.stringify({ router: ROUTER, peers: feeders, routesEach }),
    ]),
  );
  const taker = take(takers[0]);
  await taker.news('established');
  await feed.news('established');
  const idleSeconds = cpuSeconds(dut.pid);
  feed.go();
  const { atMs: beganMs } = await feed.news('sending');
  const { atMs } = await taker.news('all');
  const busySeconds = cpuSeconds(dut.pid) - idleSeconds;
  const again = await take(takers[1]).news('all');
  return {
    seconds: (atMs - beganMs) / 1000,
    cpuSeconds: busySeconds,
    againSeconds: (again.atMs - again.startedMs) / 1000,
    residentMb: statusMb(dut.pid, 'VmRSS'),
    anonymousMb: statusMb(dut.pid, 'RssAnon'),
  };
}

/** The peers' namespace has all of 10.99/16 but the router's own address. */
function lay(near: string, far: string): void {
  const sh = (netns: string, script: string): void => {
    execFileSync('nsenter', [`--net=${netns}`, 'sh', '-ec', script], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  };
  sh(
    near,
    `ip link set lo up
     ip link add eth0 type veth peer name eth0 netns ${far}
     ip addr add ${ROUTER}/16 dev eth0
     ip link set eth0 up`,
  );
  sh(
    far,
    `ip link set lo up
     ip addr add 10.99.255.254/16 dev eth0
     ip link set eth0 up
     ip route add local 10.99.1.0/24 dev lo
     ip route add local 10.99.2.0/24 dev lo`,
  );
}

/** Of all threads, in user and kernel space; in ticks of 10 ms (proc_pid_stat(5)). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** See proc_pid_status(5). */
function statusMb(pid: number, key: 'VmRSS' | 'RssAnon'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
}

/** A process in a namespace, and what it tells. */
class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #told: News[] = [];
  #wake: () => void = () => undefined;

  constructor(netns: string, command: readonly string[], isTelling = true) {
    // nsenter executes the command in its place: its process is the one that is measured.
    this.#child = spawn('nsenter', [`--net=${netns}`, ...command], {
      stdio: ['pipe', isTelling ? 'pipe' : 'ignore', 'inherit'],
    });
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on('line', (line) => {
        this.#told.push(JSON.parse(line) as News);
        this.#wake();
      });
    this.#child.once('exit', () => this.#wake());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  go(): void {
    this.#child.stdin?.write('go\n');
  }

  async news(event: string): Promise<News> {
    const signal = AbortSignal.timeout(LIMIT_MS);
    for (;;) {
      const found = this.#told.find((each) => each.event === event);
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null)
        throw new Error(`a program of the benchmark ended before "${event}"`);
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
