/** Debian's etcd on loopback, in a scratch folder: started, killed, started again, asked by etcdctl. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface EtcdServerOptions {
  /** Serves TLS, and asks clients for certificates of this authority. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  /** More of its flags. */
  readonly args?: readonly string[];
}

export class EtcdServer implements AsyncDisposable {
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'poplin-etcd-'));
  readonly #peerUrl: string;
  readonly #options: EtcdServerOptions;
  #process: ChildProcess | undefined;
  #output = '';

  private constructor(port: number, peerPort: number, options: EtcdServerOptions) {
    this.url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    this.#peerUrl = `http://127.0.0.1:${peerPort}`;
    this.#options = options;
  }

  static async start(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const server = new EtcdServer(await freePort(), await freePort(), options);
    await server.start();
    return server;
  }

  /** Resolves when it serves; rejects with what it printed. */
  async start(): Promise<void> {
    const { tls, args = [] } = this.#options;
    const flags = [
      ['--data-dir', join(this.#folder, 'data')],
      ['--listen-client-urls', this.url],
      ['--advertise-client-urls', this.url],
      ['--listen-peer-urls', this.#peerUrl],
      ['--initial-advertise-peer-urls', this.#peerUrl],
      ['--initial-cluster', `default=${this.#peerUrl}`],
      // one member elects itself at once
      ['--heartbeat-interval', '10', '--election-timeout', '100'],
      tls ? ['--cert-file', tls.cert, '--key-file', tls.key, '--trusted-ca-file', tls.ca] : [],
      tls ? ['--client-cert-auth'] : [],
      args,
    ];
    const child = spawn('etcd', flags.flat(), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.#output = '';
    const ready = Promise.withResolvers<void>();
    const read = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-20_000);
      if (/serving (insecure )?client requests on|serving client requests/.test(this.#output))
        ready.resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('error', ready.reject);
    child.once('exit', () => ready.reject(new Error(`etcd ended: ${this.#output}`)));
    await ready.promise;
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Stops it in its tracks; connections stay. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name);
  }

  /** What etcdctl prints. */
  async ctl(...args: string[]): Promise<string> {
    const { tls } = this.#options;
    const secrets = tls ? ['--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key] : [];
    const env = { ...process.env, ETCDCTL_API: '3' };
    const { stdout } = await run('etcdctl', ['--endpoints', this.url, ...secrets, ...args], { env });
    return stdout;
  }

  /** Forgets all history. */
  async compact(): Promise<void> {
    const status = JSON.parse(await this.ctl('get', 'nothing', '-w', 'json')) as {
      header: { revision: number };
    };
    await this.ctl('compact', String(status.header.revision));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A port nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
