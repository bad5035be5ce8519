/** The pods attached to this node, as policy sees them: one endpoint for each pod, made of what its attachments have. */
import { isDeepStrictEqual } from 'node:util';
import type { PodEndpoint } from '#app/cni/index.ts';
import { hostPrefixOf, type IpAddress, type IpPrefix } from '#base/ip/index.ts';
import { type LocalEndpoint, podKey } from '#core/policy/index.ts';

export class Endpoints {
  /** By the member key of the pod, its attachments by part: a pod that is made anew may be attached before the old one is gone. */
  readonly #byKey = new Map<string, Map<string, PodEndpoint>>();
  readonly #keys = new Map<string, string>();
  /** By the name of a link, the parts that have it: two for a moment, when a pod is made anew. */
  readonly #parts = new Map<string, Set<string>>();
  readonly #addresses = new Map<IpAddress, number>();

  get size(): number {
    return this.#byKey.size;
  }

  keys(): IterableIterator<string> {
    return this.#byKey.keys();
  }

  /** Whether a pod of this node has the address. */
  has(address: IpAddress): boolean {
    return this.#addresses.has(address);
  }

  /** Takes in an attachment, new or changed; gives the key of its pod. */
  put(endpoint: PodEndpoint): string {
    this.#drop(endpoint.part);
    const key = podKey(endpoint.pod.namespace, endpoint.pod.name);
    const parts = this.#byKey.get(key) ?? new Map<string, PodEndpoint>();
    parts.set(endpoint.part, endpoint);
    this.#byKey.set(key, parts);
    this.#keys.set(endpoint.part, key);
    const { link, part } = endpoint;
    if (link !== undefined) this.#parts.set(link, (this.#parts.get(link) ?? new Set<string>()).add(part));
    for (const address of endpoint.addresses) this.#count(address, 1);
    return key;
  }

  /** Whether the attachment is known, exactly so. */
  hasSame(endpoint: PodEndpoint): boolean {
    const key = this.#keys.get(endpoint.part);
    const known = key === undefined ? undefined : this.#byKey.get(key)?.get(endpoint.part);
    return isDeepStrictEqual(known, endpoint);
  }

  /** Keys of the pods whose packets come in by a link. */
  keysOf(link: string): string[] {
    return [...(this.#parts.get(link) ?? [])].flatMap((part) => this.#keys.get(part) ?? []);
  }

  /** Gives the key of the pod it was of; undefined if it was none. */
  remove(part: string): string | undefined {
    const key = this.#keys.get(part);
    this.#drop(part);
    return key;
  }

  /** The pod as an endpoint: of several containers of one name the one attached last counts. */
  endpointOf(key: string): LocalEndpoint | undefined {
    const all = [...(this.#byKey.get(key)?.values() ?? [])];
    const last = all.at(-1);
    if (last === undefined) return undefined;
    const own = all.filter(({ containerId }) => containerId === last.containerId);
    const [first = last] = own;
    return {
      key,
      addresses: own.flatMap(({ addresses }) => addresses),
      ...(first.link !== undefined && { link: first.link }),
      ...(first.bridge !== undefined && { bridge: first.bridge }),
    };
  }

  /** The addresses of a pod as nets, by which rules know it. */
  netsOf(key: string): readonly IpPrefix[] {
    return (this.endpointOf(key)?.addresses ?? []).map(hostPrefixOf);
  }

  #drop(part: string): void {
    const key = this.#keys.get(part);
    const parts = key === undefined ? undefined : this.#byKey.get(key);
    const before = parts?.get(part);
    if (key === undefined || parts === undefined || before === undefined) return;
    parts.delete(part);
    this.#keys.delete(part);
    if (parts.size === 0) this.#byKey.delete(key);
    for (const address of before.addresses) this.#count(address, -1);
    const others = before.link === undefined ? undefined : this.#parts.get(before.link);
    if (others?.delete(part) === true && others.size === 0) this.#parts.delete(before.link as string);
  }

  #count(address: IpAddress, by: 1 | -1): void {
    const count = (this.#addresses.get(address) ?? 0) + by;
    if (count === 0) this.#addresses.delete(address);
    else this.#addresses.set(address, count);
  }
}
