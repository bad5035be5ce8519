/** Elements of sets as text, by which they are counted, and the sets whose elements are not members': of services and of names in DNS. */
import { hostPrefixOf, type IpAddress } from '#base/ip/index.ts';
import type { PeerElement, PeerSet } from '../graph.ts';
import type { Member, Protocol } from '../model.ts';
import { peerSetId } from '../peer-set.ts';
import { hostOf, isHost } from './addresses.ts';

/** Where a service's traffic goes: one address and port of one of its endpoints. */
export interface ServiceEndpoint {
  readonly address: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
}

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

function textOf({ address, protocol, port }: ServiceEndpoint): string {
  return `${address} ${protocol} ${port}`;
}

/** The endpoints of services and the answers of DNS. */
export class Lookups {
  readonly #services = new Map<string, readonly ServiceEndpoint[]>();
  readonly #domains = new Map<string, readonly IpAddress[]>();

  /** Replaces the endpoints of a service; gives the id of the set that they make up. */
  setService(namespace: string, name: string, endpoints: readonly ServiceEndpoint[]): string {
    const id = peerSetId({ kind: 'service', namespace, name });
    if (endpoints.length === 0) this.#services.delete(id);
    else this.#services.set(id, endpoints);
    return id;
  }

  /** Replaces the addresses of a name. */
  setDomain(name: string, addresses: readonly IpAddress[]): void {
    if (addresses.length === 0) this.#domains.delete(name.toLowerCase());
    else this.#domains.set(name.toLowerCase(), addresses);
  }

  /** The elements of a set of a service or of names. */
  elements(set: PeerSet): Set<string> {
    if (set.kind === 'service') return new Set((this.#services.get(peerSetId(set)) ?? []).map(textOf));
    const found = new Set<string>();
    if (set.kind !== 'domains') return found;
    for (const [name, addresses] of this.#domains) {
      if (isNamed(set.names, name)) for (const address of addresses) found.add(hostPrefixOf(address));
    }
    return found;
  }

  isOfService(namespace: string, name: string, at: ServiceEndpoint): boolean {
    const endpoints = this.#services.get(peerSetId({ kind: 'service', namespace, name })) ?? [];
    return endpoints.some((each) => textOf(each) === textOf(at));
  }

  /** Protocols and ports that an address has as an endpoint of a service, as text. */
  portsOfService(namespace: string, name: string, address: IpAddress): string {
    const endpoints = this.#services.get(peerSetId({ kind: 'service', namespace, name })) ?? [];
    return endpoints.flatMap((each) => (each.address === address ? [textOf(each)] : [])).join();
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
