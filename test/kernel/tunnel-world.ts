/**
 * Nodes on one wire, each with a pod, in namespaces of their own. A Poplin node has what an agent puts together for the backend `udp`:
 * planner, kernel loop and carrier. A plain node speaks flannel's wire format in a few lines that share nothing with it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pino } from 'pino';
import { KernelLoop } from '#app/agent/kernel-loop.ts';
import { TunnelCarrier } from '#app/agent/tunnel-carrier.ts';
import { OVERLAY } from '#core/kernel/index.ts';
import { type LocalSubnet, type RemoteSubnet, udpBackend } from '#core/overlay/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { type Namespace, writeSysctl } from '#io/namespace/index.ts';
import { endTunnel } from '#io/tunnel/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

export const PORT = 8285;
export type Family = 4 | 6;
export const FAMILIES: readonly Family[] = [4, 6];

export class TunnelWorld implements AsyncDisposable {
  readonly folder = new NamespaceFolder('tunnel');
  readonly nodes: WorldNode[] = [];
  private readonly wire = this.folder.make('wire');

  constructor(count: number) {
    inNamespace(this.wire.path, 'ip', 'link', 'add', 'wire0', 'type', 'bridge');
    inNamespace(this.wire.path, 'ip', 'link', 'set', 'wire0', 'up');
    for (let number = 1; number <= count; number++)
      this.nodes.push(new WorldNode(this.folder, this.wire, number));
  }

  node(number: number): WorldNode {
    return this.nodes[number - 1] as WorldNode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

export class WorldNode implements AsyncDisposable {
  readonly number: number;
  readonly namespace: Namespace;
  readonly pod: Namespace;
  readonly socketPath: string;
  /** What was logged, as JSON lines. */
  readonly log: string[] = [];
  agent: NodeAgent | undefined;
  private plain: ChildProcess | undefined;

  constructor(folder: NamespaceFolder, wire: Namespace, number: number) {
    this.number = number;
    this.namespace = folder.make(`node${number}`);
    this.pod = folder.make(`pod${number}`);
    this.socketPath = join(folder.path, `run${number}`, 'tunnel.sock');
    const at = (netns: Namespace, line: string) => inNamespace(netns.path, 'ip', ...line.split(' '));
    // Else IPv6 begins two seconds late.
    for (const netns of [this.namespace, this.pod])
      writeSysctl(netns, 'net/ipv6/conf/default/accept_dad', '0');
    at(wire, `link add n${number} type veth peer name eth0 netns ${this.namespace.path}`);
    at(wire, `link set n${number} master wire0 up`);
    at(this.namespace, `link add pod0 type veth peer name eth0 netns ${this.pod.path}`);
    for (const [netns, link] of [
      [this.namespace, 'lo'],
      [this.namespace, 'eth0'],
      [this.namespace, 'pod0'],
      [this.pod, 'lo'],
      [this.pod, 'eth0'],
    ] as const)
      at(netns, `link set ${link} up`);
    at(this.pod, 'link set eth0 mtu 1452');
    for (const family of FAMILIES) {
      const [nodad, bits] = family === 4 ? ['', 24] : [' nodad', 64];
      at(this.namespace, `address add ${this.publicIp(family)}/${bits} dev eth0${nodad}`);
      at(this.namespace, `address add ${this.gateway(family)}/${bits} dev pod0${nodad}`);
      at(this.pod, `address add ${this.podIp(family)}/${bits} dev eth0${nodad}`);
      at(this.pod, `-${family} route add default via ${this.gateway(family)}`);
    }
  }

  publicIp(family: Family): string {
    return family === 4 ? `192.0.2.${this.number}` : `2001:db8::${this.number}`;
  }

  podIp(family: Family): string {
    return family === 4 ? `10.50.${this.number}.2` : `fd50:0:0:${this.number}::2`;
  }

  subnet(family: Family): string {
    return family === 4 ? `10.50.${this.number}.0/24` : `fd50:0:0:${this.number}::/64`;
  }

  private gateway(family: Family): string {
    return family === 4 ? `10.50.${this.number}.1` : `fd50:0:0:${this.number}::1`;
  }

  lease(family: Family): LocalSubnet & RemoteSubnet {
    return {
      node: `node${this.number}`,
      family,
      subnet: this.subnet(family),
      publicIp: this.publicIp(family),
    };
  }

  /** An agent of this node, which knows those others; another one before is stopped first, as in a restart. */
  async start(others: readonly WorldNode[]): Promise<NodeAgent> {
    await this.agent?.[Symbol.asyncDispose]();
    this.agent = new NodeAgent(this);
    await this.agent.start(others.flatMap((other) => FAMILIES.map((family) => other.lease(family))));
    return this.agent;
  }

  /** Speaks flannel's wire format in place of an agent: devices, routes and a loop of a few lines. */
  async startPlain(others: readonly WorldNode[]): Promise<void> {
    const shell = (text: string) => inNamespace(this.namespace.path, 'sh', '-c', text);
    shell('sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
    const peers = others.flatMap((other) =>
      FAMILIES.map((family) => `${other.subnet(family)}=${other.publicIp(family)}`),
    );
    this.plain = spawn(
      'nsenter',
      [
        `--net=${this.namespace.path}`,
        'python3',
        '-c',
        PLAIN_PEER,
        String(PORT),
        this.publicIp(4),
        this.publicIp(6),
        ...peers,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(this.plain.stdout as NodeJS.ReadableStream, 'data');
    shell(
      `ip link set flannel0 mtu 1472 up; ip addr add 10.50.${this.number}.0/32 dev flannel0; ip route add 10.50.0.0/16 dev flannel0
ip link set flannel6 mtu 1452 up; ip addr add fd50:0:0:${this.number}::/128 dev flannel6 nodad; ip route add fd50::/48 dev flannel6`,
    );
  }

  /** Runs a command in the pod; the output, or undefined if it fails. */
  inPod(command: string, ...args: string[]): string | undefined {
    try {
      return inNamespace(this.pod.path, command, ...args);
    } catch {
      return undefined;
    }
  }

  /** How many of so many pings are answered. */
  pings(to: WorldNode, family: Family, count = 3): number {
    const output = this.inPod('ping', '-c', String(count), '-i', '0.05', '-W', '1', to.podIp(family)) ?? '';
    return Number(/(\d+) received/.exec(output)?.[1] ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent?.[Symbol.asyncDispose]();
    await endTunnel(this.socketPath);
    if (this.plain === undefined || this.plain.exitCode !== null) return;
    const gone = once(this.plain, 'exit');
    this.plain.kill('SIGKILL');
    await gone;
  }
}

/** What an agent does for this backend; disposal is its graceful stop. */
export class NodeAgent implements AsyncDisposable {
  readonly carrier: TunnelCarrier;
  private readonly node: WorldNode;
  private readonly kernel: RealKernel;
  private readonly loop: KernelLoop;
  private readonly backend = udpBackend(
    { type: 'udp', port: PORT },
    { link: 'eth0', mtuBytes: 1500, prefixes: ['192.0.2.0/24', '2001:db8::/64'], advertisedLinks: [] },
  );

  constructor(node: WorldNode) {
    this.node = node;
    const logger = pino({ base: null }, { write: (line: string) => node.log.push(line) });
    const common = { clock: systemClock, random: systemRandom, logger };
    this.kernel = RealKernel.open(node.namespace);
    this.loop = new KernelLoop({ ...common, kernel: this.kernel, owners: [OVERLAY] });
    this.carrier = new TunnelCarrier({
      ...common,
      namespace: node.namespace,
      socketPath: node.socketPath,
      port: PORT,
    });
  }

  async start(remotes: readonly RemoteSubnet[]): Promise<void> {
    const locals = FAMILIES.map((family) => this.node.lease(family));
    this.loop.want('overlay', this.backend.planLocal(locals));
    for (const remote of remotes) this.upsert(remote);
    this.loop.start();
    await this.loop.inPlace('overlay');
    await this.carrier.local(locals);
    for (const remote of remotes) await this.loop.inPlace(nameOf(remote));
  }

  upsert(remote: RemoteSubnet): void {
    this.carrier.upsert(nameOf(remote), remote);
    const objects = this.backend.planRemote(remote);
    this.loop.want(nameOf(remote), typeof objects === 'string' ? [] : objects);
    this.loop.trigger();
  }

  remove(remote: RemoteSubnet): void {
    this.carrier.remove(nameOf(remote));
    this.loop.want(nameOf(remote), []);
    this.loop.trigger();
  }

  async settled(remote: RemoteSubnet): Promise<void> {
    await this.loop.inPlace(nameOf(remote));
  }

  /** What the kernel refuses, or would be changed once more. */
  status(): ReturnType<KernelLoop['status']> {
    return this.loop.status();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.carrier[Symbol.asyncDispose]();
    await this.loop[Symbol.asyncDispose]();
    this.kernel[Symbol.dispose]();
    if (this.node.agent === this) this.node.agent = undefined;
  }
}

function nameOf({ node, family }: RemoteSubnet): string {
  return `${node}-${family}`;
}

/** The process that carries a node's packets, as `ss` sees the owner of its port. */
export function tunnelPid(node: WorldNode): number | undefined {
  const text = inNamespace(node.namespace.path, 'ss', '-Hulnp', `sport = :${PORT}`);
  const pid = /"poplin-tunnel",pid=(\d+)/.exec(text)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

export async function until(condition: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Measured {
  readonly mbit: number;
  readonly bytes: number;
  readonly lostPercent: number;
}

/** One iperf3 run from pod to pod over that family. */
export async function iperf(
  from: WorldNode,
  to: WorldNode,
  family: Family,
  ...args: string[]
): Promise<Measured> {
  const server = spawn('nsenter', [`--net=${to.pod.path}`, 'iperf3', '-s', '-1', '--forceflush'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'close');
  try {
    await once(server.stdout, 'data');
    const text = execFileSync(
      'nsenter',
      [`--net=${from.pod.path}`, 'iperf3', '-c', to.podIp(family), '-J', ...args],
      { encoding: 'utf8', maxBuffer: 2 ** 24, timeout: 30_000 },
    );
    const { end } = JSON.parse(text) as {
      end: Record<
        'sum' | 'sum_received',
        { bits_per_second: number; bytes: number; lost_percent?: number } | undefined
      >;
    };
    const sum = end.sum_received ?? end.sum;
    if (sum === undefined) throw new Error(`iperf3 says ${text}`);
    return { mbit: sum.bits_per_second / 1e6, bytes: sum.bytes, lostPercent: end.sum?.lost_percent ?? 0 };
  } finally {
    server.kill();
    await ended;
  }
}

/**
 * flannel's udp backend in short: one datagram is one packet, each side takes one from the TTL, a buffer has the size of the device's MTU,
 * and nobody's address is checked. Arguments: port, own IPv4 and IPv6 address, and SUBNET=NODE for each other node.
 */
const PLAIN_PEER = `
import fcntl, ipaddress, os, select, socket, struct, sys
port, own4, own6, *peers = sys.argv[1:]
routes = [(ipaddress.ip_network(n), a) for n, a in (p.split('=') for p in peers)]
def tun(name):
  fd = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
  fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', name.encode(), 0x1001))
  return fd
def udp(family, own):
  s = socket.socket(family, socket.SOCK_DGRAM); s.bind((own, int(port))); s.setblocking(False)
  return s
ways = [(4, tun('flannel0'), udp(socket.AF_INET, own4), 1472), (6, tun('flannel6'), udp(socket.AF_INET6, own6), 1452)]
def hop(version, p):
  p = bytearray(p)
  if len(p) < 20: return None
  i = 8 if version == 4 else 7
  p[i] -= 1
  if p[i] == 0: return None
  if version == 4:
    check = struct.unpack('!H', p[10:12])[0] + 0x100
    p[10:12] = struct.pack('!H', (check & 0xffff) + (check >> 16))
  return bytes(p)
print('ready', flush=True)
while True:
  ready = select.select([w[1] for w in ways] + [w[2] for w in ways], [], [])[0]
  for version, device, sock, mtu in ways:
    if device in ready:
      try: packet = os.read(device, mtu)
      except BlockingIOError: packet = b''
      target = packet[16:20] if version == 4 else packet[24:40]
      if len(target) == (4 if version == 4 else 16):
        node = next((a for n, a in routes if n.version == version and ipaddress.ip_address(target) in n), None)
        packet = hop(version, packet)
        if node and packet:
          try: sock.sendto(packet, (node, int(port)))
          except BlockingIOError: pass
    if sock in ready:
      packet = hop(version, sock.recv(mtu))
      if packet:
        try: os.write(device, packet)
        except OSError as e: print(e, file=sys.stderr)
`;
