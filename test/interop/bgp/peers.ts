/** BGP speakers that nobody here wrote, each in a namespace: BIRD, FRR, GoBGP and ExaBGP, started, asked and ended. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import type { BgpLan, LanNode } from './lan.ts';

const WAIT = { timeout: 20_000, interval: 50 };
/** Whole tables. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const FRR = '/usr/lib/frr';

/** Processes of one speaker, its folder, and what they print. */
class Speaker implements AsyncDisposable {
  readonly node: LanNode;
  readonly folder: string;
  #processes: ChildProcess[] = [];
  #output = '';

  constructor(lan: BgpLan, node: LanNode) {
    this.node = node;
    this.folder = join(lan.folder, `${node.name}.speaker`);
    mkdirSync(this.folder, { recursive: true });
    chmodSync(this.folder, 0o755);
  }

  /** What all its processes have printed. */
  get output(): string {
    return this.#output;
  }

  protected spawn(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): ChildProcess {
    const child = spawn('nsenter', [`--net=${this.node.namespace.path}`, command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-100_000);
      });
    this.#processes.push(child);
    return child;
  }

  protected run(command: string, args: readonly string[]): string {
    return execFileSync('nsenter', [`--net=${this.node.namespace.path}`, command, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: MAX_OUTPUT_BYTES,
    });
  }

  /** What a command prints that takes its time: sessions of this process go on meanwhile. */
  protected async read(command: string, ...args: readonly string[]): Promise<string> {
    const all = [`--net=${this.node.namespace.path}`, command, ...args];
    const { stdout } = await promisify(execFile)('nsenter', all, { maxBuffer: MAX_OUTPUT_BYTES });
    return stdout;
  }

  protected path(name: string): string {
    return join(this.folder, name);
  }

  protected write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  /** Waits until `isReady` neither throws nor is false; says what was printed if that takes too long. */
  protected async until(isReady: () => boolean): Promise<void> {
    await vi.waitFor(() => {
      if (this.#processes.some(({ exitCode }) => exitCode !== null && exitCode !== 0))
        throw new Error(`ended: ${this.#output}`);
      if (!isReady()) throw new Error(`not ready: ${this.#output}`);
    }, WAIT);
  }

  protected signal(signal: NodeJS.Signals): void {
    for (const child of this.#processes) child.kill(signal);
  }

  /** Ends it with a signal and waits until it is gone; SIGKILL leaves it no time for a last word. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const processes = this.#processes.toReversed();
    this.#processes = [];
    for (const child of processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
      await gone;
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** BIRD 2. The configuration is a whole bird.conf, but for `log`. */
export class Bird extends Speaker {
  static async start(lan: BgpLan, name: string, config: string, ...flags: string[]): Promise<Bird> {
    const bird = new Bird(lan, lan.node(name));
    await bird.start(config, ...flags);
    return bird;
  }

  /** Also again, after end(); `-R` begins with a graceful restart. */
  async start(config: string, ...flags: string[]): Promise<void> {
    const file = this.#configure(config);
    this.spawn('bird', ['-f', '-c', file, '-s', this.path('ctl'), '-P', this.path('pid'), ...flags]);
    await this.until(() => this.ctl('show status').includes('Daemon is up and running'));
  }

  /** Sessions whose part has changed begin anew. */
  reconfigure(config: string): void {
    this.#configure(config);
    this.ctl('configure');
  }

  #configure(config: string): string {
    const head = `log "${this.path('log')}" all;\ndebug protocols { states, events };\n`;
    return this.write('bird.conf', head + config);
  }

  /** What birdc prints. */
  ctl(command: string): string {
    return this.run('birdc', ['-s', this.path('ctl'), ...command.split(' ')]);
  }

  /** Routes of a family with all attributes, as birdc prints them. */
  table(family: 4 | 6): Promise<string> {
    const command = `show route all table master${family}`;
    return this.read('birdc', '-s', this.path('ctl'), ...command.split(' '));
  }

  get log(): string {
    return existsSync(this.path('log')) ? readFileSync(this.path('log'), 'utf8') : '';
  }
}

interface FrrParts {
  /** Listens at all addresses, link-local ones among them. */
  readonly listensToAll?: boolean;
  readonly bfd?: boolean;
  readonly bmp?: boolean;
}

/** FRR: zebra, bgpd and, if asked for, bfdd and what speaks BMP. The configuration is what vtysh reads. */
export class Frr extends Speaker {
  #bgpd: ChildProcess | undefined;
  #bgpdFlags: readonly string[] = [];

  static async start(lan: BgpLan, name: string, config: string, parts: FrrParts = {}): Promise<Frr> {
    const frr = new Frr(lan, lan.node(name));
    await frr.start(config, parts);
    return frr;
  }

  async start(
    config: string,
    { bfd = false, bmp = false, listensToAll = false }: FrrParts = {},
  ): Promise<void> {
    const run = this.path('run');
    // What one that was killed has left would be taken for the new one's.
    rmSync(run, { recursive: true, force: true });
    mkdirSync(run, { recursive: true });
    execFileSync('chown', ['-R', 'frr:frr', this.folder]);
    this.#daemon('zebra');
    await this.until(() => existsSync(join(run, 'zserv.api')) && existsSync(join(run, 'zebra.vty')));
    if (bfd) {
      this.#daemon('bfdd', '--bfdctl', join(run, 'bfdd.sock'));
      await this.until(() => existsSync(join(run, 'bfdd.vty')));
    }
    const { ipv4, ipv6 } = this.node;
    this.#bgpdFlags = [...(bmp ? ['-M', 'bmp'] : []), ...(listensToAll ? [] : ['-l', ipv4, '-l', ipv6])];
    await this.startBgpd(config);
  }

  /** Also again, after killBgpd(). */
  async startBgpd(config: string): Promise<void> {
    this.#bgpd = this.#daemon('bgpd', '-p', '179', ...this.#bgpdFlags);
    await this.until(() => existsSync(join(this.path('run'), 'bgpd.vty')));
    this.configure(config);
  }

  /** Adds to the configuration that is there. */
  configure(config: string): void {
    const file = this.write('frr.conf', config);
    this.run('vtysh', ['--vty_socket', this.path('run'), '-f', file]);
  }

  /** bgpd dies without a word; zebra and what it has put into the kernel stay. */
  async killBgpd(): Promise<void> {
    const bgpd = this.#bgpd;
    if (bgpd === undefined) return;
    const gone = once(bgpd, 'exit');
    bgpd.kill('SIGKILL');
    await gone;
    rmSync(join(this.path('run'), 'bgpd.vty'), { force: true });
  }

  #daemon(program: string, ...args: readonly string[]): ChildProcess {
    const run = this.path('run');
    const files = ['-z', join(run, 'zserv.api'), '-i', join(run, `${program}.pid`), '--vty_socket', run];
    return this.spawn(`${FRR}/${program}`, [...files, '-P', '0', '--log', 'stdout', ...args]);
  }

  /** Routes of a family with all attributes, as JSON. */
  table(family: 4 | 6): Promise<string> {
    const command = `show bgp ipv${family} unicast json detail`;
    return this.read('vtysh', '--vty_socket', this.path('run'), '-c', command);
  }

  /** What vtysh prints. */
  vtysh(...commands: readonly string[]): string {
    return this.run('vtysh', ['--vty_socket', this.path('run'), ...commands.flatMap((each) => ['-c', each])]);
  }
}

