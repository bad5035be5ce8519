/**
 * A node with a pod, another node behind an overlay of its own link, and a host outside, each a namespace, in both families; on the node
 * a kernel loop keeps what is wanted.
 *
 *     pod ──── pod0 node over0 ──── other (a pod's address, and its own)
 *                    up0 ──── far
 */
import { pino } from 'pino';
import { vi } from 'vitest';
import { KernelLoop } from '#app/agent/index.ts';
import type { IpFamily } from '#base/ip/index.ts';
import { type KernelObject, OVERLAY, POLICY } from '#core/kernel/index.ts';
import type { PodNetwork } from '#core/masquerade/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { inNetns, pings } from './cni-world.ts';
import { NamespaceFolder } from './namespace-folder.ts';

type Each = Readonly<Record<IpFamily, string>>;
export const POD: Each = { 4: '10.244.1.2', 6: 'fd44:0:0:1::2' };
/** The node's own address towards its pods. */
export const GATEWAY: Each = { 4: '10.244.1.1', 6: 'fd44:0:0:1::1' };
export const NODE: Each = { 4: '192.168.70.1', 6: 'fd70::1' };
/** The node's end of the overlay. */
export const TUNNEL: Each = { 4: '172.20.0.1', 6: 'fd20::1' };
export const FAR: Each = { 4: '192.168.70.9', 6: 'fd70::9' };
export const OTHER_POD: Each = { 4: '10.244.2.2', 6: 'fd44:0:0:2::2' };
export const OTHER_NODE: Each = { 4: '198.51.100.2', 6: 'fd99::2' };
export const NETWORKS: readonly PodNetwork[] = [
  { family: 4, network: '10.244.0.0/16', subnet: '10.244.1.0/24' },
  { family: 6, network: 'fd44::/48', subnet: 'fd44:0:0:1::/64' },
];

export class NetworkWorld implements AsyncDisposable {
  private readonly folder = new NamespaceFolder('network');
  private readonly namespace = this.folder.make('node');
  readonly node = this.namespace.path;
  readonly pod = this.folder.make('pod').path;
  readonly far = this.folder.make('far').path;
  readonly other = this.folder.make('other').path;
  private readonly kernel: RealKernel;
  readonly loop: KernelLoop;

  private constructor() {
    this.lay();
    this.kernel = RealKernel.open(this.namespace);
    this.loop = new KernelLoop({
      kernel: this.kernel,
      owners: [OVERLAY, POLICY],
      clock: systemClock,
      random: systemRandom,
      logger: pino({ level: 'silent' }),
    });
    this.loop.start();
  }

  /** Resolves when neighbours reach each other: a fresh link drops what it is given for up to a second. */
  static async open(): Promise<NetworkWorld> {
    const world = new NetworkWorld();
    for (const [netns, gateway] of [
      [world.pod, GATEWAY],
      [world.far, NODE],
      [world.other, TUNNEL],
    ] as const) {
      for (const family of [4, 6] as const)
        await vi.waitUntil(() => pings(netns, gateway[family]), { timeout: 10_000, interval: 20 });
    }
    return world;
  }

  /** Wants exactly this; resolves when it is there. */
  async want(objects: readonly KernelObject[]): Promise<void> {
    this.loop.want('network', objects);
    await this.loop.inPlace('network');
  }

  sh(netns: string, commandLine: string): string {
    return inNetns(netns, 'sh', '-ec', commandLine);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loop[Symbol.asyncDispose]();
    this.kernel[Symbol.dispose]();
    this.folder[Symbol.dispose]();
  }

  private lay(): void {
    // Addresses of the kernel's own are used at once too.
    for (const netns of [this.node, this.pod, this.far, this.other])
      this.sh(netns, 'sysctl -qw net.ipv6.conf.default.accept_dad=0');
    this.sh(
      this.node,
      `ip link set lo up
       sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
       ip link add pod0 type veth peer name eth0 netns ${this.pod}
       ip link add up0 type veth peer name eth0 netns ${this.far}
       ip link add over0 type veth peer name eth0 netns ${this.other}
       ${address('pod0', GATEWAY)}; ${address('up0', NODE)}; ${address('over0', TUNNEL)}
       ip route add 10.244.2.0/24 via 172.20.0.2; ip route add fd44:0:0:2::/64 via fd20::2
       ip route add ${OTHER_NODE[4]} via 172.20.0.2; ip route add ${OTHER_NODE[6]} via fd20::2`,
    );
    const end = (addresses: Each, gateway: Each) =>
      `ip link set lo up; ${address('eth0', addresses)}
       ip route add default via ${gateway[4]}; ip route add default via ${gateway[6]}`;
    this.sh(this.pod, end(POD, GATEWAY));
    this.sh(this.far, end(FAR, NODE));
    this.sh(
      this.other,
      `${end({ 4: '172.20.0.2', 6: 'fd20::2' }, TUNNEL)}
       ip address add ${OTHER_POD[4]}/32 dev lo; ip address add ${OTHER_POD[6]}/128 dev lo
       ip address add ${OTHER_NODE[4]}/32 dev lo; ip address add ${OTHER_NODE[6]}/128 dev lo`,
    );
  }
}

function address(link: string, addresses: Each): string {
  return `ip address add ${addresses[4]}/24 dev ${link}; ip address add ${addresses[6]}/64 dev ${link} nodad; ip link set ${link} up`;
}
