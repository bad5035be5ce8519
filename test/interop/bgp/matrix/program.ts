/** Best routes into the kernel of a namespace, by iproute2. */
import { execFileSync } from 'node:child_process';
import type { BestChange } from '#core/bgp/rib/index.ts';

export function programBest(namespace: string, changes: readonly BestChange[]): void {
  for (const family of [4, 6] as const) {
    const lines = changes.filter((change) => change.family === family).map(lineOf);
    if (lines.length === 0) continue;
    execFileSync('nsenter', [`--net=${namespace}`, 'ip', `-${family}`, '-force', '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  }
}

function lineOf({ prefix, family, route }: BestChange): string {
  if (route === undefined || route.peer === '') return `route flush ${prefix} proto 116`;
  const hops = route.nextHops.map(({ address }) => {
    const isOther = family === 4 && address.includes(':');
    return `nexthop via ${isOther ? `inet6 ${address} dev eth0` : address}`;
  });
  return `route replace ${prefix} proto 116 ${hops.join(' ')}`;
}
