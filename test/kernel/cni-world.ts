/** A host and its pods as namespaces of their own, with the agent's CNI service and kernel loop on the real kernel. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pino } from 'pino';
import { KernelLoop } from '#app/agent/index.ts';
import {
  AttachmentJournal,
  CniService,
  DhcpLeases,
  type HostLoop,
  type RecordedDel,
  rootedAddresses,
} from '#app/cni/index.ts';
import { CNI, OVERLAY } from '#core/kernel/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createExecPlugin, createForeignTest } from '#io/cni/exec/index.ts';
import { DiskAddressStore } from '#io/cni/host-local-store/index.ts';
import type { PluginAnswer, PluginCall } from '#io/cni/server/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { createNamespace, type Namespace, openNamespace, removeNamespace } from '#io/namespace/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { type Step, SteppedJournal, SteppedKernel, steppedAddresses, steppedPods } from './faults.ts';

/** The host's addresses, on a link that is not Poplin's. */
export const HOST = { 4: '192.168.70.1', 6: 'fd70::1' } as const;
export const RANGES = ['10.70.0.0/24', 'fd70:1::/64'] as const;

export interface Answer {
  readonly exitStatus: number;
  /** What the plugin printed; undefined if nothing. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

export class CniWorld implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'poplin-cni-kernel-'));
  readonly host: string;
  /** Called before each step of a call: see faults.ts. */
  step: Step = () => undefined;
  /** Called before the host's objects of an attachment are made. */
  beforeEnsure: (part: string) => void = () => {};
  service!: CniService;
  loop!: KernelLoop;
  dhcp!: DhcpLeases;
  /** How long an ADD waits for a DHCP server. */
  dhcpLimitMs = 10_000;
  /** Those that made or looked for rules of others. */
  readonly programsRun: string[] = [];
  /** DELs on disk that no agent has carried out. */
  recordedDels: RecordedDel[] = [];
  private kernel!: RealKernel;
  private podSteps!: Disposable;
  private namespace!: Namespace;
  private readonly pods = new Set<string>();

  constructor() {
    this.host = join(this.folder, 'host');
    createNamespace(this.host).close();
    for (const name of ['attachments', 'networks']) mkdirSync(join(this.folder, name));
    this.sh(`
      ip link set lo up
      ip link add uplink type bridge
      ip address add ${HOST[4]}/24 dev uplink
      ip address add ${HOST[6]}/64 dev uplink nodad
      ip link set uplink up
      for try in $(seq 500); do
        ip -6 route show table local | grep -q '^local ${HOST[6]} ' && break # comes a moment later
        sleep 0.01
      done`);
  }

  static async open(): Promise<CniWorld> {
    const world = new CniWorld();
    await world.start();
    return world;
  }

  /** What an agent does at its start. */
  async start(): Promise<void> {
    const logger = pino({ level: process.env['POPLIN_TEST_LOG'] ?? 'silent' }, pino.destination(2));
    this.namespace = openNamespace(this.host);
    this.kernel = RealKernel.open(this.namespace);
    const step: Step = (name) => this.step(name);
    const kernel = new SteppedKernel(this.kernel, step);
    this.podSteps = steppedPods(step);
    const loop = new KernelLoop({
      kernel,
      owners: [OVERLAY, CNI],
      clock: systemClock,
      random: systemRandom,
      logger,
    });
    const hostLoop: HostLoop = {
      ensure: (part, objects) => {
        this.beforeEnsure(part);
        return loop.ensure(part, objects);
      },
      want: (part, objects) => loop.want(part, objects),
    };
    this.loop = loop;
    this.dhcp = DhcpLeases.open({
      folder: join(this.folder, 'dhcp'),
      clock: systemClock,
      random: systemRandom,
      logger,
      acquireLimitMs: this.dhcpLimitMs,
    });
    const tool = createRuleTool(this.host);
    this.service = new CniService({
      kernel,
      namespace: this.namespace,
      defaultLink: () => this.kernel.linkTo('192.0.2.1') ?? this.kernel.linkTo('2001:db8::1'),
      loop: hostLoop,
      journal: new SteppedJournal(join(this.folder, 'attachments'), step),
      rules: {
        ...tool,
        run: (program, args) => {
          this.programsRun.push(program);
          return tool.run(program, args);
        },
      },
      ipam: {
        addresses: steppedAddresses(
          rootedAddresses(new DiskAddressStore(), join(this.folder, 'networks')),
          step,
        ),
        dhcp: this.dhcp,
        exec: { run: () => Promise.reject(new Error('no plugin of others here')) },
        readResolvConf: () => Promise.reject(new Error('no resolv.conf here')),
      },
      delegates: {
        exec: createExecPlugin({
          spawn: (command, args, options) =>
            spawn('nsenter', [`--net=${this.host}`, command, ...args], options),
        }),
        isForeign: createForeignTest(),
      },
      facts: () => ({
        node: 'n1',
        addresses: [HOST[4], HOST[6]],
        defaultRanges: [...RANGES],
        overlayMtuBytes: 1430,
        ipv6: true,
      }),
      recordedDels: () => this.recordedDels,
      logger,
    });
    await this.service.restore();
    loop.start();
  }

