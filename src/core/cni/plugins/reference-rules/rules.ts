/** What tells the rules that the reference plugins make for one attachment from all others. */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import { familyOf, prefixParts } from '#base/ip/index.ts';
import type { CniEnvironment } from '../../spec/environment.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import type { RuleOwner } from './names.ts';

/** A port of the host that leads to the container. */
export interface MappedPort {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIp?: IpAddress;
  readonly family?: IpFamily;
}

interface Call {
  readonly network: NetworkConfig;
  readonly environment: CniEnvironment;
}

interface Owned extends RuleOwner {
  readonly ifName: string;
  /** The container's, as far as they are known: DEL may not be told. */
  readonly addresses: readonly IpAddress[];
}

export interface PortmapRules extends Owned {
  readonly kind: 'portmap';
  readonly mappings: readonly MappedPort[];
}

export interface MasqueradeRules extends Owned {
  readonly kind: 'masquerade';
}

export interface FirewallRules extends Owned {
  readonly kind: 'firewall';
}

export type ReferenceRules = PortmapRules | MasqueradeRules | FirewallRules;

/** Whose rules a call is about, and to which addresses they go. */
export function ownerOf({ network, environment }: Call): Owned {
  const { ips = [], interfaces = [] } = network.prevResult ?? {};
  return {
    network: network.name,
    containerId: environment.containerId,
    ifName: environment.ifName,
    addresses: ips
      .filter(({ interface: index }) => index === undefined || interfaces[index]?.sandbox)
      .map(({ address }) => prefixParts(address).address),
  };
}

/** The rules of `ipMasq`, where a configuration asks for it. */
export function masqueradeRules(call: Call): MasqueradeRules | undefined {
  return call.network.json['ipMasq'] === true ? { kind: 'masquerade', ...ownerOf(call) } : undefined;
}

/** Where a mapping leads: the container's first address of each family that the mapping is for. */
export function destinationsOf(
  { addresses }: PortmapRules,
  { family }: MappedPort,
): { readonly family: IpFamily; readonly address: IpAddress }[] {
  return ([4, 6] as const).flatMap((each) => {
    const address = addresses.find((candidate) => familyOf(candidate) === each);
    return address === undefined || (family ?? each) !== each ? [] : [{ family: each, address }];
  });
}

/** Of one host alone, as iptables writes it. */
export function hostPrefix(address: IpAddress): string {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}`;
}

/** An address with a port behind it. */
export function withPort(address: IpAddress, port: number): string {
  return familyOf(address) === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}
