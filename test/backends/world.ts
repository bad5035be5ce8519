/**
 * Three hosts with real agents, two of them on one Ethernet and the third behind a router, with leases in Debian's etcd or in the embedded
 * API server, and pods attached by the plugin on disk. Everything of it is gone after `await using`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AgentStatus } from '#app/agent/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { endTunnel } from '#io/tunnel/index.ts';
import { agentSocket, askStatus } from '../e2e/agent-socket.ts';
import { inNetns, PROGRAM, until } from '../e2e/agent-world.ts';
import { IS_VIRTUAL } from '../kernel/virtual.ts';
import { type RegistryName, RegistryServer } from './registry-server.ts';

export interface BackendWorldOptions {
  readonly registry: RegistryName;
  readonly netConf: object;
  /** Where the third host is; `near`: on the Ethernet of the others. */
  readonly third: 'near' | 'behind a router';
}

export interface PodAddresses {
  readonly netns: string;
  readonly addresses: readonly string[];
}

export const HOSTS = ['n1', 'n2', 'n3'] as const;
export type Host = (typeof HOSTS)[number];

const STORE = '192.168.60.1';

export class BackendWorld implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-backend-'));
  readonly pods = new Map<string, PodAddresses>();
  readonly options: BackendWorldOptions;
  readonly registry: RegistryServer;
  private readonly namespaces = new Set<string>();
  private readonly processes = new Map<string, ChildProcess>();
  private attachments = 0;

  private constructor(options: BackendWorldOptions) {
    this.options = options;
    this.registry = new RegistryServer(options.registry, this.folder, this.file('router'), STORE);
  }

  static async open(options: BackendWorldOptions): Promise<BackendWorld> {
    const world = new BackendWorld(options);
    try {
      await world.build();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.processes.keys()].map((name) => this.stop(name, 'SIGKILL')));
    for (const host of HOSTS) {
      await this.endTunnel(host);
      await this.endTunnel(host, 'second');
    }
    for (const path of this.namespaces) removeNamespace(path);
    rmSync(this.folder, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  sh(member: string, commandLine: string): string {
    return inNetns(this.file(member), 'sh', '-ec', commandLine);
  }

  async startStore(): Promise<void> {
    this.spawn('store', 'router', ...this.registry.command());
    await until(this.registry.name, () => this.registry.isAnswering());
  }

  /** Starts the agent of a host, or that of a second network on it. */
  startAgent(host: Host, network?: string): void {
    const name = network === undefined ? host : `${host}-${network}`;
    const which = network === undefined ? [] : ['--network', network];
    this.spawn(
      name,
      host,
      ...([process.execPath, PROGRAM, 'agent', '--node-name', host] as const),
      ...['--root-dir', this.file(`root-${host}`), ...this.registry.agentFlags(network), ...which],
    );
  }

  /** Ends an agent or the store, and waits until it is gone. */
  async stop(name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.processes.get(name);
    this.processes.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  isRunning(name: string): boolean {
    const child = this.processes.get(name);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  statusWhere(
    host: Host,
    what: string,
    holds: (status: AgentStatus) => boolean,
    network?: string,
  ): Promise<AgentStatus> {
    let last: AgentStatus | undefined;
    return until(`${host}: ${what}`, async () => {
      last = await askStatus(agentSocket(this.file(`root-${host}`), 'agent', network)).catch(() => undefined);
      return last !== undefined && holds(last) && last;
    }).catch((error: unknown) => {
      throw new Error(
        `${String(error)}; last ${JSON.stringify(last)}; log ${this.log(network === undefined ? host : `${host}-${network}`).slice(-2000)}`,
      );
    });
  }

  ready(host: Host): Promise<AgentStatus> {
    return this.statusWhere(host, 'ready', ({ ready, store }) => ready && store === 'connected');
  }

  log(name: string): string {
    return readFileSync(this.file(`${name}.log`), 'utf8');
  }

  /** A pod of a host, attached by the plugin on disk. */
  async attach(host: Host): Promise<PodAddresses> {
    const name = `pod${++this.attachments}-${host}`;
    const netns = this.addNamespace(name);
    const root = this.file(`root-${host}`);
    const child = spawn('nsenter', [`--net=${this.file(host)}`, join(this.file('bin'), 'poplin')], {
      env: {
        PATH: '/usr/bin',
        POPLIN_CNI_SOCKET: agentSocket(root, 'cni'),
        POPLIN_CNI_PENDING_DIR: join(root, 'var/lib/poplin/cni/pending'),
        CNI_COMMAND: 'ADD',
        CNI_CONTAINERID: name,
        CNI_NETNS: netns,
        CNI_IFNAME: 'eth0',
        CNI_PATH: this.file('bin'),
      },
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stdin.end('{"cniVersion": "1.0.0", "name": "pods", "type": "poplin"}');
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(`ADD on ${host}: ${out}`);
    const { ips } = JSON.parse(out) as { ips: { address: string }[] };
    const pod = { netns: name, addresses: ips.map(({ address }) => address.replace(/\/.*/, '')) };
    this.pods.set(host, pod);
    return pod;
  }

  /** The host is another machine of the same name, address and disk: its memory and what is below /run are gone. */
  async reboot(host: Host): Promise<void> {
    await this.stop(host, 'SIGKILL');
    await this.endTunnel(host);
    const pod = this.pods.get(host);
    for (const name of pod === undefined ? [host] : [host, pod.netns]) this.removeNamespace(name);
    this.pods.delete(host);
    rmSync(join(this.file(`root-${host}`), 'run'), { recursive: true, force: true });
    await until('the old links are gone', () => !this.sh('router', 'ip -o link').includes(` ${host}@`));
    this.addHost(host);
    this.startAgent(host);
  }

  /** Takes a host's leases away, as an administrator would. */
  removeLeases(host: Host): void {
    this.registry.removeLeases(host, addressesOf(host, this.options.third));
  }

  /** From now on a host's subnets are those of a node that is not there. */
  giveLeasesAway(host: Host): void {
    this.registry.giveLeasesAway(host, addressesOf(host, this.options.third));
  }

  private async build(): Promise<void> {
    mkdirSync(this.file('bin'));
    symlinkSync(join(dirname(PROGRAM), 'poplin-cni'), join(this.file('bin'), 'poplin'));
    this.addNamespace('router');
    this.sh(
      'router',
      `ip link set lo up
      sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
      ${[['a', 60] as const, ['b', 61] as const]
        .map(
          ([
            lan,
            number,
          ]) => `ip link add lan-${lan} address 02:60:00:00:01:${number} type bridge; ip link set lan-${lan} up
        ip address add 192.168.${number}.1/24 dev lan-${lan}; ip address add fd${number}::1/64 dev lan-${lan} nodad`,
        )
        .join('\n')}`,
    );
    await this.registry.writeSecrets();
    await this.startStore();
    this.registry.configure(this.options.netConf);
    for (const host of HOSTS) this.addHost(host);
  }

  private addHost(host: Host): void {
    this.addNamespace(host);
    const [address4, address6] = addressesOf(host, this.options.third);
    const isFar = host === 'n3' && this.options.third !== 'near';
    const [lan, number] = isFar ? ['lan-b', 61] : ['lan-a', 60];
    this.sh(
      'router',
      `ip link add ${host} type veth peer name eth0 netns ${this.file(host)}
      ip link set ${host} master ${lan} up`,
    );
    this.sh(
      host,
      `ip link set lo up
      # A machine that is booted anew has the card it had.
      ip link set eth0 address 02:60:00:00:00:0${1 + HOSTS.indexOf(host)} up
      ip address add ${address4}/24 dev eth0; ip address add ${address6}/64 dev eth0 nodad
      ip route add default via 192.168.${number}.1; ip -6 route add default via fd${number}::1`,
    );
  }

  private async endTunnel(host: Host, network?: string): Promise<void> {
    const socket = agentSocket(this.file(`root-${host}`), 'tunnel', network);
    if (existsSync(socket)) await endTunnel(socket);
  }

  /** A namespace that is gone with the world; one of that name is there no more. */
  addNamespace(name: string): string {
    const path = this.file(name);
    this.removeNamespace(name);
    createNamespace(path).close();
    this.namespaces.add(path);
    return path;
  }

  removeNamespace(name: string): void {
    if (this.namespaces.delete(this.file(name))) removeNamespace(this.file(name));
  }

  private spawn(name: string, netns: string, program: string, ...args: string[]): void {
    const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
    const log = openSync(this.file(`${name}.log`), 'a');
    const child = spawn('nsenter', [`--net=${this.file(netns)}`, program, ...args], {
      env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.processes.set(name, child);
    child.once('exit', (_code, signal) => {
      const isWanted = this.processes.get(name) === child;
      if (isWanted && IS_VIRTUAL && isBreakOfV8(signal)) this.spawn(name, netns, program, ...args);
    });
  }
}

/** V8 breaks now and then on an emulated processor, whatever it runs (docs/testing.md): a supervisor would start the program again. */
function isBreakOfV8(signal: NodeJS.Signals | null): boolean {
  return signal === 'SIGILL' || signal === 'SIGTRAP';
}

/** The underlay's addresses of a host. */
function addressesOf(host: Host, third: BackendWorldOptions['third']): readonly [string, string] {
  const number = 11 + HOSTS.indexOf(host);
  const lan = host === 'n3' && third !== 'near' ? 61 : 60;
  return [`192.168.${lan}.${number}`, `fd${lan}::${number}`];
}
