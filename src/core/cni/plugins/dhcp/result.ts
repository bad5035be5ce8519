/**
 * A lease as the result of an IPAM plugin, as the reference gives it: one address with its gateway, and routes. Name servers, domains and
 * the MTU are in it only if the configuration asks for them by name.
 */
import { type DhcpLease, OPTION } from '#core/dhcp/index.ts';
import { type CniDns, type CniResult, type CniRoute, nonEmptyDns } from '../../spec/result.ts';
import type { DhcpConfig } from './config.ts';

const ON_LINK = '0.0.0.0';
/** rtm_scope. */
const SCOPE_LINK = 253;

export function dhcpResult(
  lease: DhcpLease,
  { named, priority }: Pick<DhcpConfig, 'named' | 'priority'>,
): CniResult {
  const { address, router, mtuBytes } = lease;
  const isNamed = (code: number) => named.includes(code);
  const routes = lease.routes.map(({ destination, router: via }): CniRoute => {
    return {
      dst: destination,
      ...(via === ON_LINK ? { scope: SCOPE_LINK } : { gw: via }),
      ...(priority !== undefined && { priority }),
      ...(mtuBytes !== undefined && isNamed(OPTION.interfaceMtu) && { mtu: mtuBytes }),
    };
  });
  const dns: CniDns = {
    ...(isNamed(OPTION.nameServers) && { nameservers: lease.nameServers }),
    ...(isNamed(OPTION.domainName) && lease.domain !== undefined && { domain: lease.domain }),
    ...(isNamed(OPTION.domainSearch) && { search: lease.search }),
  };
  const kept = nonEmptyDns(dns);
  return {
    interfaces: [],
    ips: [{ address, ...(router !== undefined && { gateway: router }) }],
    routes,
    ...(kept && { dns: kept }),
  };
}
