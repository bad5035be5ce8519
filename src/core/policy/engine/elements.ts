/** Elements of sets as text, by which they are counted, and the sets whose elements are not members': of services and of names in DNS. */
import { hostPrefixOf, type IpAddress } from '#base/ip/index.ts';
import type { PeerElement, PeerSet } from '../graph.ts';
import type { Member, Protocol } from '../model.ts';
import { peerSetId } from '../peer-set.ts';
import { hostOf, isHost } from './addresses.ts';

/** Where a service's traffic goes: one address and port of one of its endpoints. */
export interface ServicePort {
  readonly address: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
}

/** The same, or the address of an endpoint that has no ports. */
export type ServiceEndpoint = ServicePort | { readonly address: IpAddress };

/** What a member gives to a set that selects it. */
export function memberElements(set: PeerSet, member: Member): string[] {
  if (set.kind !== 'named-port') return [...new Set(member.nets)];
  const ports = member.ports.filter(({ name, protocol }) => name === set.port && protocol === set.protocol);
  if (ports.length === 0) return [];
  const hosts = member.nets.filter(isHost).map(hostOf);
  return [...new Set(hosts.flatMap((address) => ports.map((port) => textOf({ ...port, address }))))];
}

/** The element that a text stands for. */
export function elementOf(text: string): PeerElement {
  const [net = '', protocol, port] = text.split(' ');
  if (protocol === undefined) return { net };
  return { address: net, protocol: Number(protocol), port: Number(port) };
}

function textOf({ address, protocol, port }: ServicePort): string {
  return `${address} ${protocol} ${port}`;
}

/** The endpoints of services and the answers of DNS. */
export class Lookups {
  /** By namespace and name. */
  readonly #services = new Map<string, readonly ServiceEndpoint[]>();
  readonly #domains = new Map<string, readonly IpAddress[]>();

  /** Replaces the endpoints of a service; gives the ids of the sets that they make up. */
  setService(namespace: string, name: string, endpoints: readonly ServiceEndpoint[]): readonly string[] {
    const key = `${namespace}/${name}`;
    if (endpoints.length === 0) this.#services.delete(key);
    else this.#services.set(key, endpoints);
    return (['service', 'service-addresses'] as const).map((kind) => peerSetId({ kind, namespace, name }));
  }

  /** Replaces the addresses of a name. */
  setDomain(name: string, addresses: readonly IpAddress[]): void {
    if (addresses.length === 0) this.#domains.delete(name.toLowerCase());
    else this.#domains.set(name.toLowerCase(), addresses);
  }

  /** The elements of a set of a service or of names. */
  elements(set: PeerSet): Set<string> {
    if (set.kind === 'service') return new Set(this.#portsOf(set.namespace, set.name).map(textOf));
    if (set.kind === 'service-addresses')
      return new Set(this.#endpointsOf(set.namespace, set.name).map(({ address }) => hostPrefixOf(address)));
    const found = new Set<string>();
    if (set.kind !== 'domains') return found;
    for (const [name, addresses] of this.#domains) {
      if (isNamed(set.names, name)) for (const address of addresses) found.add(hostPrefixOf(address));
    }
    return found;
  }

  /** Whether an endpoint of the service has this address and port. */
  isPortOfService(namespace: string, name: string, at: ServicePort): boolean {
    return this.#portsOf(namespace, name).some((each) => textOf(each) === textOf(at));
  }

  isAddressOfService(namespace: string, name: string, address: IpAddress): boolean {
    return this.#endpointsOf(namespace, name).some((each) => each.address === address);
  }

  /** What tells an address that is an endpoint of a service from others, as text: its protocols and ports. */
  portsOfService(namespace: string, name: string, address: IpAddress): string {
    const found = this.#endpointsOf(namespace, name).filter((each) => each.address === address);
    return found.map((each) => ('port' in each ? textOf(each) : each.address)).join();
  }

  #endpointsOf(namespace: string, name: string): readonly ServiceEndpoint[] {
    return this.#services.get(`${namespace}/${name}`) ?? [];
  }

  #portsOf(namespace: string, name: string): ServicePort[] {
    return this.#endpointsOf(namespace, name).filter((each) => 'port' in each);
  }

  /** Everything, to be set elsewhere. */
  copyTo(other: Lookups): void {
    for (const [id, endpoints] of this.#services) other.#services.set(id, endpoints);
    for (const [name, addresses] of this.#domains) other.#domains.set(name, addresses);
  }

  isOfDomain(patterns: readonly string[], address: IpAddress): boolean {
    for (const [name, addresses] of this.#domains)
      if (addresses.includes(address) && isNamed(patterns, name)) return true;
    return false;
  }
}

/** Whether a name is one of those given; `*.example.com` is every name below example.com, and not that name itself. */
export function isNamed(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    return wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : name === wanted;
  });
}
