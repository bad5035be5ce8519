/** Elements of sets as text, by which they are counted, and the sets whose elements are not members': of services and of names in DNS. */
import { hostPrefixOf, type IpAddress } from '#base/ip/index.ts';
import type { PeerElement, PeerSet } from '../graph.ts';
import type { Member, Protocol } from '../model.ts';
import { peerSetId } from '../peer-set.ts';
import { hostOf, isHost } from './addresses.ts';
import { Domains } from './domains.ts';

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

/** The endpoints of services, and what names stand for. */
export class Lookups {
  /** By namespace and name. */
  readonly #services = new Map<string, readonly ServiceEndpoint[]>();
  readonly domains = new Domains();

  /** Replaces the endpoints of a service; gives the ids of the sets that they make up. */
  setService(namespace: string, name: string, endpoints: readonly ServiceEndpoint[]): readonly string[] {
    const key = `${namespace}/${name}`;
    if (endpoints.length === 0) this.#services.delete(key);
    else this.#services.set(key, endpoints);
    return (['service', 'service-addresses'] as const).map((kind) => peerSetId({ kind, namespace, name }));
  }

  /** The elements of a set of a service or of names. */
  elements(set: PeerSet): Set<string> {
    if (set.kind === 'service') return new Set(this.#portsOf(set.namespace, set.name).map(textOf));
    if (set.kind === 'service-addresses')
      return new Set(this.#endpointsOf(set.namespace, set.name).map(({ address }) => hostPrefixOf(address)));
    if (set.kind !== 'domains') return new Set();
    return new Set(Array.from(this.domains.addressesOf(set.names), hostPrefixOf));
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
    this.domains.copyTo(other.domains);
  }
}
