/**
 * Hosts on one Ethernet with an API server, and their agents as plain processes, for tests that start and stop them one by one.
 * Everything of it is gone after `await using`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { generate } from 'selfsigned';
import { type AgentPaths, type AgentStatus, agentPaths, fetchStatus } from '#app/agent/index.ts';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { endTunnel } from '#io/tunnel/index.ts';
import { inNetns, PROGRAM, until } from './agent-world.ts';
import { HTTP_SCRIPT } from './http-script.ts';

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

const API = 'https://192.168.60.1:6443';
export class Station implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-station-'));
  private readonly namespaces = new Set<string>();
  private readonly processes = new Map<string, ChildProcess>();
  private readonly token = randomBytes(16).toString('hex');

  /** An Ethernet with 192.168.60.0/24 and fd60::/64, and a store that holds nothing. */
  static async open(netConf: string): Promise<Station> {
    const station = new Station();
    try {
      const ethernet = station.addNamespace('ethernet');
      inNetns(ethernet, 'ip', 'link', 'add', 'lan', 'type', 'bridge');
      inNetns(ethernet, 'ip', 'address', 'add', '192.168.60.1/24', 'dev', 'lan');
      inNetns(ethernet, 'ip', 'link', 'set', 'lan', 'up');
      inNetns(ethernet, 'ip', 'link', 'set', 'lo', 'up');
      writeFileSync(station.file('net-conf.json'), netConf);
      const { cert, private: key } = await generate([{ name: 'commonName', value: 'station' }], {
        keyType: 'ec',
        extensions: [
          { name: 'basicConstraints', cA: true },
          { name: 'subjectAltName', altNames: [{ type: 7, ip: '192.168.60.1' }] },
        ],
      });
      for (const [name, text] of Object.entries({ cert, key, token: station.token }))
        writeFileSync(station.file(`${name}.pem`), text);
      await station.startStore();
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
    const tunnels = readdirSync(this.folder).map((name) => this.paths(name).tunnelSocket);
    for (const socket of tunnels) if (existsSync(socket)) await endTunnel(socket);
    for (const path of this.namespaces) removeNamespace(path);
    rmSync(this.folder, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  /** Runs a shell command line on a host. */
  sh(node: string, commandLine: string): string {
    return inNetns(this.file(`host-${node}`), 'sh', '-ec', commandLine);
  }

  /** A fresh namespace for a pod. */
  pod(name: string): string {
    return this.addNamespace(`pod-${name}`);
  }

  removePod(path: string): void {
    removeNamespace(path);
    this.namespaces.delete(path);
  }

  paths(node: string): AgentPaths {
    return agentPaths(this.file(node));
  }

  /** Starts the API server, with what it held before; `stop('apiserver')` ends it. */
  async startStore(): Promise<void> {
    this.start('apiserver', this.file('ethernet'), [
      ...['apiserver', '--listen', '192.168.60.1:6443', '--db', this.file('store.sqlite')],
      ...['--tls-cert', this.file('cert.pem'), '--tls-key', this.file('key.pem')],
      ...['--token-file', this.file('token.pem'), '--write-kubeconfig', this.file('kubeconfig')],
    ]);
    await until('API server', () => existsSync(this.file('kubeconfig')));
  }

  /** Starts the agent of a host that is reached by 192.168.60.`number` and fd60::`number`; makes the host the first time. */
  startAgent(node: string, number: number, flags: readonly string[] = []): void {
    if (!existsSync(this.file(`host-${node}`))) this.addHost(node, number);
    this.start(node, this.file(`host-${node}`), [
      ...['agent', '--node-name', node, '--register-node', '--root-dir', this.file(node)],
      ...['--kubeconfig', this.file('kubeconfig'), '--net-conf', this.file('net-conf.json'), ...flags],
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
  statusWhere(
    node: string,
    what: string,
    holds: (status: AgentStatus) => boolean,
    limitMs?: number,
  ): Promise<AgentStatus> {
    const found = async () => {
      const status = await this.status(node);
      return status !== undefined && holds(status) && status;
    };
    return until(`${node}: ${what}`, found, limitMs);
  }

  /** Asks the API server; throws with its answer if that is an error. */
  api(method: string, path: string, body?: object): unknown {
    const args = [method, API + path, this.token, ...(body === undefined ? [] : [JSON.stringify(body)])];
    const env = `NODE_EXTRA_CA_CERTS=${this.file('cert.pem')}`;
    const node = [process.execPath, '--input-type=module', '-e', HTTP_SCRIPT];
    return JSON.parse(inNetns(this.file('ethernet'), 'env', env, ...node, ...args));
  }

  /** Runs a plugin on disk as a runtime does, against a node's agent. */
  plugin(node: string, run: PluginRun): Promise<PluginOutcome> {
    const { cniSocket, cniPending } = this.paths(node);
    const child = spawn(
      'nsenter',
      [`--net=${this.file(`host-${node}`)}`, join(this.file('bin'), run.plugin)],
      {
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
      },
    );
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

  private addNamespace(name: string): string {
    const path = this.file(name);
    createNamespace(path).close();
    this.namespaces.add(path);
    return path;
  }

  /** A host without an agent. */
  addHost(node: string, number: number): void {
    const host = this.addNamespace(`host-${node}`);
    inNetns(
      this.file('ethernet'),
      'ip',
      'link',
      'add',
      node,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      host,
    );
    inNetns(this.file('ethernet'), 'ip', 'link', 'set', node, 'master', 'lan', 'up');
    this.sh(
      node,
      `ip link set lo up; ip link set eth0 up
      ip address add 192.168.60.${number}/24 dev eth0; ip address add fd60::${number}/64 dev eth0 nodad
      ip route add default via 192.168.60.1`,
    );
  }

  private start(name: string, netns: string, args: readonly string[]): void {
    const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
    const log = openSync(this.file(`${name}.log`), 'a');
    const child = spawn('nsenter', [`--net=${netns}`, process.execPath, PROGRAM, ...args], {
      env,
      stdio: ['ignore', 'ignore', log],
    });
    closeSync(log);
    this.processes.set(name, child);
  }
}
