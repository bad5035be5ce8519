/**
 * The IPAM plugin static: addresses as configured, or as the runtime asks for. Keys are those of the reference plugin:
 * `ipam.addresses`, `ipam.routes`, `ipam.dns`; IP and GATEWAY in CNI_ARGS; `args.cni.ips`; the capability `ips`.
 */
import { z } from 'zod';
import { familyOf, type IpInterface, networkOf, prefixContains, prefixParts } from '#base/ip/index.ts';
import { parseCniArgs } from '../../spec/args.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { cniIp, dnsField, ipField, prefixField, routeField } from '../../spec/fields.ts';
import { decodeWith, isJsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import { type CniIp, type CniResult, nonEmptyDns } from '../../spec/result.ts';
import { isAtLeast } from '../../spec/version.ts';

/** What every ADD of the network is answered: there is no state. */
export type StaticConfig = Pick<CniResult, 'ips' | 'routes' | 'dns'>;

const address = z.looseObject({ address: prefixField, gateway: ipField.optional() });
const prefixes = z.array(prefixField).optional();

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  ipam: z.looseObject({
    addresses: z.array(address).default([]),
    routes: z.array(routeField).default([]),
    dns: dnsField.optional(),
  }),
  runtimeConfig: z.looseObject({ ips: prefixes }).optional(),
  args: z.looseObject({ cni: z.looseObject({ ips: prefixes }).optional() }).optional(),
});

/**
 * Reads the configuration. Addresses of the capability `ips` replace those of `args.cni.ips`, these those of CNI_ARGS, and these the
 * configured ones. Throws CniError 7, or 4 for bad CNI_ARGS.
 */
export function parseStaticConfig(network: NetworkConfig, cniArgs = ''): StaticConfig {
  if (!isJsonObject(network.json['ipam'])) throw invalid('the network config has no "ipam" section');
  const { ipam, runtimeConfig, args } = decodeWith(schema, network.json, 'invalid network config');
  const fromArgs = addressesInArgs(cniArgs);
  const asked = runtimeConfig?.ips ?? args?.cni?.ips;
  const configured = ipam.addresses.map(({ address: own, gateway }) => ipWith(own, gateway));
  const ips = asked?.length
    ? asked.map((own) => ipWith(own, undefined))
    : fromArgs.length
      ? fromArgs
      : configured;
  if (ips.length === 0)
    throw invalid('ipam.addresses: no address is given, nor does the runtime ask for one');
  requireOneOfEach(network, ips);
  const dns = nonEmptyDns(ipam.dns);
  return { ips, routes: ipam.routes, ...(dns && { dns }) };
}

/** Throws CniError 114 that names the addresses of the configuration which a later result has no more, or with another gateway. */
export function checkStatic({ ips }: StaticConfig, prevResult: CniResult | undefined): void {
  if (prevResult === undefined) return;
  const missing = ips.filter(
    ({ address: own, gateway }) =>
      !prevResult.ips.some(
        (ip) =>
          ip.address === own && (gateway === undefined || ip.gateway === undefined || ip.gateway === gateway),
      ),
  );
  if (missing.length === 0) return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    'static: prevResult is not what the network config gives',
    missing
      .map((ip) => `${ip.address}${ip.gateway === undefined ? '' : ` with gateway ${ip.gateway}`} is missing`)
      .join('; '),
  );
}

// IP=<address>/<length>[,…] and GATEWAY=<address>[,…]: each gateway is for the addresses whose network it lies in.
function addressesInArgs(cniArgs: string): CniIp[] {
  const pairs = parseCniArgs(cniArgs);
  const gateways = listOf(pairs.get('GATEWAY')).map((text) => {
    const gateway = cniIp(text);
    if (gateway === undefined) throw badArgs(`GATEWAY=${text} is not an IP address`);
    return gateway;
  });
  return listOf(pairs.get('IP')).map((text) => {
    const parsed = prefixField.safeParse(text);
    if (!parsed.success) throw badArgs(`IP=${text} is not an address with a prefix length`);
    const own = parsed.data;
    return ipWith(
      own,
      gateways.find((each) => familyOf(each) === familyOf(own) && prefixContains(networkOf(own), each)),
    );
  });
}

function ipWith(own: IpInterface, gateway: string | undefined): CniIp {
  return { address: own, ...(gateway !== undefined && { gateway }) };
}

// Specification 0.2.0, "Result": one ip4 and one ip6.
function requireOneOfEach({ cniVersion }: NetworkConfig, ips: readonly CniIp[]): void {
  if (isAtLeast(cniVersion, '0.3.0')) return;
  for (const family of [4, 6] as const) {
    const count = ips.filter((ip) => familyOf(prefixParts(ip.address).address) === family).length;
    if (count < 2) continue;
    throw invalid(
      `CNI version ${cniVersion} does not support more than one IPv${family} address, ${count} are given`,
    );
  }
}

function listOf(text: string | undefined): string[] {
  return (text ?? '').split(',').filter((each) => each !== '');
}

function badArgs(details: string): CniError {
  return new CniError(CNI_ERROR.invalidEnvironment, `CNI_ARGS: ${details}`);
}

function invalid(details: string): CniError {
  return new CniError(CNI_ERROR.invalidNetworkConfig, 'invalid network config', details);
}
