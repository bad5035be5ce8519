/**
 * What flannel leaves on hosts and in its registry, as flanneld of August 2026 was seen to leave it: devices, routes, neighbours, iptables' chains,
 * subnet.env, and keys in etcd or annotations of Nodes. Subnet N is node N's. It watches nothing: what it knows of others it is told at its start.
 */
import { etcdLayout, subnetKey } from '#core/lease/etcd/index.ts';
import type { Station } from './agent-station.ts';
import type { Etcd } from './station-etcd.ts';

export type FlannelBackend = 'vxlan' | 'host-gw';

export const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];

export const NETWORKS = { 4: '10.244.0.0/16', 6: 'fd44::/48' } as const;
export const DEVICES = { 4: 'flannel.1', 6: 'flannel-v6.1' } as const;
const PREFIX = 'flannel.alpha.coreos.com';

/** A node by its number, from 1. */
export const publicIp = (family: Family, node: number) =>
  family === 4 ? `192.168.60.1${node}` : `fd60::1${node}`;
/** Its subnet, without the length. */
export const subnetBase = (family: Family, node: number) =>
  family === 4 ? `10.244.${node}.0` : `fd44:0:0:${node}::`;
export const subnetOf = (family: Family, node: number) =>
  `${subnetBase(family, node)}/${family === 4 ? 24 : 64}`;
export const addressIn = (family: Family, node: number, host: number) =>
  family === 4 ? `10.244.${node}.${host}` : `fd44:0:0:${node}::${host}`;
const macOf = (family: Family, node: number) => `9a:00:00:00:0${family}:0${node}`;

/** `subnet.env`, which counts 50 bytes for VXLAN in both families. */
export function flannelEnv(backend: FlannelBackend, node: number): string {
  return [
    `FLANNEL_NETWORK=${NETWORKS[4]}`,
    `FLANNEL_SUBNET=${addressIn(4, node, 1)}/24`,
    `FLANNEL_IPV6_NETWORK=${NETWORKS[6]}`,
    `FLANNEL_IPV6_SUBNET=${addressIn(6, node, 1)}/64`,
    `FLANNEL_MTU=${backend === 'vxlan' ? 1450 : 1500}`,
    'FLANNEL_IPMASQ=true\n',
  ].join('\n');
}

/** What a start of flanneld does in the kernel, the first one or a later, as commands of a shell. */
export function flannelCommands(backend: FlannelBackend, node: number, others: readonly number[]): string {
  const own = FAMILIES.flatMap((family) => [
    ...(backend === 'vxlan' ? deviceCommands(family, node) : []),
    ...others.flatMap((other) => remoteCommands(backend, family, other)),
    ...ruleCommands(family, node),
  ]);
  return [
    ...own,
    `mkdir -p /run/flannel; cat > /run/flannel/subnet.env <<'ENV'\n${flannelEnv(backend, node)}ENV`,
  ].join('\n');
}

/** A device that is there is kept, with the MAC it has. */
function deviceCommands(family: Family, node: number): string[] {
  const dev = DEVICES[family];
  const kind = `type vxlan id 1 dev eth0 local ${publicIp(family, node)} dstport 8472 nolearning`;
  const mtu = family === 4 ? 1450 : 1430; // which asks for 1450, and the kernel gives what there is
  return [
    `ip link show ${dev} >/dev/null 2>&1 || ip link add ${dev} address ${macOf(family, node)} mtu ${mtu} ${kind}`,
    `ip link set ${dev} up`,
    `ip address replace ${subnetBase(family, node)}/${family === 4 ? 32 : 128} dev ${dev}`,
  ];
}

function remoteCommands(backend: FlannelBackend, family: Family, other: number): string[] {
  const [subnet, to] = [subnetOf(family, other), publicIp(family, other)];
  // One that is there is left as it is.
  if (backend === 'host-gw')
    return [
      `ip -${family} route show ${subnet} via ${to} dev eth0 | grep -q . || ip -${family} route replace ${subnet} via ${to} dev eth0`,
    ];
  const [dev, vtep, mac] = [DEVICES[family], subnetBase(family, other), macOf(family, other)];
  return [
    `ip -${family} neighbour replace ${vtep} lladdr ${mac} dev ${dev} nud permanent`,
    `bridge fdb replace ${mac} dev ${dev} dst ${to} self permanent`,
    `ip -${family} route replace ${subnet} via ${vtep} dev ${dev} onlink`,
  ];
}

