/**
 * A namespace with an API server and agents as plain processes, for tests that start and stop them one by one. Everything of it is
 * gone after `await using`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type AgentPaths, type AgentStatus, agentPaths, fetchStatus } from '#app/agent/index.ts';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { inNetns, PROGRAM, until } from './agent-world.ts';

/** What a plugin on disk printed. */
export interface PluginOutcome {
  readonly exitCode: number;
  /** The JSON on standard output; undefined if there was none. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  readonly stderr: string;
}

export interface PluginRun {
  readonly plugin: string;
  readonly command: string;
  readonly containerId: string;
  readonly netns: string;
  readonly ifName?: string;
  readonly args?: string;
  /** The network configuration as a text. */
  readonly stdin: string;
}

const HTTP = `
const [method, url, body] = process.argv.slice(1);
const response = await fetch(url, { method, ...(body && { body, headers: { 'content-type': 'application/json' } }) });
process.stdout.write(await response.text());
process.exitCode = response.ok ? 0 : 1;`;

export class Station implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-station-'));
  readonly netns: string;
  private readonly pods = new Set<string>();
  private readonly processes = new Map<string, ChildProcess>();

  private constructor() {
    this.netns = join(this.folder, 'host');
  }

  /** A host in 192.168.60.0/24 and fd60::/64, reached by 192.168.60.11 and up, with a store that holds nothing. */
  static async open(netConf: string): Promise<Station> {
    const station = new Station();
    try {
      createNamespace(station.netns).close();
      station.sh(`
        ip link set lo up
        ip link add eth0 type bridge
        ip link set eth0 up
        for n in 11 12 13 14; do
          ip address add 192.168.60.$n/24 dev eth0
          ip address add fd60::$n/64 dev eth0 nodad
        done
        ip route add default via 192.168.60.1`);
      writeFileSync(station.file('net-conf.json'), netConf);
      station.start('apiserver', [
        ...['apiserver', '--listen', '127.0.0.1:6443', '--db', station.file('store.sqlite')],
        ...['--write-kubeconfig', station.file('kubeconfig')],
      ]);
      await until('API server', () => existsSync(station.file('kubeconfig')));
      mkdirSync(station.file('bin'));
      for (const type of PLUGIN_TYPES)
        symlinkSync(join(dirname(PROGRAM), 'poplin-cni'), join(station.file('bin'), type));
      return station;
    } catch (error) {
      await station[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.processes.keys()].map((name) => this.stop(name, 'SIGKILL')));
    for (const pod of this.pods) removeNamespace(pod);
    removeNamespace(this.netns);
    rmSync(this.folder, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  sh(commandLine: string): string {
    return inNetns(this.netns, 'sh', '-ec', commandLine);
  }

  /** A fresh namespace for a pod. */
  pod(name: string): string {
    const path = this.file(`pod-${name}`);
    createNamespace(path).close();
    this.pods.add(path);
    return path;
  }

  removePod(path: string): void {
    removeNamespace(path);
    this.pods.delete(path);
  }

  paths(node: string): AgentPaths {
    return agentPaths(this.file(node));
  }

  /** Starts the agent of a node that is reached by 192.168.60.`host`. */
  startAgent(node: string, host: number): void {
    this.start(node, [
      ...['agent', '--node-name', node, '--register-node', '--root-dir', this.file(node)],
      ...['--kubeconfig', this.file('kubeconfig'), '--net-conf', this.file('net-conf.json')],
      ...['--public-ip', `192.168.60.${host}`, '--public-ipv6', `fd60::${host}`],
    ]);
  }

  /** Ends an agent and waits until it is gone. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.processes.get(name);
    this.processes.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  isRunning(name: string): boolean {
    const child = this.processes.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  log(name: string): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(this.file(`${name}.log`), 'utf8')
      .trim()
      .split('\n');
    return lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async status(node: string): Promise<AgentStatus | undefined> {
    return fetchStatus(this.paths(node).statusSocket).catch(() => undefined);
  }

  /** The status once it fulfils the condition. */
  statusWhere(node: string, what: string, holds: (status: AgentStatus) => boolean): Promise<AgentStatus> {
    return until(`${node}: ${what}`, async () => {
      const status = await this.status(node);
      return status !== undefined && holds(status) && status;
    });
  }

  /** Asks the API server; throws with its answer if that is an error. */
  api(method: string, path: string, body?: object): unknown {
    const url = `http://127.0.0.1:6443${path}`;
    const args = [method, url, ...(body === undefined ? [] : [JSON.stringify(body)])];
    return JSON.parse(inNetns(this.netns, process.execPath, '--input-type=module', '-e', HTTP, ...args));
  }

  /** Runs a plugin on disk as a runtime does, against a node's agent. */
  plugin(node: string, run: PluginRun): Promise<PluginOutcome> {
    const { cniSocket, cniPending } = this.paths(node);
    const child = spawn('nsenter', [`--net=${this.netns}`, join(this.file('bin'), run.plugin)], {
      env: {
        PATH: '/usr/bin',
        POPLIN_CNI_SOCKET: cniSocket,
        POPLIN_CNI_PENDING_DIR: cniPending,
        CNI_COMMAND: run.command,
        CNI_CONTAINERID: run.containerId,
        CNI_NETNS: run.netns,
        CNI_IFNAME: run.ifName ?? 'eth0',
        CNI_PATH: this.file('bin'),
        ...(run.args !== undefined && { CNI_ARGS: run.args }),
      },
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        said[name] += chunk;
      });
    }
    child.stdin.on('error', () => {}).end(run.stdin);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => {
        const json = said.stdout === '' ? undefined : (JSON.parse(said.stdout) as Record<string, unknown>);
        resolve({ exitCode: exitCode ?? -1, json, stderr: said.stderr });
      });
    });
  }

  private start(name: string, args: readonly string[]): void {
    const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
    const log = this.file(`${name}.log`);
    const script = `exec "$@" >/dev/null 2>>'${log}'`;
    const child = spawn(
      'nsenter',
      [`--net=${this.netns}`, 'sh', '-c', script, 'sh', process.execPath, PROGRAM, ...args],
      { env, stdio: 'ignore' },
    );
    this.processes.set(name, child);
  }
}
