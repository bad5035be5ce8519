/**
 * The resident memory of a real agent that knows N remote nodes: the released program in a namespace of its own, against the embedded
 * API server in another, reached over a veth pair with TLS and a token.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { agentPaths, fetchStatus } from '#app/agent/index.ts';
import { startApiServer } from '#app/apiserver/index.ts';
import type { IpFamily } from '#base/ip/index.ts';
import { OVERLAY } from '#core/kernel/index.ts';
import { LEASE_NAMESPACE, leaseToObject } from '#core/lease/index.ts';
import { RESOURCES } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore } from '#io/kube/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import { remoteSubnets, UNDERLAY_ADDRESS, UNDERLAY_ADDRESS6 } from './content.ts';

const SERVER_ADDRESS = '172.31.255.254';
const SERVER_ADDRESS6 = 'fd00:1::fffe';
const READY_MS = 60_000;
const CHANGES_PER_SECOND = 100;
const CHURN_SECONDS = 10;
/** Before that, so that what follows a change is compiled. */
const WARM_UP_SECONDS = 3;

export interface AgentMemory {
  /** VmRSS some seconds after it was ready, MiB. */
  readonly rssMb: number;
  /** VmHWM: the most it ever had. */
  readonly peakMb: number;
  readonly readyMs: number;
  /** While leases came and went. */
  readonly churn: Churn;
}

export interface Churn {
  readonly changesPerSecond: number;
  /** User and system time, percent of one core. */
  readonly cpuPercent: number;
  /** VmRSS at the end of that time, MiB. */
  readonly rssMb: number;
  /** Passes over everything in that time; one a minute is due anyhow. */
  readonly wholePasses: number;
}

export interface MemoryOptions {
  readonly nodes: number;
  readonly families: readonly IpFamily[];
  /** How long the agent is left alone before it is looked at. */
  readonly settleMs: number;
  /** The released program. */
  readonly program: string;
  /** For its files and namespaces. */
  readonly folder: string;
}

export async function measureMemory(options: MemoryOptions): Promise<AgentMemory> {
  const { nodes, families, program, folder } = options;
  const place = mkdtempSync(join(folder, 'memory-'));
  await fillStore(nodes, families, join(place, 'store'));
  const [far, near] = [join(place, 'server-ns'), join(place, 'agent-ns')];
  for (const path of [far, near]) createNamespace(path).close();
  const processes: ChildProcess[] = [];
  try {
    connect(far, near);
    const server = startServer(far, place, program);
    processes.push(server);
    await waitForLine(server);
    return await runAgent(far, near, place, options, processes);
  } finally {
    for (const child of processes) await end(child);
    for (const path of [far, near]) removeNamespace(path);
  }
}

