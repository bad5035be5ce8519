/** Addresses of the pods attached to this node: of those that are outside its subnets BGP tells one by one. It hears what policy hears. */
import type { EndpointPolicy, PodEndpoint } from '#app/cni/index.ts';
import type { IpAddress } from '#base/ip/index.ts';

export class PodAddresses implements EndpointPolicy {
  readonly #inner: EndpointPolicy | undefined;
  readonly #byPart = new Map<string, readonly IpAddress[]>();
  #onChange: (() => void) | undefined;

  /** `inner`: who decides of pods, and is asked first. */
  constructor(inner: EndpointPolicy | undefined) {
    this.#inner = inner;
  }

  /** Calls when there is one more or less. */
  watch(onChange: () => void): void {
    this.#onChange = onChange;
  }

  *all(): Iterable<IpAddress> {
    for (const addresses of this.#byPart.values()) yield* addresses;
  }

  async admit(endpoint: PodEndpoint): Promise<void> {
    await this.#inner?.admit(endpoint);
    this.#put(endpoint);
  }

  restored(endpoint: PodEndpoint): void {
    this.#inner?.restored(endpoint);
    this.#put(endpoint);
  }

  released(part: string): void {
    this.#inner?.released(part);
    if (this.#byPart.delete(part)) this.#onChange?.();
  }

  #put({ part, addresses }: PodEndpoint): void {
    this.#byPart.set(part, addresses);
    this.#onChange?.();
  }
}
