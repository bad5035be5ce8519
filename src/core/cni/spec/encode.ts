/**
 * The canonical result in the shape of each specification version.
 *   0.1.0, 0.2.0        ip4 and ip6, one address each, with their routes; no interfaces
 *   0.3.0, 0.3.1, 0.4.0 interfaces (name, mac, sandbox), ips with `version`, routes (dst, gw)
 *   1.0.0, 1.1.0        ips without `version`; what 1.1.0 added to interfaces and routes is kept, as the reference does
 * Empty lists and an empty dns are left out.
 */
import { familyOf, type IpFamily } from '#base/ip/index.ts';
import { CNI_ERROR, CniError } from './error.ts';
import type { JsonObject } from './json.ts';
import { type CniIp, type CniResult, type CniRoute, nonEmptyDns } from './result.ts';
import { type CniVersion, isAtLeast } from './version.ts';

/** The result as that version's JSON object; throws CniError 7 for 0.1.0 and 0.2.0 if there is no address at all. */
export function encodeResult(result: CniResult, version: CniVersion): JsonObject {
  const dns = nonEmptyDns(result.dns);
  const body = isAtLeast(version, '0.3.0') ? encodeLists(result, version) : encodeFamilies(result, version);
  return { cniVersion: version, ...body, ...(dns && { dns }) };
}

function encodeLists({ interfaces, ips, routes }: CniResult, version: CniVersion): JsonObject {
  const isModern = isAtLeast(version, '1.0.0');
  return {
    ...(interfaces.length > 0 && {
      interfaces: isModern
        ? interfaces
        : interfaces.map(({ name, mac, sandbox }) => ({
            name,
            ...(mac !== undefined && { mac }),
            ...(sandbox !== undefined && { sandbox }),
          })),
    }),
    ...(ips.length > 0 && {
      ips: isModern ? ips : ips.map((ip) => ({ version: String(familyOf(ip.address)), ...ip })),
    }),
    ...(routes.length > 0 && { routes: isModern ? routes : routes.map(plainRoute) }),
  };
}

// Specification 0.2.0, "Result": one address a family at most, and at least one.
function encodeFamilies({ ips, routes }: CniResult, version: CniVersion): JsonObject {
  const family = (wanted: IpFamily): JsonObject | undefined => {
    const first: CniIp | undefined = ips.find((ip) => familyOf(ip.address) === wanted);
    if (first === undefined) return undefined;
    const own = routes.filter((route) => familyOf(route.dst) === wanted).map(plainRoute);
    return {
      ip: first.address,
      ...(first.gateway !== undefined && { gateway: first.gateway }),
      ...(own.length > 0 && { routes: own }),
    };
  };
  const ip4 = family(4);
  const ip6 = family(6);
  if (ip4 === undefined && ip6 === undefined) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      `a result of CNI version ${version} needs an IP address and there is none`,
      'configure "ipam", or use cniVersion 0.3.0 or later',
    );
  }
  return { ...(ip4 && { ip4 }), ...(ip6 && { ip6 }) };
}

function plainRoute({ dst, gw }: CniRoute): CniRoute {
  return { dst, ...(gw !== undefined && { gw }) };
}
