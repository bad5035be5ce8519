/** BGP speakers that nobody here wrote, each in a namespace: BIRD, FRR, GoBGP and ExaBGP, started, asked and ended. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { BgpLan, LanNode } from './lan.ts';

const WAIT = { timeout: 20_000, interval: 50 };
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
    });
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

  get log(): string {
    return existsSync(this.path('log')) ? readFileSync(this.path('log'), 'utf8') : '';
  }
}

interface FrrParts {
  readonly bfd?: boolean;
  readonly bmp?: boolean;
}

/** FRR: zebra, bgpd and, if asked for, bfdd and what speaks BMP. The configuration is what vtysh reads. */
export class Frr extends Speaker {
  static async start(lan: BgpLan, name: string, config: string, parts: FrrParts = {}): Promise<Frr> {
    const frr = new Frr(lan, lan.node(name));
    await frr.start(config, parts);
    return frr;
  }

  async start(config: string, { bfd = false, bmp = false }: FrrParts = {}): Promise<void> {
    const run = this.path('run');
    mkdirSync(run, { recursive: true });
    execFileSync('chown', ['-R', 'frr:frr', this.folder]);
    const zebraSocket = join(run, 'zserv.api');
    const daemon = (program: string, ...args: string[]) =>
      this.spawn(`${FRR}/${program}`, [
        ...[
          '-z',
          zebraSocket,
          '-i',
          join(run, `${program}.pid`),
          '--vty_socket',
          run,
          '-P',
          '0',
          '--log',
          'stdout',
        ],
        ...args,
      ]);
    const { ipv4, ipv6 } = this.node;
    daemon('zebra');
    await this.until(() => existsSync(zebraSocket) && existsSync(join(run, 'zebra.vty')));
    if (bfd) daemon('bfdd', '--bfdctl', join(run, 'bfdd.sock'));
    daemon('bgpd', '-p', '179', '-l', ipv4, '-l', ipv6, ...(bmp ? ['-M', 'bmp'] : []));
    const daemons = bfd ? ['bfdd', 'bgpd'] : ['bgpd'];
    await this.until(() => daemons.every((each) => existsSync(join(run, `${each}.vty`))));
    const file = this.write('frr.conf', config);
    this.run('vtysh', ['--vty_socket', run, '-f', file]);
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

  async start(config: string): Promise<void> {
    const file = this.write('gobgpd.toml', config);
    this.spawn('gobgpd', ['-t', 'toml', '-f', file, '--api-hosts', '127.0.0.1:50051', '--pprof-disable']);
    await this.until(() => this.gobgp('global').includes('Router-ID'));
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
    const script = this.write('watch.sh', `#!/bin/sh\ncat >> ${this.path('heard')}\n`);
    chmodSync(script, 0o755);
    writeFileSync(this.path('heard'), '');
    const file = this.write('exabgp.conf', `process watch { run ${script}; encoder json; }\n${config}`);
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

  /** What its process was told, a JSON object a line. */
  get heard(): string {
    return readFileSync(this.path('heard'), 'utf8');
  }
}
