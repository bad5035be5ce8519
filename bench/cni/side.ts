/** One side of the comparison: a host of its own with pods' namespaces, and the plugins that attach them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentPaths, fetchStatus } from '#app/agent/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';

const ROOT = join(import.meta.dirname, '../..');
const READY_MS = 20_000;
const REFERENCE = '/usr/lib/cni';

export type SideName = 'poplin' | 'reference';

/** A pod, with what ADD reported once it was attached. */
export interface Pod {
  readonly container: string;
  readonly netns: string;
  readonly runtimeConfig: object;
  result?: string;
}

/** Which plugins run one after another, with what. */
export type Chain = readonly Readonly<Record<string, unknown>>[];

export class Side implements AsyncDisposable {
  readonly name: SideName;
  readonly folder: string;
  private readonly host: string;
  private readonly bin: string;
  private agent: ChildProcess | undefined;
  private readonly pods: Pod[] = [];

  private constructor(name: SideName, parent: string) {
    this.name = name;
    this.folder = mkdtempSync(join(parent, `${name}-`));
    this.host = join(this.folder, 'host');
    this.bin = name === 'poplin' ? join(this.folder, 'bin') : REFERENCE;
    createNamespace(this.host).close();
    execFileSync('nsenter', [`--net=${this.host}`, 'ip', 'link', 'set', 'lo', 'up']);
  }

  static async open(name: SideName, parent: string): Promise<Side> {
    const side = new Side(name, parent);
    if (name === 'poplin') await side.startAgent();
    return side;
  }

  /** The folder that host-local keeps its reservations in. */
  get dataDir(): string {
    return join(this.folder, 'networks');
  }

  makePods(count: number, runtimeConfigOf: (at: number) => object): Pod[] {
    return Array.from({ length: count }, (_, at): Pod => {
      const container = `pod${this.pods.length}`;
      const netns = join(this.folder, container);
      createNamespace(netns).close();
      const pod: Pod = { container, netns, runtimeConfig: runtimeConfigOf(at) };
      this.pods.push(pod);
      return pod;
    });
  }

  removePods(pods: readonly Pod[]): void {
    for (const pod of pods) {
      removeNamespace(pod.netns);
      this.pods.splice(this.pods.indexOf(pod), 1);
    }
  }

  /** Attaches or detaches the pods, one after another; microseconds of each. Rejects with what a plugin said. */
  async call(command: 'ADD' | 'DEL', chain: Chain, pods: readonly Pod[]): Promise<number[]> {
    const script = join(import.meta.dirname, 'caller.py');
    const child = spawn(
      'nsenter',
      [`--net=${this.host}`, 'python3', script, command, this.bin, JSON.stringify(chain)],
      { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '', ...this.environment() } },
    );
    const lines = pods.map(({ container, netns, runtimeConfig, result }) =>
      [container, netns, JSON.stringify(runtimeConfig), ...(result === undefined ? [] : [result])].join('\t'),
    );
    child.stdin.end(`${lines.join('\n')}\n`);
    const output = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text));
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(`${this.name}: ${output.err}`);
    const answers = output.out.trimEnd().split('\n');
    if (answers.length !== pods.length)
      throw new Error(`${this.name}: ${answers.length} answers for ${pods.length} pods`);
    return answers.map((line, at) => {
      const [, us = '', result = ''] = line.split('\t');
      if (command === 'ADD') (pods[at] as Pod).result = result;
      return Number(us);
    });
  }

  /** Every pod that is attached has its address on its interface; throws otherwise. */
  check(pods: readonly Pod[]): void {
    for (const { netns, result, container } of pods) {
      const { ips } = JSON.parse(result ?? '{}') as { ips: { address: string }[] };
      const shown = execFileSync('nsenter', [`--net=${netns}`, 'ip', '-o', 'address', 'show', 'eth0'], {
        encoding: 'utf8',
      });
      for (const { address } of ips)
        if (!shown.includes(address)) throw new Error(`${this.name}: ${container} lacks ${address}`);
    }
  }

  /** Resolves when nothing is left of detached pods; rejects if something stays. */
  async checkEmpty(network: string): Promise<void> {
    const left = () => [
      ...readdirSync(join(this.dataDir, network)).filter((name) => /^[0-9a-f.:]+$/.test(name)),
      ...(execFileSync('nsenter', [`--net=${this.host}`, 'ip', '-o', 'link'], { encoding: 'utf8' }).match(
        /veth\S+/g,
      ) ?? []),
    ];
    for (const deadline = Date.now() + READY_MS; left().length > 0; await sleep(20))
      if (Date.now() > deadline) throw new Error(`${this.name}: left behind: ${left().join(' ')}`);
  }

  /** Memory of the resident side, MiB; 0 where there is none. */
  async rssMb(): Promise<number> {
    if (this.agent === undefined) return 0;
    return (await fetchStatus(agentPaths(this.folder).statusSocket)).memoryMb;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.agent?.exitCode === null) {
      const gone = once(this.agent, 'exit');
      this.agent.kill('SIGTERM');
      await gone;
    }
    this.removePods([...this.pods]);
    removeNamespace(this.host);
  }

  private environment(): Record<string, string> {
    if (this.name === 'reference') return {};
    const { cniSocket, cniPending } = agentPaths(this.folder);
    return { POPLIN_CNI_SOCKET: cniSocket, POPLIN_CNI_PENDING_DIR: cniPending };
  }

  private async startAgent(): Promise<void> {
    mkdirSync(this.bin);
    for (const plugin of ['bridge', 'host-local', 'portmap'])
      copyFileSync(join(ROOT, 'dist/poplin-cni'), join(this.bin, plugin));
    const command = [
      process.execPath,
      join(ROOT, 'dist/poplin.mjs'),
      'agent',
      '--cni-only',
      '--root-dir',
      this.folder,
      '--log-level',
      'warn',
    ];
    this.agent = spawn('nsenter', [`--net=${this.host}`, ...command], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const { statusSocket } = agentPaths(this.folder);
    for (const deadline = Date.now() + READY_MS; ; await sleep(20)) {
      const status = await fetchStatus(statusSocket).catch(() => undefined);
      if (status?.ready) return;
      if (this.agent.exitCode !== null || Date.now() > deadline)
        throw new Error('the agent did not become ready');
    }
  }
}
