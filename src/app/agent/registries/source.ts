/** Where a cluster keeps its network configuration and its leases: what an agent is started with. */
import type { IpAddress } from '#base/ip/index.ts';
import type { AcquirerConfig, LeaseOffer, LeaseRegistry, NetConf, SubnetLease } from '#core/lease/index.ts';
import type { ObjectStore } from '#core/store/index.ts';

/** Leases that change within so many milliseconds are read together: passes over the kernel are twice as far apart anyhow. */
export const COLLECT_MS = 100;

export interface RegistryRequest {
  readonly node: string;
  readonly netConf: NetConf;
  readonly offer: LeaseOffer;
  /** The addresses other nodes reach this one by: one for each family of the network. */
  readonly publicIps: { readonly ipv4?: IpAddress; readonly ipv6?: IpAddress };
  /** The subnets this node had before, to ask for again. */
  readonly previous?: AcquirerConfig['previous'];
  /** Where they are not the usual ones. */
  readonly leaseTimes?: Pick<AcquirerConfig, 'durationSec' | 'renewMarginSec' | 'clockSkewSec'>;
}

export interface RegistrySource {
  /** For people: `etcd https://10.0.0.1:2379`. */
  readonly name: string;
  /** The API server that it is in, where policies are too; absent where it is none. */
  readonly store?: ObjectStore;
  /** Waits for a configuration that is not there yet. Throws ConfigError with all that is wrong with it. */
  netConf(signal: AbortSignal): Promise<NetConf>;
  /** Waits for what must be there before a lease can be: a Node object, a namespace. */
  open(request: RegistryRequest, signal: AbortSignal): Promise<LeaseRegistry>;
  /** The addresses that an operator wrote down there for this node, where it has such a place. Waits for the registry. */
  wishedPublicIps?(
    node: string,
    signal: AbortSignal,
  ): Promise<{ readonly ipv4?: IpAddress; readonly ipv6?: IpAddress }>;
  /** Makes known that this node is ready, where the registry is told such a thing. */
  announce?(
    lease: SubnetLease,
    addresses: { readonly ipv4?: IpAddress; readonly ipv6?: IpAddress },
    signal: AbortSignal,
  ): Promise<void>;
}
