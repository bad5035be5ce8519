/** What goes through overlays in the tests, by socat and ping, which start quickly in the slow virtual machine and share no code with us. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { concat, utf8 } from '#base/bytes.ts';
import { canonicalIp, familyOf, type IpAddress, ipBytes } from '#base/ip/index.ts';

const PORT = 5000;
/** Of the server's side: what came, as a hash, and where it came from. */
const ANSWER = 'SYSTEM:sha256sum; echo $SOCAT_PEERADDR';

/** Runs a command in the namespace at a path; gives what it printed. Throws if it fails. */
export function run(netns: string, command: string, ...args: string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, command, ...args], { encoding: 'utf8', stdio: 'pipe' });
}

/** Answers on TCP and listens on UDP, both families. */
export class TunnelServer implements AsyncDisposable {
  private readonly children: readonly ChildProcess[];
  private heard = '';

  constructor(netns: string) {
    const start = (...args: string[]) =>
      spawn('nsenter', [`--net=${netns}`, 'socat', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    const listener = start('-u', `UDP6-RECV:${PORT},ipv6only=0`, 'STDOUT');
    listener.stdout.on('data', (data: Buffer) => (this.heard += data.toString()));
    this.children = [start(`TCP6-LISTEN:${PORT},ipv6only=0,reuseaddr,fork`, ANSWER), listener];
  }

  /** The datagrams that came, which are lines. */
  get datagrams(): string[] {
    return this.heard.split('\n').filter((line) => line !== '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.children) {
      if (child.exitCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    }
  }
}

/** Sends so many bytes to each host in turn; the address that each saw, by host; or why nothing came back whole. */
export function transfer(netns: string, hosts: readonly string[], bytes = 200_000): Record<string, string> {
  return Object.fromEntries(hosts.map((host) => [host, exchange(netns, host, bytes)]));
}

function exchange(netns: string, host: string, bytes: number): string {
  const content = randomBytes(bytes);
  // The other end may be starting still.
  const to = `TCP:${host.includes(':') ? `[${host}]` : host}:${PORT},connect-timeout=5,retry=100,interval=0.2`;
  let answer: string;
  try {
    answer = execFileSync('nsenter', [`--net=${netns}`, 'socat', '-t', '20', '-', to], {
      input: content,
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 60_000,
    });
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr);
  }
  const [hash, , peer = ''] = answer.trim().split(/\s+/);
  if (hash !== createHash('sha256').update(content).digest('hex')) return `damaged: ${answer}`;
  // socat writes IPv6 in full, in brackets, and IPv4 as a part of IPv6.
  const seen = canonicalIp(peer.replace(/^\[|\]$/g, '')) ?? peer;
  return seen.startsWith('::ffff:') ? mappedIpv4(seen) : seen;
}

function mappedIpv4(address: IpAddress): IpAddress {
  return ipBytes(address).subarray(12).join('.');
}

export interface Forgery {
  /** The node it is sent to. */
  readonly outer: IpAddress;
  /** Who it pretends to be, and whom it is for. */
  readonly source: IpAddress;
  readonly target: IpAddress;
  readonly text: string;
}

/** IP in IP as a raw socket sends it: a datagram in a packet of pods, in a packet to a node. */
export function forge(netns: string, { outer, source, target, text }: Forgery): void {
  const isIpv4 = familyOf(outer) === 4;
  const to = isIpv4 ? `IP4-SENDTO:${outer}:4` : `IP6-SENDTO:[${outer}]:41`;
  execFileSync('nsenter', [`--net=${netns}`, 'socat', '-u', '-', to], {
    input: datagram(ipBytes(source), ipBytes(target), utf8(`${text}\n`)),
    stdio: 'pipe',
  });
}

function datagram(source: Uint8Array, target: Uint8Array, text: Uint8Array): Uint8Array {
  const length = 8 + text.length;
  const udp = concat(words(7, PORT, length, 0), text);
  const sum = checksum(concat(source, target, words(length, 17), udp));
  const whole = concat(words(7, PORT, length, sum), text);
  if (source.length === 16)
    return concat(words(0x6000, 0, length), Uint8Array.of(17, 64), source, target, whole);
  const head = (check: number) =>
    concat(words(0x4500, 20 + length, 1, 0), Uint8Array.of(64, 17), words(check), source, target);
  return concat(head(checksum(head(0))), whole);
}

function words(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value >> 8, value & 0xff]));
}

/** RFC 1071. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += (bytes[at] as number) << (at % 2 === 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
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
