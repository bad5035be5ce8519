/** Who listens on UDP and TCP: /proc/net/udp, tcp and their like of IPv6 (proc_net_udp(5)), and the processes that have these sockets open. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { formatIp, type IpFamily } from '#base/ip/index.ts';
import type { HostSocket } from '#core/install/index.ts';
import { commOf, seesAllProcesses } from './processes.ts';

export type WantedPorts = Readonly<Record<HostSocket['protocol'], ReadonlySet<number>>>;

/** Of TCP, in hexadecimal: one that waits for connections. */
const LISTEN = '0A';

/** The sockets of this network namespace on any of these ports. */
export function hostSockets(ports: WantedPorts): HostSocket[] {
  const found = (['udp', 'tcp'] as const).flatMap((protocol) =>
    ([4, 6] as const)
      .flatMap((family) => socketsOf(protocol, family))
      .filter(({ port }) => ports[protocol].has(port)),
  );
  if (found.length === 0) return [];
  const owners = processesBySocket(new Set(found.map(({ inode }) => inode)));
  return found.map(({ inode, ...socket }) => ({
    ...socket,
    holder: owners.names.get(inode) ?? (owners.isComplete ? 'kernel' : undefined),
  }));
}

type Listed = Omit<HostSocket, 'holder'> & { readonly inode: string };

function socketsOf(protocol: HostSocket['protocol'], family: IpFamily): Listed[] {
  let text: string;
  try {
    text = readFileSync(`/proc/net/${protocol}${family === 4 ? '' : '6'}`, 'utf8');
  } catch {
    return []; // no such family
  }
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const [address, port] = local.split(':');
      if (address === undefined || port === undefined) return [];
      if (protocol === 'tcp' && state !== LISTEN) return [];
      return [
        { protocol, family, address: formatIp(bytesOf(address)), port: Number.parseInt(port, 16), inode },
      ];
    });
}

/** Each group of four bytes is a number of this host's, which is little-endian wherever Poplin runs. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => {
    const at = (index & ~3) * 2 + (3 - (index & 3)) * 2;
    return Number.parseInt(text.slice(at, at + 2), 16);
  });
}

/** `isComplete`: every process was looked into, so that what none of them has is the kernel's. */
function processesBySocket(inodes: ReadonlySet<string>) {
  const names = new Map<string, string>();
  let isComplete = seesAllProcesses();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode === undefined || !inodes.has(inode)) continue;
        names.set(inode, `${nameOf(pid)} (pid ${pid})`);
      }
    } catch (error) {
      // Others ended meanwhile.
      if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) isComplete = false;
    }
  }
  return { names, isComplete };
}

/** As `ps` has it; a program of Poplin's by its command, for its own name is that of Node. */
function nameOf(pid: string): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const at = words.findIndex((word) => /(^|\/)(poplin|poplin\.mjs|app\/cli\/main\.ts)$/.test(word));
  const command = at < 0 ? undefined : words[at + 1];
  if (command !== undefined && /^[a-z]/.test(command)) return `poplin ${command}`;
  return commOf(pid) ?? 'a process';
}
