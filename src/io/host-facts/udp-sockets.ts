/** Who listens on UDP: /proc/net/udp and udp6 (proc_net_udp(5)), and the processes that have these sockets open. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { formatIp, type IpFamily } from '#base/ip/index.ts';
import type { UdpSocket } from '#core/install/index.ts';

/** The sockets of this network namespace on any of these ports. What cannot be read is left out. */
export function udpSockets(ports: ReadonlySet<number>): UdpSocket[] {
  const found = ([4, 6] as const)
    .flatMap((family) => socketsOf(family))
    .filter(({ port }) => ports.has(port));
  if (found.length === 0) return [];
  const owners = processesBySocket(new Set(found.map(({ inode }) => inode)));
  return found.map(({ inode, ...socket }) => {
    const process = owners.get(inode);
    return { ...socket, ...(process !== undefined && { process }) };
  });
}

function socketsOf(family: IpFamily): (UdpSocket & { readonly inode: string })[] {
  let text: string;
  try {
    text = readFileSync(`/proc/net/udp${family === 4 ? '' : '6'}`, 'utf8');
  } catch {
    return []; // no such family, or none of our business
  }
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , , , , , , , inode = ''] = line.trim().split(/\s+/);
      const [address, port] = local.split(':');
      if (address === undefined || port === undefined) return [];
      return [{ family, address: formatIp(bytesOf(address)), port: Number.parseInt(port, 16), inode }];
    });
}

/** Each group of four bytes is a number of this host's, which is little-endian wherever Poplin runs. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) => {
    const at = (index & ~3) * 2 + (3 - (index & 3)) * 2;
    return Number.parseInt(text.slice(at, at + 2), 16);
  });
}

function processesBySocket(inodes: ReadonlySet<string>): Map<string, string> {
  const owners = new Map<string, string>();
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
        if (inode === undefined || !inodes.has(inode)) continue;
        owners.set(inode, `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`);
      }
    } catch {
      // it ended meanwhile, or is not ours to look into
    }
  }
  return owners;
}
