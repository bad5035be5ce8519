/** busybox udhcpd in a namespace of its own, on a bridge of the host that pods are attached to: a DHCP server nobody here wrote. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';
import type { CniWorld } from './cni-world.ts';

export const BRIDGE_NAME = 'lan0';

export interface DhcpServerOptions {
  readonly leaseSeconds: number;
  /** First and last address given, of 10.90.0.0/24. */
  readonly range?: readonly [string, string];
  /** More lines of udhcpd.conf. */
  readonly lines?: readonly string[];
}

export class DhcpServer implements AsyncDisposable {
  readonly netns: string;
  private readonly folder: string;
  private process: ChildProcess | undefined;
  private text = '';

  /** Makes the bridge, and the server's link at 10.90.0.1. */
  constructor(world: CniWorld) {
    this.folder = world.folder;
    this.netns = join(world.folder, 'dhcp-server');
    createNamespace(this.netns).close();
    world.sh(`
      ip link add ${BRIDGE_NAME} address 02:00:00:00:90:01 type bridge
      ip link set ${BRIDGE_NAME} up
      ip link add toserver type veth peer name lan
      ip link set toserver master ${BRIDGE_NAME} up
      ip link set lan netns ${this.netns}`);
    world.sh(
      `nsenter --net=${this.netns} sh -ec 'ip link set lo up; ip address add 10.90.0.1/24 dev lan; ip link set lan up'`,
    );
  }

  async start({
    leaseSeconds,
    range = ['10.90.0.10', '10.90.0.99'],
    lines = [],
  }: DhcpServerOptions): Promise<void> {
    const config = join(this.folder, 'udhcpd.conf');
    const leases = join(this.folder, 'udhcpd.leases');
    writeFileSync(leases, '', { flag: 'a' });
    writeFileSync(
      config,
      [
        `start ${range[0]}`,
        `end ${range[1]}`,
        'interface lan',
        `lease_file ${leases}`,
        `pidfile ${join(this.folder, 'udhcpd.pid')}`,
        'min_lease 1',
        `option lease ${leaseSeconds}`,
        'option subnet 255.255.255.0',
        'option router 10.90.0.1',
        ...lines,
        '',
      ].join('\n'),
    );
    // -a0: no ARP probe before each offer, which takes two seconds.
    const child = spawn('nsenter', [`--net=${this.netns}`, 'busybox', 'udhcpd', '-f', '-a0', '-vv', config], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    const read = (chunk: Buffer) => {
      this.text += chunk.toString();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    await this.says(/started/);
  }

  async stop(): Promise<void> {
    const child = this.process;
    if (child === undefined) return;
    this.process = undefined;
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }

  /** Resolves when the log has a text as often as asked. */
  async says(pattern: RegExp, times = 1): Promise<void> {
    const all = new RegExp(pattern, 'g');
    while ((this.text.match(all) ?? []).length < times) {
      const child = this.process;
      if (child?.stdout == null || child.stderr == null) throw new Error(`no server, it said: ${this.text}`);
      await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data'), once(child, 'exit')]);
      if (child.exitCode !== null) throw new Error(`the server ended: ${this.text}`);
    }
  }

  /** Asks for the lease file to be written. */
  writeLeases(): void {
    this.process?.kill('SIGUSR1');
  }

  /** Bytes of the lease file. */
  leaseFile(): Uint8Array {
    return readFileSync(join(this.folder, 'udhcpd.leases'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    removeNamespace(this.netns);
  }
}
