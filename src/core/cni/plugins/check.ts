/**
 * CHECK and GC for every interface plugin: is what the result of ADD lists still there, and whose links are left behind.
 * Only what the result names is compared, since a later plugin of the chain may have changed the rest (specification 1.1.0, "CHECK").
 */
import type { KernelState, Link } from '#core/kernel/index.ts';
import { keyOf, linkIn } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import type { CniInterface, CniResult } from '../spec/result.ts';
import { podRoute } from './attachment.ts';
import type { PluginCall } from './definition.ts';
import { staleLinksOf } from './identity.ts';

/** Throws CniError 7 without prevResult, and CniError 114 that lists all that is missing or different. */
export function checkAttachment({ network, environment, facts }: PluginCall): void {
  const { prevResult } = network;
  if (prevResult === undefined) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      'required prevResult missing',
      'CHECK compares with it',
    );
  }
  const problems: string[] = [];
  for (const link of prevResult.interfaces) {
    const inPod = link.sandbox === environment.netns;
    if (inPod || !link.sandbox) problems.push(...interfaceProblems(link, inPod ? facts.pod : facts.host));
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

/** The host links that GC removes: those of the network's attachments that are not valid any more. */
export function planGc({ network, facts }: Pick<PluginCall, 'network' | 'facts'>): Link[] {
  const { validAttachments } = network;
  return validAttachments ? staleLinksOf(network.name, validAttachments, facts.host) : [];
}

function interfaceProblems({ name, mac, sandbox }: CniInterface, state: KernelState): string[] {
  const place = sandbox ? `in ${sandbox}` : 'on the host';
  const link = linkIn(state, name);
  if (link === undefined) return [`interface ${name} is missing ${place}`];
  const problems: string[] = [];
  if (mac !== undefined && link.mac !== undefined && link.mac !== mac) {
    problems.push(`interface ${name} ${place} has MAC ${link.mac}, not ${mac}`);
  }
  if (link.up === false) problems.push(`interface ${name} ${place} is down`);
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

function routeProblems({ routes }: CniResult, ifName: string, pod: KernelState): string[] {
  return routes.flatMap((route) => {
    const key = keyOf(podRoute(route, ifName, undefined));
    return pod.has(key) ? [] : [`${key} is missing`];
  });
}