function ruleCommands(family: Family, node: number): string[] {
  const program = family === 4 ? 'iptables' : 'ip6tables';
  const [network, subnet] = [NETWORKS[family], subnetOf(family, node)];
  const multicast = family === 4 ? '224.0.0.0/4' : 'ff00::/8';
  const masq = '-m comment --comment "flanneld masq"';
  const forward = '-m comment --comment "flanneld forward"';
  const chain = (table: string, name: string, from: string, comment: string) => [
    `${program} -w -t ${table} -N ${name} 2>/dev/null || ${program} -w -t ${table} -F ${name}`,
    `${program} -w -t ${table} -C ${from} ${comment} -j ${name} 2>/dev/null || ${program} -w -t ${table} -A ${from} ${comment} -j ${name}`,
  ];
  const nat = [
    `-m mark --mark 0x4000/0x4000 ${masq} -j RETURN`,
    `-s ${subnet} -d ${network} ${masq} -j RETURN`,
    `-s ${network} -d ${subnet} ${masq} -j RETURN`,
    `! -s ${network} -d ${subnet} ${masq} -j RETURN`,
    `-s ${network} ! -d ${multicast} ${masq} -j MASQUERADE --random-fully`,
    `! -s ${network} -d ${network} ${masq} -j MASQUERADE --random-fully`,
  ];
  return [
    ...chain('nat', 'FLANNEL-POSTRTG', 'POSTROUTING', masq),
    ...nat.map((rule) => `${program} -w -t nat -A FLANNEL-POSTRTG ${rule}`),
    ...chain('filter', 'FLANNEL-FWD', 'FORWARD', forward),
    ...['-s', '-d'].map((side) => `${program} -w -A FLANNEL-FWD ${side} ${network} ${forward} -j ACCEPT`),
  ];
}

const dataOf = (family: Family, node: number) => ({ VNI: 1, VtepMAC: macOf(family, node) });

/** Where a network's leases are, as flannel writes them and as they are found. */
export interface FlannelRegistry {
  /** What a start of flanneld writes. */
  write(node: number): void;
  /** What is there of the node, without what Poplin adds; and whether it has added that. */
  read(node: number): { readonly told: unknown; readonly isPoplins: boolean };
}

export function etcdLeases(etcd: Etcd, backend: FlannelBackend): FlannelRegistry {
  const layout = etcdLayout();
  const keyOf = (node: number) => subnetKey(layout, { ipv4: subnetOf(4, node), ipv6: subnetOf(6, node) });
  return {
    write: (node) => {
      const [, lease = ''] = /lease (\w+) granted/.exec(etcd.ctl('lease', 'grant', '86400')) ?? [];
      const value = {
        PublicIP: publicIp(4, node),
        PublicIPv6: publicIp(6, node),
        BackendType: backend,
        ...(backend === 'vxlan' && { BackendData: dataOf(4, node), BackendV6Data: dataOf(6, node) }),
      };
      etcd.ctl('put', '--lease', lease, keyOf(node), JSON.stringify(value));
    },
    read: (node) => {
      const text = etcd.ctl('get', '--print-value-only', keyOf(node));
      const { PoplinOwner, ...told } = JSON.parse(text) as Record<string, unknown>;
      return { told, isPoplins: PoplinOwner !== undefined };
    },
  };
}

interface NodeObject {
  readonly metadata: { readonly annotations?: Record<string, string> };
}

/** Nodes as a kubelet makes them and flannel annotates them; Poplin adds nothing. */
export function nodeLeases(station: Station, backend: FlannelBackend): FlannelRegistry {
  const pathOf = (node: number) => `/api/v1/nodes/n${node}`;
  return {
    write: (node) => {
      const annotations = {
        [`${PREFIX}/kube-subnet-manager`]: 'true',
        [`${PREFIX}/backend-type`]: backend,
        [`${PREFIX}/backend-data`]: backend === 'vxlan' ? JSON.stringify(dataOf(4, node)) : 'null',
        [`${PREFIX}/backend-v6-data`]: backend === 'vxlan' ? JSON.stringify(dataOf(6, node)) : 'null',
        [`${PREFIX}/public-ip`]: publicIp(4, node),
        [`${PREFIX}/public-ipv6`]: publicIp(6, node),
      };
      const found = (station.api('GET', '/api/v1/nodes') as { items: { metadata: { name: string } }[] })
        .items;
      const before = found.find(({ metadata }) => metadata.name === `n${node}`);
      if (before === undefined) {
        const podCIDRs = FAMILIES.map((family) => subnetOf(family, node));
        station.api('POST', '/api/v1/nodes', {
          apiVersion: 'v1',
          kind: 'Node',
          metadata: { name: `n${node}`, annotations },
          spec: { podCIDR: podCIDRs[0], podCIDRs },
        });
        return;
      }
      const { metadata } = before;
      station.api('PUT', pathOf(node), { ...before, metadata: { ...metadata, annotations } });
    },
    read: (node) => {
      const { metadata } = station.api('GET', pathOf(node)) as NodeObject;
      return { told: metadata.annotations, isPoplins: false };
    },
  };
}
