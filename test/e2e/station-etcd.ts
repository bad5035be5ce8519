/** Debian's etcd on the Ethernet of a station's hosts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Station } from './agent-station.ts';
import { inNetns, until } from './agent-world.ts';

export class Etcd implements AsyncDisposable {
  static readonly URL = 'http://192.168.60.1:2379';
  private readonly station: Station;
  private readonly child: ChildProcess;

  private constructor(station: Station) {
    this.station = station;
    const peer = 'http://127.0.0.1:2380';
    this.child = spawn(
      'nsenter',
      [
        ...[`--net=${station.file('ethernet')}`, 'etcd', '--data-dir', station.file('etcd')],
        ...['--listen-client-urls', Etcd.URL, '--advertise-client-urls', Etcd.URL],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--initial-cluster', `default=${peer}`],
      ],
      { stdio: 'ignore' },
    );
  }

  static async start(station: Station): Promise<Etcd> {
    const etcd = new Etcd(station);
    await until('etcd', () => {
      try {
        return etcd.ctl('endpoint', 'health') !== undefined;
      } catch {
        return false;
      }
    });
    return etcd;
  }

  ctl(...args: readonly string[]): string {
    const command = ['ETCDCTL_API=3', 'etcdctl', `--endpoints=${Etcd.URL}`, ...args];
    return inNetns(this.station.file('ethernet'), 'env', ...command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}