/** GoBGP. The configuration is TOML. */
export class Gobgp extends Speaker {
  static async start(lan: BgpLan, name: string, config: string): Promise<Gobgp> {
    const gobgp = new Gobgp(lan, lan.node(name));
    await gobgp.start(config);
    return gobgp;
  }

  /** Also again, after end(); `--graceful-restart` begins with one. */
  async start(config: string, ...flags: readonly string[]): Promise<void> {
    const file = this.write('gobgpd.toml', config);
    const api = ['--api-hosts', '127.0.0.1:50051', '--pprof-disable'];
    this.spawn('gobgpd', ['-t', 'toml', '-f', file, ...api, ...flags]);
    await this.until(() => this.gobgp('global').includes('Router-ID'));
  }

  /** Routes of a family, one a line. */
  table(family: 4 | 6): Promise<string> {
    return this.read('gobgp', '-p', '50051', 'global', 'rib', '-a', `ipv${family}`);
  }

  /** What gobgp prints. */
  gobgp(...args: readonly string[]): string {
    return this.run('gobgp', ['-p', '50051', ...args]);
  }
}

/** ExaBGP. The configuration is a whole one; a process `watch` is added, to which a neighbor's `api` may send. */
export class Exabgp extends Speaker {
  static async start(lan: BgpLan, name: string, config: string): Promise<Exabgp> {
    const exabgp = new Exabgp(lan, lan.node(name));
    await exabgp.start(config);
    return exabgp;
  }

  async start(config: string): Promise<void> {
    // Its output stays open: ExaBGP takes a closed one for its death.
    const script = this.write(
      'watch.sh',
      `#!/bin/sh\ntail -f ${this.path('commands')} & tail=$!\ncat >> ${this.path('heard')}\nkill $tail\n`,
    );
    chmodSync(script, 0o755);
    writeFileSync(this.path('heard'), '');
    writeFileSync(this.path('commands'), '');
    const file = this.#configure(config);
    const env = {
      ...process.env,
      'exabgp.daemon.user': 'root',
      'exabgp.api.cli': 'false',
      'exabgp.tcp.bind': `${this.node.ipv4} ${this.node.ipv6}`,
      'exabgp.tcp.port': '179',
      'exabgp.log.all': 'true',
    };
    this.spawn('exabgp', [file], env);
    await this.until(() => this.output.includes('loaded new configuration successfully'));
  }

  /** Routes of another configuration are told, and those that are not in it withdrawn. */
  reload(config: string): void {
    this.#configure(config);
    this.signal('SIGUSR1');
  }

  #configure(config: string): string {
    const head = `process watch { run ${this.path('watch.sh')}; encoder json; }\n`;
    return this.write('exabgp.conf', head + config);
  }

  /** Has its process say something to it. */
  command(line: string): void {
    appendFileSync(this.path('commands'), `${line}\n`);
  }

  /** What its process was told, a JSON object a line. */
  get heard(): string {
    return readFileSync(this.path('heard'), 'utf8');
  }
}
