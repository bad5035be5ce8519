/** Best routes into the kernel of a namespace, by iproute2. */
import { execFileSync } from 'node:child_process';
import { isLinkLocal } from '#base/ip/index.ts';
import type { BestChange } from '#core/bgp/rib/index.ts';

/** The link that a peer's link-local next hops are on, where its configuration says it. */
type LinkOf = (peer: string) => string | undefined;

export function programBest(namespace: string, changes: readonly BestChange[], linkOf: LinkOf): void {
  for (const family of [4, 6] as const) {
    const lines = changes
      .filter((change) => change.family === family)
      .map((change) => lineOf(change, linkOf));
    if (lines.length === 0) continue;
    execFileSync('nsenter', [`--net=${namespace}`, 'ip', `-${family}`, '-force', '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  }
}

function lineOf({ prefix, family, route }: BestChange, linkOf: LinkOf): string {
  if (route === undefined || route.peer === '') return `route flush ${prefix} proto 116`;
  const hops = route.nextHops.map(({ address, linkLocal = address, peer }) => {
    const link = linkOf(peer);
    const via = link !== undefined && isLinkLocal(linkLocal) ? linkLocal : address;
    const isOther = family === 4 && via.includes(':');
    const device = isOther || isLinkLocal(via) ? ` dev ${link ?? 'eth0'}` : '';
    return `nexthop via ${isOther ? 'inet6 ' : ''}${via}${device}`;
  });
  return `route replace ${prefix} proto 116 ${hops.join(' ')}`;
}