async function fillStore(nodes: number, families: readonly IpFamily[], databasePath: string): Promise<void> {
  const server = await startApiServer({ host: '127.0.0.1', port: 0, databasePath });
  const store = createKubeStore(
    { server: server.url, source: 'bench' },
    { clock: systemClock, random: systemRandom },
  );
  const metadata = { name: LEASE_NAMESPACE };
  await store.create(RESOURCES.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
  const now = Date.now();
  const subnets = families.flatMap((family) => remoteSubnets(nodes, family));
  const leases = subnets.map(({ vtepMac, ...subnet }) =>
    leaseToObject({
      ...subnet,
      ownerUid: crypto.randomUUID(),
      backendType: 'vxlan',
      backendData: { VNI: 1, VtepMAC: vtepMac },
      acquiredAtMs: now,
      renewedAtMs: now,
      durationSec: 86_400,
      reserved: false,
    }),
  );
  const create = async () => {
    for (let lease = leases.pop(); lease !== undefined; lease = leases.pop()) {
      await store.create(RESOURCES.leases, lease, { namespace: LEASE_NAMESPACE });
    }
  };
  await Promise.all(Array.from({ length: 32 }, create));
  store.close();
  await server.close();
}

function connect(far: string, near: string): void {
  const ip = (netns: string, ...args: string[]) => execFileSync('nsenter', [`--net=${netns}`, 'ip', ...args]);
  ip(far, 'link', 'add', 'to-agent', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', near);
  for (const [netns, link, address, address6] of [
    [far, 'to-agent', SERVER_ADDRESS, SERVER_ADDRESS6],
    [near, 'eth0', UNDERLAY_ADDRESS, UNDERLAY_ADDRESS6],
  ] as const) {
    ip(netns, 'link', 'set', 'lo', 'up');
    ip(netns, 'address', 'add', `${address}/12`, 'dev', link);
    ip(netns, 'address', 'add', `${address6}/64`, 'dev', link, 'nodad');
    ip(netns, 'link', 'set', link, 'up');
  }
  ip(near, 'route', 'add', 'default', 'via', SERVER_ADDRESS);
  ip(near, '-6', 'route', 'add', 'default', 'via', SERVER_ADDRESS6);
}

function startServer(netns: string, place: string, program: string): ChildProcess {
  const file = (name: string) => join(place, name);
  const subject = ['-subj', '/CN=bench', '-addext', `subjectAltName=IP:${SERVER_ADDRESS}`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('key.pem')];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', file('cert.pem'), '-days', '2', ...subject], {
    stdio: 'ignore',
  });
  writeFileSync(file('token'), crypto.randomUUID());
  const args = [
    'apiserver',
    '--listen',
    `${SERVER_ADDRESS}:6443`,
    '--db',
    file('store'),
    '--log-level',
    'warn',
  ];
  const tls = ['--tls-cert', file('cert.pem'), '--tls-key', file('key.pem'), '--token-file', file('token')];
  const command = [process.execPath, program, ...args, ...tls, '--write-kubeconfig', file('kubeconfig')];
  return spawn('nsenter', [`--net=${netns}`, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function runAgent(
  far: string,
  netns: string,
  place: string,
  { nodes, families, program, settleMs }: MemoryOptions,
  processes: ChildProcess[],
): Promise<AgentMemory> {
  const root = join(place, 'root');
  const netConf = join(place, 'net-conf.json');
  writeFileSync(
    netConf,
    JSON.stringify({
      Network: '10.0.0.0/8',
      SubnetLen: 24,
      ...(families.includes(6) && { EnableIPv6: true, IPv6Network: 'fd00:10::/48', IPv6SubnetLen: 64 }),
      Backend: { Type: 'vxlan' },
    }),
  );
  const flags = ['--node-name', 'bench', '--register-node', '--root-dir', root, '--net-conf', netConf];
  const command = [process.execPath, program, 'agent', ...flags, '--kubeconfig', join(place, 'kubeconfig')];
  const started = performance.now();
  // nsenter becomes the agent: its pid is the agent's
  const agent = spawn('nsenter', [`--net=${netns}`, ...command], { stdio: ['ignore', 'ignore', 'ignore'] });
  processes.push(agent);
  await untilReady(agentPaths(root).statusSocket, agent);
  const readyMs = Math.round(performance.now() - started);
  for (const family of families) checkRoutes(netns, family, nodes);
  await sleep(settleMs);
  const pid = agent.pid as number;
  const memory = { rssMb: memoryMb(pid, 'VmRSS'), peakMb: memoryMb(pid, 'VmHWM'), readyMs };
  return { ...memory, churn: await measureChurn(far, place, root, pid) };
}

async function measureChurn(netns: string, place: string, root: string, pid: number): Promise<Churn> {
  const status = () => fetchStatus(agentPaths(root).statusSocket);
  await changeLeases(netns, place, WARM_UP_SECONDS);
  const [cpuBefore, before] = [cpuMs(pid), await status()];
  const { changes, ms } = await changeLeases(netns, place, CHURN_SECONDS);
  const [cpuAfter, after] = [cpuMs(pid), await status()];
  return {
    changesPerSecond: Math.round((changes * 1000) / ms),
    cpuPercent: Math.round(((cpuAfter - cpuBefore) * 1000) / ms) / 10,
    rssMb: memoryMb(pid, 'VmRSS'),
    wholePasses: after.kernel.wholePasses - before.kernel.wholePasses,
  };
}

async function changeLeases(
  netns: string,
  place: string,
  seconds: number,
): Promise<{ readonly changes: number; readonly ms: number }> {
  const script = join(import.meta.dirname, 'churn.ts');
  const args = [script, join(place, 'kubeconfig'), String(CHANGES_PER_SECOND), String(seconds)];
  const child = spawn('nsenter', [`--net=${netns}`, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the leases could not be changed: status ${String(code)}`);
  return JSON.parse(out) as { changes: number; ms: number };
}

/** A figure of /proc/PID/status, MiB. */
function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 102.4) / 10;
}

/** What all threads of a process have run, milliseconds. */
function cpuMs(pid: number): number {
  let ns = 0;
  for (const task of readdirSync(`/proc/${pid}/task`))
    ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
  return ns / 1e6;
}

function checkRoutes(netns: string, family: IpFamily, nodes: number): void {
  const link = family === 4 ? 'flannel.1' : 'flannel-v6.1';
  const command = ['ip', `-${family}`, 'route', 'show', 'dev', link, 'proto', String(OVERLAY.protocol)];
  const routes = execFileSync('nsenter', [`--net=${netns}`, ...command], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const found = routes.split('\n').filter((line) => line.includes(' via ')).length;
  if (found !== nodes) throw new Error(`the agent has IPv${family} routes to ${found} nodes, not ${nodes}`);
}

async function untilReady(socket: string, agent: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const status = await fetchStatus(socket).catch(() => undefined);
    if (status?.ready) return;
    if (agent.exitCode !== null || Date.now() > deadline) throw new Error('the agent did not become ready');
    await sleep(20);
  }
}

async function waitForLine(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the API server ended with status ${code}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}
