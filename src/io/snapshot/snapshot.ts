/**
 * What a host looks like from outside Poplin: links, addresses, routes, rules, nf_tables tables, network namespaces, mounts and the
 * folders Poplin writes to. Two snapshots show what something left behind. Read from /proc, /sys and raw dumps, so that
 * no decoder of ours stands between; counters and clocks are left out.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hex } from '#base/bytes.ts';
import { dumpRequests } from '#core/netlink/index.ts';
import { NftMirror } from '#core/netlink/nftables/index.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';

/** Lines by section; equal snapshots have equal lines. */
export type HostSnapshot = Readonly<Record<string, readonly string[]>>;

/** Folders whose files are listed by name. */
const FOLDERS = [
  '/run/netns',
  '/run/poplin',
  '/run/flannel',
  '/var/lib/poplin',
  '/var/lib/cni',
  '/etc/cni',
  '/opt/cni',
  `/tmp/poplin-${process.geteuid?.()}`,
] as const;
const NETLINK_HEADER_BYTES = 16;
/** nfgenmsg: its res_id counts the changes of all tables. */
const NFGENMSG_BYTES = 4;

/** Reads the host as the calling process sees it. */
export function takeSnapshot(): HostSnapshot {
  return {
    links: links(),
    addresses: [...lines('/proc/net/if_inet6'), ...lines('/proc/net/fib_trie')],
    routes: [
      ...lines('/proc/net/route').map(withoutColumns(3, 4, 5)),
      ...lines('/proc/net/ipv6_route').map(withoutColumns(6, 7)),
    ],
    rules: dump(NETLINK_ROUTE, dumpRequests(['rule']), NETLINK_HEADER_BYTES),
    tables: tables(),
    mounts: lines('/proc/self/mountinfo').filter((line) => line.includes('/netns')),
    files: FOLDERS.flatMap((folder) => (existsSync(folder) ? [folder, ...filesBelow(folder)] : [])),
  };
}

/** What differs, one line each: `links: + eth9`. Empty if nothing does. */
export function compareSnapshots(before: HostSnapshot, after: HostSnapshot): string[] {
  return Object.keys(before).flatMap((section) => {
    const [old, now] = [before[section] ?? [], after[section] ?? []];
    return [
      ...old.filter((line) => !now.includes(line)).map((line) => `${section}: - ${line}`),
      ...now.filter((line) => !old.includes(line)).map((line) => `${section}: + ${line}`),
    ];
  });
}

function links(): string[] {
  const folder = '/sys/class/net';
  return readdirSync(folder).map((name) => {
    const read = (file: string) => lines(join(folder, name, file)).join(' ');
    return `${name} index ${read('ifindex')} mtu ${read('mtu')} address ${read('address')} alias "${read('ifalias')}"`;
  });
}

/** Only root of the network namespace may see them; nobody else can have made one. */
function tables(): string[] {
  try {
    const requests = firstOf(new NftMirror().dumpRequests());
    return dump(NETLINK_NETFILTER, requests, NETLINK_HEADER_BYTES + NFGENMSG_BYTES);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return [];
    throw error;
  }
}

function dump(
  protocol: typeof NETLINK_ROUTE | typeof NETLINK_NETFILTER,
  requests: readonly Uint8Array[],
  skip: number,
): string[] {
  using socket = NetlinkSocket.open({ protocol });
  return requests.flatMap((request) =>
    socket.dump(request, 'snapshot').map((message) => hex(message.subarray(skip))),
  );
}

function firstOf(requests: Iterable<Uint8Array>): Uint8Array[] {
  for (const request of requests) return [request];
  return [];
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
  } catch {
    return [];
  }
}

function withoutColumns(...columns: readonly number[]): (line: string) => string {
  return (line) =>
    line
      .trim()
      .split(/\s+/)
      .filter((_, at) => !columns.includes(at))
      .join(' ');
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) =>
      join(entry.parentPath, entry.name),
    );
  } catch {
    return []; // not ours to read
  }
}