  /** What a crash leaves: all of it. */
  async stop(): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    this.podSteps[Symbol.dispose]();
    this.dhcp[Symbol.dispose]();
    await this.loop[Symbol.asyncDispose]();
    this.kernel[Symbol.dispose]();
    this.namespace.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const pod of this.pods) removeNamespace(pod);
    removeNamespace(this.host);
    rmSync(this.folder, { recursive: true });
  }

  /** The namespace of a pod; made if it is not there. */
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

  /** Calls a plugin for a pod, as the server does. What a DEL leaves for later is done when this returns. */
  async call(
    plugin: string,
    command: string,
    pod: string,
    config: object,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const answer = await this.answer(plugin, command, pod, config, environment);
    await this.service.settled();
    return answer;
  }

  /** The same, no later than the runtime hears of it. */
  async answer(
    plugin: string,
    command: string,
    pod: string,
    config: object,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return decode(await this.service.handle(this.request(plugin, command, pod, config, environment)));
  }

  /** Records a DEL, as the plugin on disk does when no agent answers. */
  record({ plugin, pod, config }: { plugin: string; pod: string; config: object }): void {
    const call = this.request(plugin, 'DEL', pod, config, {});
    const recorded: RecordedDel = {
      call,
      forget: () => {
        this.recordedDels = this.recordedDels.filter((each) => each !== recorded);
      },
    };
    this.recordedDels = [...this.recordedDels, recorded];
  }

  /** Runs a shell command line in the host. */
  sh(commandLine: string): string {
    return inNetns(this.host, 'sh', '-ec', commandLine);
  }

  inPod(name: string, commandLine: string): string {
    return inNetns(this.pod(name), 'sh', '-ec', commandLine);
  }

  /** Follows what happens to the addresses of a pod, from now on. */
  monitorPod(name: string): AddressMonitor {
    return new AddressMonitor(this.pod(name));
  }

  /** Addresses reserved in a network. */
  reserved(network: string): string[] {
    try {
      const names = readdirSync(join(this.folder, 'networks', network));
      return names.filter((name) => /^[0-9a-f.:]+$/.test(name)).sort();
    } catch {
      return [];
    }
  }

  /** Takes away what host-local wrote down of a network. */
  release(network: string): void {
    for (const name of this.reserved(network)) rmSync(join(this.folder, 'networks', network, name));
  }

  /** Takes away what is written down of all attachments. */
  loseRecords(): void {
    for (const name of readdirSync(join(this.folder, 'attachments')))
      rmSync(join(this.folder, 'attachments', name));
  }

  /** The parts that are recorded on disk. */
  recorded(): string[] {
    const { parts } = new AttachmentJournal(join(this.folder, 'attachments')).load();
    return parts.map(({ part }) => part).sort();
  }

  /** The objects that are recorded on disk. */
  objectsRecorded(): unknown[] {
    const { parts } = new AttachmentJournal(join(this.folder, 'attachments')).load();
    return parts.flatMap(({ objects }) => objects);
  }

  private request(
    plugin: string,
    command: string,
    pod: string,
    config: object,
    environment: Readonly<Record<string, string>>,
  ): PluginCall {
    return {
      plugin,
      environment: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: `container-${pod}`,
        CNI_NETNS: join(this.folder, `pod-${pod}`),
        CNI_IFNAME: plugin === 'loopback' ? 'lo' : 'eth0',
        CNI_PATH: '/nowhere',
        ...environment,
      },
      stdin: JSON.stringify(config),
    };
  }

  /** Keeps a copy of what is on disk now; disposing brings it back, as if nothing had been written since. */
  rememberDisk(): Disposable {
    const copy = mkdtempSync(join(tmpdir(), 'poplin-cni-disk-'));
    const folders = ['attachments', 'networks'];
    for (const name of folders) cpSync(join(this.folder, name), join(copy, name), { recursive: true });
    return {
      [Symbol.dispose]: () => {
        for (const name of folders) {
          rmSync(join(this.folder, name), { recursive: true });
          cpSync(join(copy, name), join(this.folder, name), { recursive: true });
        }
        rmSync(copy, { recursive: true });
      },
    };
  }

  /** Links, addresses, routes, neighbours and rules of the host, without what the kernel makes by itself for a router. */
  hostText(): string {
    const text = this.sh(
      'ip -o link; ip -o address; ip -4 route show table all; ip -6 route show table all; ip neigh show nud permanent; ip rule',
    );
    return text
      .replaceAll(/^\d+: /gm, '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => !/fe80:(?!:1[ /])|ff00::|^anycast /.test(line))
      .sort()
      .join('\n');
  }
}

/** `ip monitor address` in a namespace. */
class AddressMonitor {
  private readonly process: ChildProcessByStdio<null, Readable, null>;
  private text = '';

  constructor(netns: string) {
    this.process = spawn(
      'nsenter',
      [`--net=${netns}`, 'stdbuf', '-oL', 'ip', '-4', '-o', 'monitor', 'address'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    this.process.stdout.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
    });
  }

  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await once(this.process.stdout, 'data');
  }

  async end(): Promise<void> {
    this.process.kill();
    await once(this.process, 'exit');
  }
}

/** True if one echo request is answered in time. */
export function pings(netns: string, address: string, seconds = 1): boolean {
  try {
    inNetns(netns, 'ping', '-nqc1', `-W${seconds}`, address);
    return true;
  } catch {
    return false;
  }
}

export function inNetns(netns: string, command: string, ...args: string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, command, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function decode({ exitStatus, stdout }: PluginAnswer): Answer {
  return {
    exitStatus,
    json: stdout === '' ? undefined : (JSON.parse(stdout) as Readonly<Record<string, unknown>>),
  };
}
