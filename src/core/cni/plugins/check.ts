/**
 * CHECK and GC for every interface plugin: is what the result of ADD lists still there, and whose links are left behind.
 * Only what the result names is compared, since a later plugin of the chain may have changed the rest (specification 1.1.0, "CHECK").
 */
import { networkOf } from '#base/ip/index.ts';
import type { KernelState, Link } from '#core/kernel/index.ts';
import { CNI, keyOf, linkIn } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import type { NetworkConfig } from '../spec/network-config.ts';
import type { CniInterface, CniResult, CniRoute } from '../spec/result.ts';
import { podRoute } from './attachment.ts';
import type { PluginCall } from './definition.ts';
import { staleLinksOf } from './identity.ts';

/**
 * Throws CniError 7 without prevResult, and CniError 114 that lists all that is missing or different. `recorded` is what the caller
 * found amiss of what it wrote down at ADD.
 */
export function checkAttachment(
  { network, environment, facts }: PluginCall,
  recorded: readonly string[] = [],
): void {
  const prevResult = requirePrevResult(network);
  const problems: string[] = [...recorded];
  for (const link of prevResult.interfaces) {
    const inPod = link.sandbox === environment.netns;
    const mayBeDown = inPod && network.json['disableContainerInterface'] === true;
    if (inPod || !link.sandbox)
      problems.push(...interfaceProblems(link, inPod ? facts.pod : facts.host, mayBeDown));
  }
  if (!prevResult.interfaces.some((link) => link.sandbox === environment.netns)) {
    problems.push(`prevResult has no interface in ${environment.netns}`);
  }
  problems.push(...addressProblems(prevResult, environment.netns, facts.pod));
  problems.push(...routeProblems(prevResult, environment.ifName, facts.pod));
  if (problems.length === 0) return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    `container ${environment.containerId} is not as ADD left it`,
    problems.join('; '),
  );
}

/** The result of the plugins before; throws CniError 7 if there is none. */
export function requirePrevResult({ prevResult }: NetworkConfig): CniResult {
  if (prevResult !== undefined) return prevResult;
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'required prevResult missing',
    'CHECK compares with it, and a chained plugin works on what others made',
  );
}

/** The host links that GC removes: those of the network's attachments that are not valid any more. */
export function linksToCollect({ name, validAttachments }: NetworkConfig, host: KernelState): Link[] {
  return validAttachments ? staleLinksOf(name, validAttachments, host) : [];
}

function interfaceProblems(
  { name, mac, sandbox }: CniInterface,
  state: KernelState,
  mayBeDown: boolean,
): string[] {
  const place = sandbox ? `in ${sandbox}` : 'on the host';
  const link = linkIn(state, name);
  if (link === undefined) return [`interface ${name} is missing ${place}`];
  const problems: string[] = [];
  // Somebody else's bridge may take the address of whichever port comes or goes.
  const keepsMac = link.detail.type !== 'bridge' || link.alias === CNI.alias;
  if (keepsMac && mac !== undefined && link.mac !== undefined && link.mac !== mac) {
    problems.push(`interface ${name} ${place} has MAC ${link.mac}, not ${mac}`);
  }
  if (link.up === false && !mayBeDown) problems.push(`interface ${name} ${place} is down`);
  return problems;
}

function addressProblems({ ips, interfaces }: CniResult, netns: string, pod: KernelState): string[] {
  return ips.flatMap(({ address, interface: index }) => {
    const link = index === undefined ? undefined : interfaces[index];
    if (link === undefined || link.sandbox !== netns) return [];
    const isThere = pod.has(`address ${address} dev ${link.name}`);
    return isThere ? [] : [`address ${address} is missing on ${link.name}`];
  });
}

/** In whatever table: a later plugin of the chain may have moved it. */
function routeProblems({ routes }: CniResult, ifName: string, pod: KernelState): string[] {
  const found = new Set<string>();
  for (const object of pod.values()) if (object.kind === 'route') found.add(object.dst);
  return routes.flatMap((route: CniRoute) => {
    if (found.has(networkOf(route.dst))) return [];
    return [`${keyOf(podRoute(route, ifName, undefined))} is missing`];
  });
}
