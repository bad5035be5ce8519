/**
 * Three nodes with a pod each, in namespaces: the first two in one network with a stranger, the third behind a router. Their kernels are
 * kept as backends plan it; all else is made by `ip`.
 */
import { execFileSync } from 'node:child_process';
import type { IpFamily } from '#base/ip/index.ts';
import { DesiredState, type KernelObject, keyOf, OVERLAY, plan } from '#core/kernel/index.ts';
import type { Backend, LocalSubnet, OwnAddresses, RemoteSubnet, Underlay } from '#core/overlay/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { run } from '../backends/tunnel-talk.ts';
import { NamespaceFolder } from '../kernel/namespace-folder.ts';

const FAMILIES: readonly IpFamily[] = [4, 6];

/** Of nodes 1 to 3. */
export const addresses = (n: number) => ({
  4: n < 3 ? `192.0.2.${n}` : '198.51.100.3',
  6: n < 3 ? `2001:db8::${n}` : '2001:db8:1::3',
});
export const subnets = (n: number) => ({ 4: `10.10.${16 * n}.0/20`, 6: `fd10:0:0:${n}::/64` });
export const pods = (n: number) => ({ 4: `10.10.${16 * n}.5`, 6: `fd10:0:0:${n}::5` });

export class TunnelNode {
  readonly number: number;
  readonly netns: string;
  readonly pod: string;
  readonly kernel: RealKernel;
  readonly underlay: Underlay;
  readonly own: OwnAddresses;
  private desired = new DesiredState();

  constructor(number: number, folder: NamespaceFolder) {
    const namespace = folder.make(`n${number}`);
    this.number = number;
    this.netns = namespace.path;
    this.pod = folder.make(`p${number}`).path;
    this.kernel = RealKernel.open(namespace);
    this.own = { ipv4: addresses(number)[4], ipv6: addresses(number)[6] };
    this.underlay = {
      link: 'under0',
      mtuBytes: 1500,
      prefixes: number < 3 ? ['192.0.2.0/24', '2001:db8::/64'] : ['198.51.100.0/24', '2001:db8:1::/64'],
      advertisedLinks: [],
    };
  }

  /** What the node has, and its peers, as its backend plans it; gives the keys of what was changed. */
  async carry(backend: Backend, families: readonly IpFamily[], peers: ReadonlyMap<number, Backend>) {
    const local = (family: IpFamily): LocalSubnet => ({
      node: `n${this.number}`,
      family,
      subnet: subnets(this.number)[family],
      publicIp: addresses(this.number)[family],
    });
    const desired = new DesiredState();
    desired.set('overlay', backend.planLocal(families.map(local)));
    for (const [number, peer] of peers) {
      for (const family of families) {
        const objects = backend.planRemote(remoteOf(number, family, peer));
        if (typeof objects === 'string') throw new Error(objects);
        desired.set(`lease ${number} ${family}`, objects);
      }
    }
    this.desired = desired;
    return this.reach();
  }

  async clear(): Promise<void> {
    this.desired = new DesiredState();
    await this.reach();
  }

  /** Everything is as wished, also after WireGuard was asked again. */
  isSettled(): boolean {
    this.kernel.refresh();
    return this.plan().length === 0;
  }

  private async reach(): Promise<string[]> {
    const ops = this.plan();
    const { failures } = await this.kernel.apply(ops);
    if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('; '));
    return ops.map((op) => `${op.verb} ${keyOf(op.object)}`);
  }

  private plan() {
    const { state } = this.desired;
    const isSysctl = (object: KernelObject) => object.kind === 'sysctl';
    this.kernel.trackSysctls(
      [...state.values()].filter(isSysctl).map((object) => keyOf(object).slice('sysctl '.length)),
    );
    const { ops, conflicts } = plan(state, this.kernel.state(), { owners: [OVERLAY] });
    if (conflicts.length > 0) throw new Error(conflicts.map(({ message }) => message).join('; '));
    return ops;
  }
}

