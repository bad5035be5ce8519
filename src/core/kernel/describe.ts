/** Kernel objects and operations in the words of `ip`, `bridge`, `sysctl` and `nft`: for plans, logs and error texts. */
import { familyOf } from '#base/ip/index.ts';
import { keyOf, MAIN_TABLE } from './key.ts';
import type {
  KernelObject,
  KernelOp,
  Link,
  NextHop,
  Qdisc,
  Route,
  TunnelEncap,
  WireguardPeer,
} from './state.ts';

/** `add route 10.1.0.0/20 via 10.1.0.0 dev flannel.1 onlink`. */
export function describeOp(op: KernelOp): string {
  return `${op.verb} ${describeObject(op.object)}`;
}

export function describeObject(object: KernelObject): string {
  switch (object.kind) {
    case 'link':
      return describeLink(object);
    case 'route':
      return describeRoute(object);
    case 'neighbour':
      return `neighbour ${object.address} lladdr ${object.mac} dev ${object.link}`;
    case 'fdb':
      return `fdb ${object.mac} dev ${object.link} dst ${object.dst}`;
    case 'qdisc':
      return describeQdisc(object);
    case 'filter':
      return object.redirect ? `${keyOf(object)} redirect dev ${object.redirect}` : keyOf(object);
    case 'wireguard-device':
      return object.listenPort === undefined
        ? keyOf(object)
        : `${keyOf(object)} listen-port ${object.listenPort}`;
    case 'wireguard-peer':
      return describePeer(object);
    case 'wireguard-allowed-ip':
      return `${keyOf(object)} peer ${object.publicKey}`;
    case 'sysctl':
      return `sysctl ${object.path}=${object.value}`;
    default:
      return keyOf(object);
  }
}

function describeLink(link: Link): string {
  const parts = [`link ${link.name} type ${link.detail.type}`];
  if (link.detail.type === 'vxlan') parts.push(`id ${link.detail.vni} dstport ${link.detail.port}`);
  if (link.detail.type === 'tun') parts.push(`mode ${link.detail.mode}`);
  if (link.detail.type === 'ipip' && link.detail.local !== undefined)
    parts.push(`local ${link.detail.local}`);
  if (link.detail.type === 'ip6tnl' && link.detail.external === true) parts.push('external');
  if (link.mac !== undefined) parts.push(`address ${link.mac}`);
  if (link.mtuBytes !== undefined) parts.push(`mtu ${link.mtuBytes}`);
  if (link.master) parts.push(`master ${link.master}`);
  if (link.up !== undefined) parts.push(link.up ? 'up' : 'down');
  return parts.join(' ');
}

/** Keys that are secret are left out. */
function describePeer(peer: WireguardPeer): string {
  const { endpoint, keepaliveSec } = peer;
  const parts = [keyOf(peer)];
  if (endpoint !== undefined) {
    const { address, port } = endpoint;
    parts.push(`endpoint ${address.includes(':') ? `[${address}]` : address}:${port}`);
  }
  if (keepaliveSec) parts.push(`persistent-keepalive ${keepaliveSec}`);
  return parts.join(' ');
}

function describeQdisc({ link, parent, handle, detail }: Qdisc): string {
  const parts = [`qdisc ${detail.type === 'other' ? detail.qdiscKind : detail.type} dev ${link} ${parent}`];
  if (handle !== undefined) parts.push(`handle ${handle.toString(16)}:`);
  if (detail.type === 'tbf') {
    const { rateBytesPerSec, bucketTicks, limitBytes } = detail;
    parts.push(`rate ${rateBytesPerSec}bps bucket ${bucketTicks} ticks limit ${limitBytes}b`);
  }
  return parts.join(' ');
}

function describeRoute(route: Route): string {
  const parts = ['route'];
  if (route.type !== undefined && route.type !== 'unicast') parts.push(route.type);
  parts.push(route.dst);
  const [hop] = route.nextHops;
  if (route.nextHops.length === 1 && hop !== undefined) parts.push(describeHop(hop));
  else parts.push(...route.nextHops.map((each) => `nexthop ${describeHop(each)}`));
  if (route.table !== undefined && route.table !== MAIN_TABLE) parts.push(`table ${route.table}`);
  if (route.metric !== undefined) parts.push(`metric ${route.metric}`);
  if (route.preferredSource !== undefined) parts.push(`src ${route.preferredSource}`);
  return parts.join(' ');
}

function describeHop(hop: NextHop): string {
  const parts: string[] = [];
  if (hop.encap !== undefined) parts.push(describeEncap(hop.encap));
  if (hop.via !== undefined) parts.push(`via ${hop.via}`);
  if (hop.link !== undefined) parts.push(`dev ${hop.link}`);
  if (hop.onlink === true) parts.push('onlink');
  if (hop.weight !== undefined && hop.weight !== 1) parts.push(`weight ${hop.weight}`);
  return parts.join(' ');
}

function describeEncap({ dst, src, hopLimit }: TunnelEncap): string {
  const isIpv4 = familyOf(dst) === 4;
  const parts = [`encap ${isIpv4 ? 'ip' : 'ip6'} dst ${dst}`];
  if (src !== undefined) parts.push(`src ${src}`);
  if (hopLimit !== undefined) parts.push(`${isIpv4 ? 'ttl' : 'hoplimit'} ${hopLimit}`);
  return parts.join(' ');
}
