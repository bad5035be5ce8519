/**
 * Three hosts with real agents, two of them on one Ethernet and the third behind a router, with leases in Debian's etcd or in the embedded
 * API server, and pods attached by the plugin on disk. Everything of it is gone after `await using`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { generate } from 'selfsigned';
import { type AgentStatus, agentPaths, fetchStatus } from '#app/agent/index.ts';
import { LEASE_ANNOTATIONS } from '#core/lease/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { endTunnel } from '#io/tunnel/index.ts';
import { inNetns, PROGRAM, until } from './agent-world.ts';

export type RegistryName = 'API server' | 'etcd';

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

const ETCD_PORT = 2379;
const API_PORT = 6443;
const STORE = '192.168.60.1';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/poplin-system/leases';
/** The addresses of nobody. */
const STRANGER = { 4: '192.168.60.99', 6: 'fd60::99' } as const;

interface LeaseObject {
  readonly metadata: { readonly name: string; readonly annotations: Record<string, string> };
  readonly spec: { readonly holderIdentity: string };
}

export class BackendWorld implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-backend-'));
  readonly pods = new Map<string, PodAddresses>();
  readonly options: BackendWorldOptions;
  private readonly namespaces = new Set<string>();
  private readonly processes = new Map<string, ChildProcess>();
  private readonly token = randomBytes(16).toString('hex');
  private attachments = 0;

  private constructor(options: BackendWorldOptions) {
    this.options = options;
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
    const { registry } = this.options;
    if (registry === 'etcd') {
      const url = `http://${STORE}:${ETCD_PORT}`;
      this.spawn('store', 'router', 'etcd', [
        ...['--data-dir', this.file('etcd'), '--listen-client-urls', url, '--advertise-client-urls', url],
        ...['--listen-peer-urls', `http://${STORE}:2380`],
        ...['--initial-cluster', `default=http://${STORE}:2380`],
        ...['--initial-advertise-peer-urls', `http://${STORE}:2380`],
        ...['--heartbeat-interval', '10', '--election-timeout', '100'],
      ]);
      await until('etcd', () => this.tryEtcd('endpoint', 'health') !== undefined);
    } else {
      this.spawn('store', 'router', process.execPath, [
        ...[PROGRAM, 'apiserver', '--db', this.file('store.sqlite'), '--listen', `${STORE}:${API_PORT}`],
        ...['--tls-cert', this.file('cert.pem'), '--tls-key', this.file('key.pem')],
        ...['--token-file', this.file('token.pem'), '--write-kubeconfig', this.file('kubeconfig')],
      ]);
      await until('API server', () => this.tryApi('GET', '/readyz') !== undefined);
    }
  }

  /** Starts the agent of a host, or that of a second network on it. */
  startAgent(host: Host, network?: string): void {
    const suffix = network === undefined ? '' : `-${network}`;
    const where =
      this.options.registry === 'etcd'
        ? [
            ...['--etcd-endpoints', `http://${STORE}:${ETCD_PORT}`],
            ...['--etcd-prefix', `/coreos.com/network${suffix}`],
          ]
        : [
            ...['--kubeconfig', this.file('kubeconfig')],
            ...['--net-conf', this.file(`net-conf${suffix}.json`), '--register-node'],
          ];
    const which = network === undefined ? [] : ['--network', network];
    this.spawn(`${host}${suffix}`, host, process.execPath, [
      ...[PROGRAM, 'agent', '--node-name', host, '--root-dir', this.file(`root-${host}`), ...where, ...which],
    ]);
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
      last = await fetchStatus(agentPaths(this.file(`root-${host}`), undefined, network).statusSocket).catch(
        () => undefined,
      );
      return last !== undefined && holds(last) && last;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; last ${JSON.stringify(last)}; log ${this.log(host).slice(-2000)}`);
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
    const { cniSocket, cniPending } = agentPaths(this.file(`root-${host}`));
    const child = spawn('nsenter', [`--net=${this.file(host)}`, join(this.file('bin'), 'poplin')], {
      env: {
        PATH: '/usr/bin',
        POPLIN_CNI_SOCKET: cniSocket,
        POPLIN_CNI_PENDING_DIR: cniPending,
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
    for (const name of pod === undefined ? [host] : [host, pod.netns]) {
      removeNamespace(this.file(name));
      this.namespaces.delete(this.file(name));
    }
    this.pods.delete(host);
    rmSync(join(this.file(`root-${host}`), 'run'), { recursive: true, force: true });
    await until('the old links are gone', () => !this.sh('router', 'ip -o link').includes(` ${host}@`));
    this.addHost(host);
    this.startAgent(host);
  }

  /** Takes a host's leases away, as an administrator would. */
  removeLeases(host: Host): void {
    for (const key of this.etcdKeysOf(host)) this.etcd('del', key);
    for (const { metadata } of this.leaseObjectsOf(host)) this.api('DELETE', `${LEASES}/${metadata.name}`);
  }

  /** From now on a host's subnets are those of a node that is not there. */
  giveLeasesAway(host: Host): void {
    for (const key of this.etcdKeysOf(host)) {
      const { PoplinOwner: _, ...value } = JSON.parse(this.etcd('get', '--print-value-only', key)) as Record<
        string,
        unknown
      >;
      const addresses = {
        ...('PublicIP' in value && { PublicIP: STRANGER[4] }),
        ...('PublicIPv6' in value && { PublicIPv6: STRANGER[6] }),
      };
      this.etcd('put', key, JSON.stringify({ ...value, ...addresses }));
    }
    for (const lease of this.leaseObjectsOf(host)) {
      const { annotations } = lease.metadata;
      const isIpv6 = annotations[LEASE_ANNOTATIONS.subnet]?.includes(':') === true;
      annotations[LEASE_ANNOTATIONS.ownerUid] = 'stranger-uid';
      annotations[LEASE_ANNOTATIONS.publicIp] = STRANGER[isIpv6 ? 6 : 4];
      const taken = { ...lease, spec: { ...lease.spec, holderIdentity: 'stranger' } };
      this.api('PUT', `${LEASES}/${lease.metadata.name}`, taken);
    }
  }

  private etcdKeysOf(host: Host): string[] {
    if (this.options.registry !== 'etcd') return [];
    const addresses = addressesOf(host, this.options.third);
    const keys = this.etcd('get', '--prefix', '--keys-only', '/coreos.com/network/subnets/').split('\n');
    return keys.filter((key) => {
      const value = key === '' ? '' : this.etcd('get', '--print-value-only', key);
      return addresses.some((address) => value.includes(`"${address}"`));
    });
  }

  private leaseObjectsOf(host: Host): LeaseObject[] {
    if (this.options.registry === 'etcd') return [];
    const { items } = JSON.parse(this.api('GET', LEASES)) as { items: LeaseObject[] };
    return items.filter(({ spec }) => spec.holderIdentity === host);
  }

  private async build(): Promise<void> {
    const { netConf, registry } = this.options;
    mkdirSync(this.file('bin'));
    symlinkSync(join(dirname(PROGRAM), 'poplin-cni'), join(this.file('bin'), 'poplin'));
    writeFileSync(this.file('net-conf.json'), JSON.stringify(netConf));
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
    await this.writeSecrets();
    await this.startStore();
    if (registry === 'etcd') this.etcd('put', '/coreos.com/network/config', JSON.stringify(netConf));
    for (const host of HOSTS) this.addHost(host);
  }

  /** What the API server is known by, and its clients. */
  private async writeSecrets(): Promise<void> {
    const { cert, private: key } = await generate([{ name: 'commonName', value: 'store' }], {
      keyType: 'ec',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames: [{ type: 7, ip: STORE }] },
      ],
    });
    for (const [name, text] of Object.entries({ cert, key, token: this.token }))
      writeFileSync(this.file(`${name}.pem`), text);
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
    const { tunnelSocket } = agentPaths(this.file(`root-${host}`), undefined, network);
    if (existsSync(tunnelSocket)) await endTunnel(tunnelSocket);
  }

  /** Gone with the world. */
  addNamespace(name: string): string {
    const path = this.file(name);
    createNamespace(path).close();
    this.namespaces.add(path);
    return path;
  }

  private spawn(name: string, netns: string, program: string, args: readonly string[]): void {
    const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
    const log = openSync(this.file(`${name}.log`), 'a');
    const child = spawn('nsenter', [`--net=${this.file(netns)}`, program, ...args], {
      env,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.processes.set(name, child);
  }

  /** What etcdctl prints. */
  etcd(...args: string[]): string {
    return inNetns(
      this.file('router'),
      ...['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', `http://${STORE}:${ETCD_PORT}`],
      ...args,
    );
  }

  private tryEtcd(...args: string[]): string | undefined {
    try {
      return this.etcd('--dial-timeout=1s', '--command-timeout=1s', ...args);
    } catch {
      return undefined;
    }
  }

  private api(method: string, path: string, body?: object): string {
    return inNetns(
      this.file('router'),
      ...['env', `NODE_EXTRA_CA_CERTS=${this.file('cert.pem')}`, process.execPath, '--input-type=module'],
      ...['-e', HTTP, method, `https://${STORE}:${API_PORT}${path}`, this.token],
      ...(body === undefined ? [] : [JSON.stringify(body)]),
    );
  }

  private tryApi(method: string, path: string): string | undefined {
    try {
      return this.api(method, path);
    } catch {
      return undefined;
    }
  }
}

const HTTP = `
const [method, url, token, body] = process.argv.slice(1);
const headers = { authorization: 'Bearer ' + token, 'content-type': 'application/json' };
const response = await fetch(url, { method, headers, ...(body && { body }) });
process.stdout.write(await response.text());
process.exitCode = response.ok ? 0 : 1;`;

/** The underlay's addresses of a host. */
function addressesOf(host: Host, third: BackendWorldOptions['third']): readonly [string, string] {
  const number = 11 + HOSTS.indexOf(host);
  const lan = host === 'n3' && third !== 'near' ? 61 : 60;
  return [`192.168.${lan}.${number}`, `fd${lan}::${number}`];
}
