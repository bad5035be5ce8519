/** A result of any specification version, as another plugin or a runtime wrote it, in canonical form. The inverse of encode.ts. */
import { z } from 'zod';
import { CNI_ERROR } from './error.ts';
import { dnsField, ipField, macField, prefixField, routeField } from './fields.ts';
import { decodeWith, isJsonObject } from './json.ts';
import { type CniInterface, type CniIp, type CniResult, type CniRoute, nonEmptyDns } from './result.ts';
import { type CniVersion, DEFAULT_VERSION, isAtLeast, reconcileVersion } from './version.ts';

const interfaceField = z
  .looseObject({
    name: z.string(),
    mac: macField.optional(),
    mtu: z.int().optional(),
    sandbox: z.string().optional(),
    socketPath: z.string().optional(),
    pciID: z.string().optional(),
  })
  .transform(({ name, mac, mtu, sandbox, socketPath, pciID }): CniInterface => {
    return {
      name,
      ...(mac && { mac }),
      ...(mtu && { mtu }),
      ...(sandbox && { sandbox }),
      ...(socketPath && { socketPath }),
      ...(pciID && { pciID }),
    };
  });

const ipEntryField = z
  .looseObject({ address: prefixField, gateway: ipField.optional(), interface: z.int().optional() })
  .transform(({ address, gateway, interface: index }): CniIp => {
    return { ...(index !== undefined && { interface: index }), address, ...(gateway && { gateway }) };
  });

const listResult = z.looseObject({
  interfaces: z.array(interfaceField).default([]),
  ips: z.array(ipEntryField).default([]),
  routes: z.array(routeField).default([]),
  dns: dnsField.optional(),
});

const familyField = z.looseObject({
  ip: prefixField,
  gateway: ipField.optional(),
  routes: z.array(routeField).default([]),
});

const familyResult = z.looseObject({
  ip4: familyField.optional(),
  ip6: familyField.optional(),
  dns: dnsField.optional(),
});

/**
 * The canonical form of a result. Its `cniVersion` decides the shape; where it has none, `version` does.
 * Throws CniError 1 for an unknown version and CniError 6 for a malformed result.
 */
export function decodeResult(
  json: unknown,
  version: CniVersion = DEFAULT_VERSION,
  what = 'result',
): CniResult {
  const stamp = isJsonObject(json) ? json['cniVersion'] : undefined;
  const actual = typeof stamp === 'string' && stamp !== '' ? reconcileVersion(stamp) : version;
  const msg = `cannot decode ${what} of CNI version ${actual}`;
  if (isAtLeast(actual, '0.3.0')) {
    const { interfaces, ips, routes, dns } = decodeWith(listResult, json, msg, CNI_ERROR.decodingFailure);
    return withDns({ interfaces, ips, routes }, dns);
  }
  const { ip4, ip6, dns } = decodeWith(familyResult, json, msg, CNI_ERROR.decodingFailure);
  const ips: CniIp[] = [];
  const routes: CniRoute[] = [];
  for (const family of [ip4, ip6]) {
    if (family === undefined) continue;
    ips.push({ address: family.ip, ...(family.gateway && { gateway: family.gateway }) });
    routes.push(...family.routes);
  }
  return withDns({ interfaces: [], ips, routes }, dns);
}

function withDns(result: CniResult, dns: CniResult['dns']): CniResult {
  const kept = nonEmptyDns(dns);
  return kept ? { ...result, dns: kept } : result;
}
