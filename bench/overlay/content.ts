/** What both sides program: the objects of N remote nodes in one family, and the text of the same for ip, bridge and nft. */
import type { KernelObject } from '#core/kernel/index.ts';
import { type OverlaySubnet, planLocal, planRemote, type VxlanSettings } from '#core/overlay/index.ts';

/** `flannel`: a route, a neighbour and a forwarding entry for each node. `all`: what Poplin adds for its own purposes too. */
export type Content = 'flannel' | 'all';

const SETTINGS: VxlanSettings = {
  vni: 1,
  port: 8472,
  learning: false,
  gbp: false,
  underlayMtuBytes: 1500,
  underlayLink: 'under0',
};
export const UNDERLAY_ADDRESS = '172.31.255.1';

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

/** The remote subnets of node 0 to n - 1. */
export function remoteSubnets(nodes: number): OverlaySubnet[] {
  return Array.from({ length: nodes }, (_, at): OverlaySubnet => {
    const [high, low] = [at >> 8, at & 255];
    const hex = [high, low].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    return {
      node: `node-${at}`,
      family: 4,
      subnet: `10.${64 + high}.${low}.0/24`,
      publicIp: `172.16.${high}.${low}`,
      vtepMac: `02:00:00:${hex}:01`,
    };
  });
}

export function objectsOf(remote: OverlaySubnet, content: Content): KernelObject[] {
  const objects = planRemote(remote, SETTINGS);
  if (content === 'all') return objects;
  return objects.filter(
    (object) => object.kind !== 'nft-element' && !(object.kind === 'route' && object.table !== undefined),
  );
}

/** The same content as command files: each for one process. */
export function batchFiles(
  nodes: number,
  content: Content,
): Readonly<Record<'ip' | 'bridge' | 'nft', string>> {
  const files = { ip: '', bridge: '', nft: '' };
  for (const object of remoteSubnets(nodes).flatMap((remote) => objectsOf(remote, content))) {
    if (object.kind === 'neighbour') {
      files.ip += `neigh add ${object.address} lladdr ${object.mac} dev ${object.link} nud permanent\n`;
    } else if (object.kind === 'fdb') {
      files.bridge += `fdb add ${object.mac} dev ${object.link} dst ${object.dst} self permanent\n`;
    } else if (object.kind === 'route') {
      const [hop] = object.nextHops;
      const table = object.table === undefined ? '' : ` table ${object.table}`;
      files.ip += `route add ${object.dst} via ${hop?.via} dev ${hop?.link} onlink proto ${object.protocol}${table}\n`;
    } else if (object.kind === 'nft-element') {
      files.nft += `add element ${object.family} ${object.table} ${object.set} { ${object.key.join(' . ')} }\n`;
    }
  }
  return files;
}

/** How many lines each listing must have when all is there. */
export const expectedCounts = (nodes: number, content: Content): Readonly<Record<string, number>> => ({
  'ip -4 route show dev flannel.1 table main': nodes,
  'ip -4 neigh show dev flannel.1 nud permanent': nodes,
  'bridge fdb show dev flannel.1': nodes,
  ...(content === 'all' && { 'ip -4 route show table 112': nodes }),
});
