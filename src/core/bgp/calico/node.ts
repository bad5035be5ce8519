/** What Calico's BGP knows of a node: its addresses, AS and cluster, from annotations of Kubernetes' Node or from Calico's own. */
import { type IpAddress, type IpFamily, networkOf, parsePrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { Asn, RouterId } from '../model.ts';
import { type Findings, readValue } from './reader.ts';
import { NODE_BGP } from './schemas.ts';
import { parseAsn, parseRouterId } from './values.ts';

export interface CalicoNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the sessions, without the length of the network; absent: the family is not spoken. */
  readonly addresses: { readonly 4?: IpAddress; readonly 6?: IpAddress };
  /** The networks these addresses are in: what is in them needs no tunnel across subnets. */
  readonly networks: { readonly 4?: string; readonly 6?: string };
  readonly asn?: Asn;
  /** It is a route reflector of this cluster. */
  readonly clusterId?: RouterId;
  /** Addresses of tunnels, by the annotation's name without its prefix. */
  readonly tunnels: Readonly<Record<string, IpAddress>>;
}

const PREFIX = 'projectcalico.org/';
const TUNNELS = [
  'IPv4IPIPTunnelAddr',
  'IPv4VXLANTunnelAddr',
  'IPv6VXLANTunnelAddr',
  'IPv4WireguardInterfaceAddr',
  'IPv6WireguardInterfaceAddr',
] as const;

/** Reads a node of either API. What is wrong in it is told and left out. */
export function readNode(object: KubeObject, findings: Findings): CalicoNode {
  return object.apiVersion === 'v1' ? kubernetesNode(object, findings) : calicoNode(object, findings);
}

function kubernetesNode({ metadata }: KubeObject, findings: Findings): CalicoNode {
  const annotations: Readonly<Record<string, unknown>> = metadata.annotations ?? {};
  const place = `Node ${metadata.name} metadata.annotations`;
  const text = (name: string): string | undefined => {
    const value = annotations[PREFIX + name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const read = <Out>(name: string, parse: (value: string) => Out): Out | undefined =>
    attempt(`${place}["${PREFIX}${name}"]`, text(name), parse, findings);
  const tunnels: Record<string, IpAddress> = {};
  for (const name of TUNNELS) {
    const address = read(name, (value) => hostOf(value, name.startsWith('IPv6') ? 6 : 4).address);
    if (address !== undefined) tunnels[name] = address;
  }
  return node(metadata, tunnels, {
    4: read('IPv4Address', (value) => hostOf(value, 4)),
    6: read('IPv6Address', (value) => hostOf(value, 6)),
    asn: read('ASNumber', parseAsn),
    clusterId: read('RouteReflectorClusterID', parseRouterId),
  });
}

function calicoNode({ metadata, ...rest }: KubeObject, findings: Findings): CalicoNode {
  const place = `Node ${metadata.name} spec.bgp`;
  const spec = rest['spec'] as { readonly bgp?: unknown } | null | undefined;
  const bgp = readValue(NODE_BGP, spec?.bgp, place, findings);
  const { ipv4Address, ipv6Address, ipv4IPIPTunnelAddr } = bgp ?? {};
  return node(metadata, ipv4IPIPTunnelAddr === undefined ? {} : { IPv4IPIPTunnelAddr: ipv4IPIPTunnelAddr }, {
    4: attempt(`${place}.ipv4Address`, ipv4Address, (value) => hostOf(value, 4), findings),
    6: attempt(`${place}.ipv6Address`, ipv6Address, (value) => hostOf(value, 6), findings),
    asn: bgp?.asNumber,
    clusterId: bgp?.routeReflectorClusterID,
  });
}

interface Host {
  readonly address: IpAddress;
  readonly network: string;
}

interface Parts {
  readonly 4: Host | undefined;
  readonly 6: Host | undefined;
  readonly asn: Asn | undefined;
  readonly clusterId: RouterId | undefined;
}

function node(
  { name, labels = {} }: KubeObject['metadata'],
  tunnels: CalicoNode['tunnels'],
  parts: Parts,
): CalicoNode {
  const { 4: ipv4, 6: ipv6, asn, clusterId } = parts;
  return {
    name,
    labels,
    addresses: { ...(ipv4 && { 4: ipv4.address }), ...(ipv6 && { 6: ipv6.address }) },
    networks: { ...(ipv4 && { 4: ipv4.network }), ...(ipv6 && { 6: ipv6.network }) },
    ...(asn === undefined ? {} : { asn }),
    ...(clusterId === undefined ? {} : { clusterId }),
    tunnels,
  };
}

/** An address with or without the length of its network. */
function hostOf(text: string, family: IpFamily): Host {
  const whole = text.includes('/') ? text : `${text}/${family === 4 ? 32 : 128}`;
  const parts = parsePrefix(whole);
  if (parts?.family !== family) throw new RangeError(`"${text}" is no IPv${family} address`);
  return { address: parts.address, network: networkOf(whole) };
}

function attempt<Out>(
  place: string,
  text: string | undefined,
  parse: (value: string) => Out,
  findings: Findings,
): Out | undefined {
  if (text === undefined) return undefined;
  try {
    return parse(text);
  } catch (error) {
    findings.problems.push({ place, message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}
