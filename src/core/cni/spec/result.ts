/**
 * The result of ADD in one canonical form: that of specification 1.1.0, without its version stamp.
 * Other versions are shapes of it: see encode.ts and decode.ts. Addresses are canonical text.
 */
import type { IpAddress, IpInterface, IpPrefix, MacAddress } from '#base/ip/index.ts';

export interface CniInterface {
  readonly name: string;
  readonly mac?: MacAddress;
  readonly mtu?: number;
  /** The path of the container's namespace; absent for interfaces of the host. */
  readonly sandbox?: string;
  readonly socketPath?: string;
  readonly pciID?: string;
}

export interface CniIp {
  /** With prefix length: `10.1.0.5/16`. */
  readonly address: IpInterface;
  readonly gateway?: IpAddress;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

export interface CniRoute {
  readonly dst: IpPrefix;
  readonly gw?: IpAddress;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  /** rtm_scope: 0 universe, 253 link, 254 host. */
  readonly scope?: number;
}

export interface CniDns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/** What ADD achieved. An IPAM plugin's result has no interfaces. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  /** Absent when there is nothing in it. */
  readonly dns?: CniDns;
}

export const EMPTY_RESULT: CniResult = { interfaces: [], ips: [], routes: [] };

/** The settings, or undefined if none is set. */
export function nonEmptyDns(dns: CniDns | undefined): CniDns | undefined {
  if (dns === undefined) return undefined;
  const kept: CniDns = {
    ...(dns.nameservers?.length && { nameservers: dns.nameservers }),
    ...(dns.domain && { domain: dns.domain }),
    ...(dns.search?.length && { search: dns.search }),
    ...(dns.options?.length && { options: dns.options }),
  };
  return Object.keys(kept).length > 0 ? kept : undefined;
}
