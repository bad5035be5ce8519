/**
 * A plain container host for tests: a namespace of its own, an agent that serves CNI alone, the client under each plugin's name,
 * and pods. Everything of it is gone after `await using`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentPaths, type AgentStatus, agentPaths, fetchStatus } from '#app/agent/index.ts';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { inNetns, PROGRAM, until } from './agent-world.ts';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class CniHost implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-cni-host-'));
  readonly host = join(this.folder, 'host');
  readonly bin = join(this.folder, 'bin');
  readonly conf = join(this.folder, 'net.d');
  readonly root = join(this.folder, 'root');
  readonly cache = join(this.folder, 'cache');
  readonly paths: AgentPaths = agentPaths(this.root);
  private readonly pods = new Set<string>();
  private readonly children = new Set<ChildProcess>();
  private agentProcess: ChildProcess | undefined;

  constructor() {
    for (const path of [this.bin, this.conf, this.root, this.cache]) mkdirSync(path);
    createNamespace(this.host).close();
    this.sh(`
      ip link set lo up
      ip link add uplink type bridge
      ip address add 192.168.80.1/24 dev uplink
      ip address add fd80::1/64 dev uplink nodad
      ip link set uplink up`);
    for (const type of PLUGIN_TYPES)
      linkSync(join(PROGRAM, '..', 'poplin-cni'), join(this.folder, 'bin', type));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.children) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    }
    for (const pod of this.pods) removeNamespace(pod);
    removeNamespace(this.host);
    rmSync(this.folder, { recursive: true });
  }

  /** Starts the agent; resolves when it is ready. */
  async startAgent(): Promise<AgentStatus> {
    const args = ['agent', '--cni-only', '--node-name', 'plain', '--root-dir', this.root];
    this.agentProcess = this.start(args, 'ignore');
    return until('the agent ready', async () => {
      const status = await fetchStatus(this.paths.statusSocket).catch(() => undefined);
      return status?.ready === true ? status : undefined;
    });
  }

  async stopAgent(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const agent = this.agentProcess as ChildProcess;
    agent.kill(signal);
    const [code] = (await once(agent, 'close')) as [number | null];
    return code;
  }

  /** The path of a pod's namespace, made if it is not there. */
  pod(name: string): string {
    const path = join(this.folder, `pod-${name}`);
    if (this.pods.has(path)) return path;
    createNamespace(path).close();
    this.pods.add(path);
    return path;
  }

  removePod(name: string): void {
    const path = join(this.folder, `pod-${name}`);
    removeNamespace(path);
    this.pods.delete(path);
  }

  /** A plugin of nobody's: a shell script. */
  script(type: string, text: string): void {
    const path = join(this.bin, type);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  }

  /** Writes a file of the configuration folder. */
  configure(name: string, value: object | string): void {
    writeFileSync(join(this.conf, name), typeof value === 'string' ? value : JSON.stringify(value));
  }

  /** Calls a plugin on disk for a pod, as a runtime does. */
  call(
    plugin: string,
    command: string,
    pod: string,
    config: object,
    more: Record<string, string> = {},
  ): Promise<Outcome> {
    return this.finish(this.client(plugin, command, pod, more), JSON.stringify(config));
  }

  /** Starts a plugin on disk for a pod; its configuration is still to be written to it. */
  client(plugin: string, command: string, pod: string, more: Record<string, string> = {}): ChildProcess {
    const env = {
      ...this.environment(),
      CNI_COMMAND: command,
      CNI_CONTAINERID: `container-${pod}`,
      CNI_NETNS: join(this.folder, `pod-${pod}`),
      CNI_IFNAME: 'eth0',
      ...more,
    };
    return spawn('nsenter', [`--net=${this.host}`, join(this.bin, plugin)], { env, stdio: 'pipe' });
  }

  /** Runs `poplin ARGS` in the host. */
  poplin(args: readonly string[], more: Record<string, string> = {}): Promise<Outcome> {
    return this.finish(this.start(args, 'pipe', more), '');
  }

  /** Starts `poplin ARGS` in the host. */
  start(args: readonly string[], stdio: 'pipe' | 'ignore', more: Record<string, string> = {}): ChildProcess {
    const child = spawn('nsenter', [`--net=${this.host}`, process.execPath, PROGRAM, ...args], {
      env: { ...this.environment(), ...more },
      stdio,
    });
    this.children.add(child);
    child.once('close', () => this.children.delete(child));
    return child;
  }

  async finish(child: ChildProcess, stdin: string | Uint8Array = ''): Promise<Outcome> {
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
        said[name] += chunk;
      });
    }
    child.stdin?.on('error', () => {}).end(stdin);
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, ...said };
  }

  /** Runs a shell command line in the host. */
  sh(commandLine: string): string {
    return inNetns(this.host, 'sh', '-ec', commandLine);
  }

  inPod(name: string, commandLine: string): string {
    return inNetns(this.pod(name), 'sh', '-ec', commandLine);
  }

  private environment(): Record<string, string> {
    const { PATH = '' } = process.env;
    return {
      PATH,
      POPLIN_CNI_SOCKET: this.paths.cniSocket,
      POPLIN_CNI_PENDING_DIR: this.paths.cniPending,
      CNI_PATH: this.bin,
      NETCONFPATH: this.conf,
    };
  }
}
