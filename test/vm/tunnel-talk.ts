/** What goes through tunnels in the tests, by programs in Python that share no code with what is tested. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Answers what came, to its end, with its hash and where it came from; and prints what comes by UDP. */
const SERVER = `
import hashlib, socket, sys, threading
def name(peer): return peer[0][7:] if peer[0].startswith('::ffff:') else peer[0]
def bound(kind):
  s = socket.socket(socket.AF_INET6, kind)
  s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
  s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
  s.bind(('::', 5000))
  return s
datagrams = bound(socket.SOCK_DGRAM)
def listen():
  while True:
    data, peer = datagrams.recvfrom(99)
    print(name(peer), data.decode(), flush=True)
threading.Thread(target=listen, daemon=True).start()
s = bound(socket.SOCK_STREAM)
s.listen(16)
print('ready', flush=True)
while True:
  c, peer = s.accept()
  digest = hashlib.sha256()
  while part := c.recv(65536): digest.update(part)
  c.sendall((digest.hexdigest() + ' ' + name(peer)).encode()); c.close()
`;

/** Sends 200 kB to each address in turn; prints for each what came back, in what is right: the hash is left out. */
const CLIENT = `
import hashlib, os, socket, sys
for host in sys.argv[1:]:
  try:
    s = socket.create_connection((host, 5000), 5)
    data = os.urandom(200000)
    s.sendall(data); s.shutdown(socket.SHUT_WR)
    digest, peer = s.recv(999).decode().split()
    print(host, peer if digest == hashlib.sha256(data).hexdigest() else 'damaged')
  except OSError as error:
    print(host, error)
`;

/** IP in IP as a raw socket sends it: a datagram in a packet of pods, in a packet to a node. */
const FORGER = `
import socket, struct, sys
outer, source, target, text = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4].encode()
six = ':' in outer
family = socket.AF_INET6 if six else socket.AF_INET
src, dst = socket.inet_pton(family, source), socket.inet_pton(family, target)
def checksum(data):
  data += b'\\0' * (len(data) % 2)
  n = sum(struct.unpack('!%dH' % (len(data) // 2), data))
  while n >> 16: n = (n & 0xffff) + (n >> 16)
  return ~n & 0xffff
length = 8 + len(text)
pseudo = src + dst + (struct.pack('!II', length, 17) if six else struct.pack('!HH', 17, length))
udp = struct.pack('!HHHH', 7, 5000, length, 0)
udp = udp[:6] + struct.pack('!H', checksum(pseudo + udp + text)) + text
if six: inner = struct.pack('!IHBB', 6 << 28, length, 17, 64) + src + dst + udp
else:
  head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + length, 1, 0, 64, 17, 0) + src + dst
  inner = head[:10] + struct.pack('!H', checksum(head)) + head[12:] + udp
socket.socket(family, socket.SOCK_RAW, 41 if six else 4).sendto(inner, (outer, 0))
`;

/** Runs a command in the namespace at a path; gives what it printed. Throws if it fails. */
export function run(netns: string, command: string, ...args: string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, command, ...args], { encoding: 'utf8', stdio: 'pipe' });
}

export class TunnelServer implements AsyncDisposable {
  private readonly child: ChildProcess;
  /** `SOURCE TEXT` of each datagram that came. */
  readonly datagrams: string[] = [];

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on('data', (data: Buffer) => {
      this.datagrams.push(...data.toString().trim().split('\n'));
    });
  }

  static async start(netns: string): Promise<TunnelServer> {
    const child = spawn('nsenter', [`--net=${netns}`, 'python3', '-c', SERVER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const server = new TunnelServer(child);
    await once(child.stdout, 'data');
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}

/** The address that each host saw, by host; or why nothing came back whole. */
export function transfer(netns: string, hosts: readonly string[]): Record<string, string> {
  const lines = run(netns, 'python3', '-c', CLIENT, ...hosts)
    .trim()
    .split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  );
}

export interface Forgery {
  /** The node it is sent to. */
  readonly outer: string;
  /** Who it pretends to be, and whom it is for. */
  readonly source: string;
  readonly target: string;
  readonly text: string;
}

export function forge(netns: string, { outer, source, target, text }: Forgery): void {
  run(netns, 'python3', '-c', FORGER, outer, source, target, text);
}

/** A packet of this size, headers included, that nobody may fragment, comes back. */
export function carries(netns: string, host: string, bytes: number): boolean {
  const size = String(bytes - (host.includes(':') ? 48 : 28));
  try {
    run(netns, 'ping', '-c', '1', '-W', '3', '-M', 'do', '-s', size, host);
    return true;
  } catch {
    return false;
  }
}
