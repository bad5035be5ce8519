/** A host with files of its own (below /run and /var/lib), whose network is flannel's or Poplin's, and a pod that stays through all of it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import type { Station } from './agent-station.ts';
import { inNetns, PROGRAM, until } from './agent-world.ts';
import { addressIn } from './backend-flannel.ts';

const BIN = join(dirname(PROGRAM), '../bin');
const OWN_FILES =
  'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib && echo there && exec sleep infinity';

export class MovingHost implements AsyncDisposable {
  readonly number: number;
  readonly name: string;
  readonly pod: string;
  /** Holds the host's files while nothing runs on it. */
  private readonly init: ChildProcess;
  private daemon: ChildProcess | undefined;
  private log = '';

  private constructor(station: Station, number: number) {
    this.number = number;
    this.name = `n${number}`;
    station.addHost(this.name, 10 + number);
    this.pod = station.pod(this.name);
    const netns = `--net=${station.file(`host-${this.name}`)}`;
    this.init = spawn('nsenter', [netns, 'unshare', '--mount', 'sh', '-c', OWN_FILES], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  static async open(station: Station, number: number): Promise<MovingHost> {
    const host = new MovingHost(station, number);
    if (host.init.stdout !== null) await once(host.init.stdout, 'data');
    // Forwarding as a kubelet or Docker has it; flannel wants to know its link by a default route in each family.
    host.sh(
      'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; ip -6 route add default via fd60::1',
    );
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    const ended = once(this.init, 'exit');
    this.init.kill('SIGKILL');
    await ended;
  }

  /** What a command line prints among the host's files, where `poplin` is a command; throws if it fails. */
  sh(commandLine: string): string {
    return execFileSync('nsenter', [...this.into(), 'sh', '-c', commandLine], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${BIN}:${process.env['PATH']}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** A pod as flannel's CNI plugin and its bridge make it. */
  attachPod(): void {
    const gateways = ([4, 6] as const).map((family) => addressIn(family, this.number, 1));
    this.sh(`set -e; . /run/flannel/subnet.env
      ip link add cni0 type bridge; ip link set cni0 mtu $FLANNEL_MTU up
      ip address add $FLANNEL_SUBNET dev cni0; ip address add $FLANNEL_IPV6_SUBNET dev cni0 nodad
      ip link add veth1 mtu $FLANNEL_MTU type veth peer name eth0 mtu $FLANNEL_MTU netns ${this.pod}
      ip link set veth1 master cni0 up`);
    inNetns(
      this.pod,
      'sh',
      '-ec',
      `ip link set lo up; ip link set eth0 up
      ip address add ${addressIn(4, this.number, 5)}/24 dev eth0; ip address add ${addressIn(6, this.number, 5)}/64 dev eth0 nodad
      ip route add default via ${gateways[0]}; ip -6 route add default via ${gateways[1]}`,
    );
  }

  async startPoplin(args: readonly string[]): Promise<void> {
    this.start(process.execPath, [PROGRAM, ...args]);
    await this.until('ready', () => this.sh('poplin status') !== '');
  }

  /** Starts flannel's own, or Poplin; `stop` ends it. */
  start(program: string, args: readonly string[]): void {
    const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
    this.log = '';
    this.daemon = spawn('nsenter', [...this.into(), program, ...args], {
      env: { ...env, NODE_NAME: this.name },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.daemon.stderr?.setEncoding('utf8').on('data', (text: string) => (this.log += text));
  }

  /** Waits until the probe says true; what it throws is false. */
  async until(what: string, probe: () => boolean): Promise<void> {
    const quietly = () => {
      try {
        return probe();
      } catch {
        return false;
      }
    };
    await until(`${this.name}: ${what}`, quietly).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${this.log.slice(-2000)}`);
    });
  }

  async stop(): Promise<void> {
    const { daemon } = this;
    this.daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    // flanneld with host-gw does not always end by itself.
    const impatience = setTimeout(() => daemon.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(impatience);
  }

  private into(): string[] {
    return ['--net', '--mount', `--target=${this.init.pid}`];
  }
}
