/** Servers and clients in the network namespaces of a box: who answers at an address, and as whom it saw us. TCP and UDP, both families. */
import { once } from 'node:events';
import type { Box } from './box.ts';

export type Protocol = 'tcp' | 'udp';

/** What a server said. */
export interface Answer {
  readonly name: string;
  /** The address it saw the question come from. */
  readonly peer: string;
}

/** Answers everybody on one port, over both protocols and in both families, with its name and the asker's address. */
const SERVER = `
import os, socket, sys, threading
name, port = sys.argv[1], int(sys.argv[2])
def text(peer): return (name + ' ' + peer[0].removeprefix('::ffff:')).encode()
def bound(kind):
    it = socket.socket(socket.AF_INET6, kind)
    it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    it.bind(('::', port))
    return it
tcp, udp = bound(socket.SOCK_STREAM), bound(socket.SOCK_DGRAM)
tcp.listen(16)
def streams():
    while True:
        it, peer = tcp.accept()
        with it: it.sendall(text(peer))
def packets():
    while True:
        _, peer = udp.recvfrom(2048)
        udp.sendto(text(peer), peer)
for work in streams, packets: threading.Thread(target=work, daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
os._exit(0)`;

const CLIENT = `
import socket, sys
address, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
it = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
it.settimeout(2)
try:
    it.connect((address, port))
    if kind == 'udp': it.send(b'?')
    sys.stdout.write(it.recv(2048).decode())
except OSError:
    pass`;

/** Serves on a port of a namespace until it is disposed of. */
export async function serve(box: Box, netns: string, name: string, port: number): Promise<AsyncDisposable> {
  const args = [`--net=${netns}`, 'python3', '-c', SERVER, name, String(port)];
  const child = box.spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const began = child.stdout === null ? exited : once(child.stdout, 'data');
  await Promise.race([began, exited]);
  if (child.exitCode !== null) throw new Error(`server ${name} did not start in ${netns}`);
  return {
    async [Symbol.asyncDispose]() {
      child.stdin?.end();
      await exited;
    },
  };
}

export interface Question {
  /** The asker's namespace; the box's own if absent. */
  readonly from?: string;
  readonly address: string;
  readonly port: number;
  readonly protocol?: Protocol;
}

/** What is answered at an address; undefined if nothing is, within two seconds. */
export async function ask(
  box: Box,
  { from, address, port, protocol = 'tcp' }: Question,
): Promise<Answer | undefined> {
  const client = ['python3', '-c', CLIENT, address, String(port), protocol];
  const enter = from === undefined ? [] : ['nsenter', `--net=${from}`];
  const [command = '', ...args] = [...enter, ...client];
  const [name, peer] = (await box.run(command, ...args)).split(' ');
  return name === undefined || peer === undefined ? undefined : { name, peer };
}
