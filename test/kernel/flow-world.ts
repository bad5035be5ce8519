/**
 * A node between a pod of its own and a host far away, each a namespace, in both families, and flows between them that go on until told
 * otherwise. What is sent to the service's address goes to the pod.
 *
 *     pod ──── pod0 node far0 ──── far
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { vi } from 'vitest';
import type { IpFamily } from '#base/ip/index.ts';
import { inNetns, pings } from './cni-world.ts';
import { NamespaceFolder } from './namespace-folder.ts';

type Each = Readonly<Record<IpFamily, string>>;
export const FLOW_POD: Each = { 4: '10.51.1.2', 6: 'fd51:1::2' };
export const FLOW_FAR: Each = { 4: '10.51.2.2', 6: 'fd51:2::2' };
/** Port 80 there is port 8080 of the pod. */
export const FLOW_SERVICE: Each = { 4: '10.51.9.9', 6: 'fd51:9::9' };
export const FAMILIES = [4, 6] as const;

/** Answers whatever is sent to a port, over TCP and UDP, until it is killed. */
const SERVER = `
import selectors, socket, sys
port = int(sys.argv[1])
s = selectors.DefaultSelector()
def listen(kind):
  e = socket.socket(socket.AF_INET6, kind)
  e.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  e.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
  e.bind(('::', port))
  return e
t, u = listen(socket.SOCK_STREAM), listen(socket.SOCK_DGRAM)
t.listen(16)
for e in (t, u): s.register(e, selectors.EVENT_READ)
print('ready', flush=True)
while True:
  for key, _ in s.select():
    e = key.fileobj
    if e is t: s.register(t.accept()[0], selectors.EVENT_READ)
    elif e is u:
      data, peer = u.recvfrom(999)
      u.sendto(data, peer)
    else:
      try: data = e.recv(9999)
      except OSError: data = b''
      if data: e.send(data)
      else: s.unregister(e); e.close()
`;

/** Sends every 30 ms and prints a line for each answer. */
const CLIENT = `
import selectors, socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
e = socket.socket(family, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
e.connect((host, port))
if kind == 'tcp': e.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
e.setblocking(False)
s = selectors.DefaultSelector()
s.register(e, selectors.EVENT_READ)
while True:
  try: e.send(b'x')
  except (BlockingIOError, ConnectionRefusedError): pass
  if s.select(0.03):
    try: data = e.recv(9999)
    except (BlockingIOError, ConnectionRefusedError): continue
    if not data: break
    print('answer', flush=True)
    s.select(0) or __import__('time').sleep(0.03)
`;

export type Exchange = 'tcp' | 'udp' | 'ping';

/** A flow that goes on: of TCP one connection, of UDP one port, of ping one sequence. */
export class Talk implements AsyncDisposable {
  readonly #child: ChildProcess;
  answers = 0;
  #lastAt = 0;

  constructor(netns: string, kind: Exchange, address: string, port: number) {
    const words =
      kind === 'ping'
        ? ['ping', '-n', '-i', '0.05', address]
        : ['python3', '-c', CLIENT, kind, address, String(port)];
    this.#child = spawn('nsenter', [`--net=${netns}`, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      if (line !== 'answer' && !line.includes('bytes from')) return;
      this.answers++;
      this.#lastAt = performance.now();
    });
  }

  get silentMs(): number {
    return performance.now() - this.#lastAt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
  }
}

/** Sends and ends; of TCP a whole connection. */
const SENDER = `
import socket, sys
kind, host, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
e = socket.socket(family, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
e.settimeout(1)
try:
  e.connect((host, port))
  for _ in range(count): e.send(b'hello')
  if kind == 'tcp': e.recv(99)
except OSError: pass
`;

/** One packet, or one connection, or one question; whether it is answered or not. */
export function send(netns: string, kind: Exchange, address: string, port: number, count = 1): void {
  if (kind === 'ping') pings(netns, address);
  else inNetns(netns, 'python3', '-c', SENDER, kind, address, String(port), String(count));
}

export class FlowWorld implements AsyncDisposable {
  readonly #folder = new NamespaceFolder('flows');
  readonly namespace = this.#folder.make('node');
  readonly node = this.namespace.path;
  readonly pod = this.#folder.make('pod').path;
  readonly far = this.#folder.make('far').path;
  readonly #children: ChildProcess[] = [];

  private constructor() {}

  static async open(): Promise<FlowWorld> {
    const world = new FlowWorld();
    try {
      world.#lay();
      // Neighbours are asked for once a second: a test that comes first would wait for it.
      for (const family of FAMILIES)
        await vi.waitUntil(() => pings(world.far, FLOW_POD[family]), { timeout: 10_000, interval: 20 });
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  sh(netns: string, commandLine: string): string {
    return inNetns(netns, 'sh', '-ec', commandLine);
  }

  /** Loads rules into the node. */
  nft(text: string): void {
    this.sh(this.node, `nft -f - <<'END'\n${text}\nEND`);
  }

  /** Answers on a port of a namespace, until the world ends. */
  async serve(netns: string, port: number): Promise<void> {
    const child = spawn('nsenter', [`--net=${netns}`, 'python3', '-c', SERVER, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    if (child.exitCode !== null) throw new Error(`no server on port ${port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map(end));
    this.#folder[Symbol.dispose]();
  }

  #lay(): void {
    for (const netns of [this.node, this.pod, this.far])
      this.sh(netns, 'sysctl -qw net.ipv6.conf.default.accept_dad=0; ip link set lo up');
    const link = (name: string, netns: string, net: number) =>
      `ip link add ${name} type veth peer name eth0 netns ${netns}
       ip address add 10.51.${net}.1/24 dev ${name}; ip address add fd51:${net}::1/64 dev ${name} nodad
       ip link set ${name} up`;
    this.sh(
      this.node,
      `sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
       ${link('pod0', this.pod, 1)}; ${link('far0', this.far, 2)}`,
    );
    for (const [netns, net] of [
      [this.pod, 1],
      [this.far, 2],
    ] as const)
      this.sh(
        netns,
        `ip address add 10.51.${net}.2/24 dev eth0; ip address add fd51:${net}::2/64 dev eth0 nodad
         ip link set eth0 up; ip route add default via 10.51.${net}.1; ip route add default via fd51:${net}::1`,
      );
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
