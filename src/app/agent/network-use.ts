/** What a network needs for itself alone on a host: addresses, devices, UDP ports, the file that tells of its subnet. */
import { z } from 'zod';
import { prefixesOverlap } from '#base/ip/index.ts';
import { type BackendConfig, FAMILY_KEYS, type NetConf } from '#core/lease/index.ts';

export const networkUse = z.object({
  subnetFile: z.string(),
  /** The pods' addresses, of all nodes. */
  prefixes: z.array(z.string()).default([]),
  /** Names of links. */
  devices: z.array(z.string()).default([]),
  /** UDP ports, and who listens there: several VXLAN devices may, where they are of one kind. */
  ports: z.array(z.object({ port: z.number(), listener: z.string() })).default([]),
});
export type NetworkUse = Readonly<z.output<typeof networkUse>>;

/** What the configuration of a network takes; `devices` are those its backend makes. */
export function useOf(netConf: NetConf, subnetFile: string, devices: readonly string[]): NetworkUse {
  return {
    subnetFile,
    prefixes: FAMILY_KEYS.flatMap((key) => netConf[key]?.network ?? []),
    devices: [...devices],
    ports: portsOf(netConf.backend),
  };
}

/** Without a subnet file: it has not begun yet. */
type UsedByOther = Omit<NetworkUse, 'subnetFile'> & { readonly subnetFile?: string | undefined };

/** The first thing that both networks use and one alone can, in words that begin a sentence; undefined if there is none. */
export function useConflict(wish: NetworkUse, other: UsedByOther): string | undefined {
  const { subnetFile, prefixes, devices, ports } = other;
  if (subnetFile === wish.subnetFile) return `the file ${wish.subnetFile}`;
  for (const prefix of wish.prefixes) {
    const overlapping = prefixes.find((each) => prefixesOverlap(each, prefix));
    if (overlapping !== undefined)
      return prefix === overlapping ? prefix : `${prefix}, in part (${overlapping}),`;
  }
  const device = wish.devices.find((name) => devices.includes(name));
  if (device !== undefined) return describeDevice(device);
  for (const { port, listener } of wish.ports) {
    const taken = ports.find((each) => each.port === port && !mayShare(each.listener, listener));
    if (taken !== undefined) return `UDP port ${port} (here for ${listener}, there for ${taken.listener})`;
  }
  return undefined;
}

function portsOf(backend: BackendConfig): NetworkUse['ports'] {
  switch (backend.type) {
    case 'udp':
      return [{ port: backend.port, listener: 'udp' }];
    case 'vxlan':
      return [{ port: backend.port, listener: backend.gbp ? 'vxlan with GBP' : 'vxlan' }];
    case 'wireguard': {
      const { mode, listenPort, listenPortV6 } = backend;
      const ports = mode === 'separate' ? [listenPort, listenPortV6] : [listenPort];
      return ports.map((port) => ({ port, listener: 'wireguard' }));
    }
    default:
      return [];
  }
}

/** The kernel gives VXLAN devices of one kind one socket, and tells their packets apart by the VNI. */
function mayShare(a: string, b: string): boolean {
  return a === b && a.startsWith('vxlan');
}

/** What a device's name says in the words of the configuration (core/overlay). */
function describeDevice(device: string): string {
  const vni = /^(?:flannel(?:-v6)?|fl[46])\.(\d+)$/.exec(device)?.[1];
  if (vni !== undefined) return `VNI ${vni} (device ${device})`;
  if (device.endsWith('.ipip')) return `the backend ipip (device ${device}, of which a host has one)`;
  return `device ${device}`;
}