function remoteOf(number: number, family: IpFamily, peer: Backend): RemoteSubnet {
  const backendData = peer.offer(`n${number}`, family);
  return {
    node: `n${number}`,
    family,
    subnet: subnets(number)[family],
    publicIp: addresses(number)[family],
    ...(backendData !== undefined && { backendData }),
  };
}

export class TunnelWorld implements Disposable {
  private readonly folder = new NamespaceFolder('tunnels');
  readonly nodes: readonly TunnelNode[];
  readonly stranger: string;
  private readonly router: string;

  constructor() {
    this.nodes = [1, 2, 3].map((number) => new TunnelNode(number, this.folder));
    this.stranger = this.folder.make('stranger').path;
    this.router = this.folder.make('router').path;
    this.wire();
  }

  node(number: number): TunnelNode {
    return this.nodes[number - 1] as TunnelNode;
  }

  [Symbol.dispose](): void {
    for (const { kernel } of this.nodes) kernel[Symbol.dispose]();
    this.folder[Symbol.dispose]();
  }

  private wire(): void {
    // `ip -batch` knows namespaces by names below /run/netns only: each gets lines of its own.
    ip(this.router, 'link add br0 type bridge', 'link set br0 up');
    for (const { number, netns, pod } of this.nodes) {
      this.plug(netns, number < 3, `n${number}`);
      address(
        netns,
        'under0',
        ...FAMILIES.map((family) => `${addresses(number)[family]}/${family === 4 ? 24 : 64}`),
      );
      ip(netns, `link add pod0 type veth peer name eth0 netns ${pod}`, 'link set pod0 up', 'link set lo up');
      const gateway = { 4: `10.10.${16 * number}.1`, 6: `fd10:0:0:${number}::1` };
      address(netns, 'pod0', `${gateway[4]}/20`, `${gateway[6]}/64`);
      ip(pod, 'link set eth0 up', 'link set lo up');
      address(pod, 'eth0', `${pods(number)[4]}/20`, `${pods(number)[6]}/64`);
      ip(pod, `route add default via ${gateway[4]}`, `route add default via ${gateway[6]}`);
    }
    this.plug(this.stranger, true, 'stranger');
    address(this.stranger, 'under0', '192.0.2.66/24', '2001:db8::66/64');
    address(this.router, 'br0', '192.0.2.254/24', '2001:db8::fe/64');
    address(this.router, 'n3', '198.51.100.254/24', '2001:db8:1::fe/64');
    run(this.router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    for (const { number, netns } of this.nodes) {
      const via = number < 3 ? ['192.0.2.254', '2001:db8::fe'] : ['198.51.100.254', '2001:db8:1::fe'];
      ip(netns, `route add default via ${via[0]}`, `route add default via ${via[1]}`);
    }
  }

  private plug(netns: string, isBridged: boolean, port: string): void {
    ip(netns, `link add under0 type veth peer name ${port} netns ${this.router}`, 'link set under0 up');
    ip(this.router, ...(isBridged ? [`link set ${port} master br0`] : []), `link set ${port} up`);
  }

  /** Pods have links of this MTU, bytes. */
  setPodMtu(bytes: number): void {
    for (const { netns, pod } of this.nodes) {
      ip(netns, `link set pod0 mtu ${bytes}`);
      ip(pod, `link set eth0 mtu ${bytes}`);
    }
  }
}

function address(netns: string, link: string, ...list: string[]): void {
  ip(netns, ...list.map((each) => `address add ${each} dev ${link}${each.includes(':') ? ' nodad' : ''}`));
}

/** Commands of `ip`, one a line, in a namespace. */
export function ip(netns: string, ...commands: string[]): void {
  execFileSync('nsenter', [`--net=${netns}`, 'ip', '-batch', '-'], {
    input: commands.join('\n'),
    stdio: 'pipe',
  });
}
