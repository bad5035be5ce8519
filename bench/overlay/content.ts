/** What both sides program: the objects of N remote nodes in one family, and the text of the same for ip, bridge and nft. */
import type { IpFamily } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import {
  type OverlaySubnet,
  planLocal,
  planRemote,
  planRemoteSubnet,
  type VxlanSettings,
} from '#core/overlay/index.ts';

/** `flannel`: a route, a neighbour and a forwarding entry for each node. `all`: everything Poplin programs. */
export type Content = 'flannel' | 'all';

/** How the tools are told of a route: to the letter as Poplin has it, or as flannel has it, without a scope of its own. */
export type RouteStyle = 'letter' | 'plain';

const SETTINGS: VxlanSettings = {
  vni: 1,
  port: 8472,
  learning: false,
  gbp: false,
  underlayMtuBytes: 1500,
  underlayLink: 'under0',
};
export const UNDERLAY_ADDRESS = '172.31.255.1';
export const UNDERLAY_ADDRESS6 = 'fd00:1::1';

/** The device, its address and the table: there before anything is measured. */
export function baseObjects(): KernelObject[] {
  const local: OverlaySubnet = {
    node: 'this',
    family: 4,
    subnet: '10.63.0.0/24',
    publicIp: UNDERLAY_ADDRESS,
    vtepMac: '02:ff:ff:ff:ff:01',
  };
  return planLocal([local], SETTINGS);
}

/** The remote subnets of node 0 to n - 1 in one family. */
export function remoteSubnets(nodes: number, family: IpFamily = 4): OverlaySubnet[] {
  return Array.from({ length: nodes }, (_, at): OverlaySubnet => {
    const [high, low] = [at >> 8, at & 255];
    const hex = [high, low].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    const node = { node: `node-${at}`, vtepMac: `02:00:00:${hex}:0${family}` };
    if (family === 4)
      return { ...node, family, subnet: `10.${64 + high}.${low}.0/24`, publicIp: `172.16.${high}.${low}` };
    const group = (at + 4096).toString(16);
    return { ...node, family, subnet: `fd00:10:0:${group}::/64`, publicIp: `fd00:1::1:${group}` };
  });
}

export function objectsOf(remote: OverlaySubnet, content: Content): KernelObject[] {
  return content === 'all' ? planRemote(remote, SETTINGS) : planRemoteSubnet(remote, SETTINGS);
}

/** The same content as command files: each for one process. */
export function batchFiles(
  nodes: number,
  content: Content,
  style: RouteStyle,
): Readonly<Record<'ip' | 'bridge' | 'nft', string>> {
  const files = { ip: '', bridge: '', nft: '' };
  for (const object of remoteSubnets(nodes).flatMap((remote) => objectsOf(remote, content))) {
    if (object.kind === 'neighbour') {
      files.ip += `neigh add ${object.address} lladdr ${object.mac} dev ${object.link} nud permanent proto ${object.protocol}\n`;
    } else if (object.kind === 'fdb') {
      files.bridge += `fdb add ${object.mac} dev ${object.link} dst ${object.dst} self permanent\n`;
    } else if (object.kind === 'route') {
      const [hop] = object.nextHops;
      const table = object.table === undefined ? '' : ` table ${object.table}`;
      const scope = object.scope === undefined || style === 'plain' ? '' : ` scope ${object.scope}`;
      files.ip += `route add ${object.dst} via ${hop?.via} dev ${hop?.link} onlink proto ${object.protocol}${table}${scope}\n`;
    } else if (object.kind === 'nft-element') {
      files.nft += `add element ${object.family} ${object.table} ${object.set} { ${object.key.join(' . ')} }\n`;
    }
  }
  return files;
}

/** The commands that list what both sides programmed. */
export const listings = (content: Content): readonly (readonly string[])[] => [
  ['ip', '-4', 'route', 'show', 'dev', 'flannel.1', 'table', 'main'],
  ['ip', '-4', 'neigh', 'show', 'dev', 'flannel.1', 'nud', 'permanent'],
  ['bridge', 'fdb', 'show', 'dev', 'flannel.1'],
  ...(content === 'all'
    ? [
        ['ip', '-4', 'route', 'show', 'table', '112'],
        ['nft', 'list', 'set', 'inet', 'poplin-overlay', 'peers4'],
      ]
    : []),
];
