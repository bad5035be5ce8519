/** Small servers and clients in network namespaces, in Python so that they share no code with what is tested. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

export type Transport = 'tcp' | 'udp' | 'sctp';

/** Answers each message with the address and port it came from. */
const SERVER = `
import socket, sys
kind, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', port))
if kind == 'tcp': s.listen(16)
print('ready', flush=True)
def name(peer): return (peer[0][7:] if peer[0].startswith('::ffff:') else peer[0]).encode()
while True:
  if kind == 'udp':
    data, peer = s.recvfrom(99)
    s.sendto(name(peer), peer)
  else:
    c, peer = s.accept()
    c.sendall(name(peer)); c.close()
`;

const CLIENT = `
import socket, sys
kind, host, port, source = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
family = socket.AF_INET6 if ':' in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
s.settimeout(1.5)
if source: s.bind((source, int(sys.argv[5])))
s.connect((host, port))
if kind == 'udp': s.send(b'hello')
print(s.recv(99).decode())
`;

/** A server on every address of a namespace; ends when disposed. */
export class Server implements AsyncDisposable {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  static async start(netns: string, transport: Transport, port: number): Promise<Server> {
    const child = spawn('nsenter', [`--net=${netns}`, 'python3', '-c', SERVER, transport, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const server = new Server(child);
    await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), once(child, 'exit')]);
    if (child.exitCode !== null) throw new Error(`no ${transport} server on port ${port}`);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }
}

/** The address the server saw; undefined if there was no answer. */
export function ask(
  netns: string,
  transport: Transport,
  host: string,
  port: number,
  source = '',
  sourcePort = 0,
): string | undefined {
  try {
    return execFileSync(
      'nsenter',
      [`--net=${netns}`, 'python3', '-c', CLIENT, transport, host, String(port), source, String(sourcePort)],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    ).trim();
  } catch {
    return undefined;
  }
}

const SINK = `
import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM)
s.bind((sys.argv[1], 0)); s.listen(1)
print(s.getsockname()[1], flush=True)
c, _ = s.accept()
while c.recv(65536): pass
c.sendall(b'all'); c.close()
`;

const SOURCE = `
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
start = time.monotonic()
s.sendall(bytes(int(sys.argv[3]))); s.shutdown(socket.SHUT_WR)
assert s.recv(9) == b'all'
print((time.monotonic() - start) * 1000)
`;

interface Transfer {
  readonly from: string;
  readonly to: string;
  /** Of the receiving namespace. */
  readonly address: string;
  readonly bytes: number;
}

/** How long so many bytes take over TCP, until the receiver has them all, in milliseconds. */
export async function transferMs({ from, to, address, bytes }: Transfer): Promise<number> {
  const sink = spawn('nsenter', [`--net=${to}`, 'python3', '-c', SINK, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [port] = (await once(sink.stdout, 'data')) as [Buffer];
    const text = execFileSync(
      'nsenter',
      [`--net=${from}`, 'python3', '-c', SOURCE, address, port.toString().trim(), String(bytes)],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    return Number(text);
  } finally {
    sink.kill();
  }
}
