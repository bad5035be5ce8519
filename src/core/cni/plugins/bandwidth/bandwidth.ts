/**
 * The bandwidth plugin, behind one that made a veth pair: what goes to the container waits in a token bucket at the host's end; what it
 * sends is redirected, as it comes in there, to an ifb link with a bucket of its own. Names, numbers and results are those of the
 * reference implementation (containernetworking/plugins 1.1), so that CHECK and DEL of either serve pods of the other.
 */
import { localMac } from '#base/hash.ts';
import { sha512Hex } from '#base/sha512.ts';
import {
  CNI,
  isAttachmentLink,
  type KernelObject,
  type Link,
  linkIn,
  type Qdisc,
} from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import type { CniResult } from '../../spec/result.ts';
import { attachmentOf } from '../attachment.ts';
import { requirePrevResult } from '../check.ts';
import type { AddPlan, DelPlan, InterfacePlugin, PluginCall, PreparedAdd } from '../definition.ts';
import { attachmentAlias, chainedAlias, linksOf } from '../identity.ts';
import { burstBytesOf, isShapedAs, type Shape } from './bucket.ts';
import { type BandwidthConfig, parseBandwidthConfig } from './config.ts';

const TYPE = 'bandwidth';

export const bandwidthPlugin: InterfacePlugin = {
  type: TYPE,
  chained: true,
  prepareAdd,
  planDel,
  check,
};

/** The link that a container's packets are shaped on: fifteen characters, as the reference has them. */
export function ifbName(network: string, containerId: string): string {
  return `bwp${sha512Hex(network + containerId).slice(0, 12)}`;
}

function prepareAdd(call: PluginCall): PreparedAdd {
  const prevResult = requirePrevResult(call.network);
  const config = parseBandwidthConfig(call.network);
  if (config.ingress === undefined && config.egress === undefined)
    return { ipam: { kind: 'none' }, plan: () => planOf(prevResult, [], []) };
  const hostLink = hostLinkOf(call, prevResult);
  if (config.ingress !== undefined) refuseForeignQdisc(call, hostLink);
  const ifb = config.egress && ifbLink(call, hostLink);
  return { ipam: { kind: 'none' }, plan: () => planAdd(prevResult, config, hostLink, ifb) };
}

function planAdd(
  prevResult: CniResult,
  { ingress, egress }: BandwidthConfig,
  hostLink: Link,
  ifb: Link | undefined,
): AddPlan {
  const objects: KernelObject[] = [];
  if (ingress !== undefined) objects.push(rootQdisc(hostLink.name, ingress));
  const warnings = ingress === undefined ? [] : sizeWarnings('ingress', ingress, hostLink);
  if (egress === undefined || ifb === undefined) return planOf(prevResult, objects, warnings);
  objects.push(
    ifb,
    rootQdisc(ifb.name, egress),
    { kind: 'qdisc', link: hostLink.name, parent: 'ingress', detail: { type: 'ingress' } },
    {
      kind: 'filter',
      link: hostLink.name,
      parent: 'ingress',
      preference: CNI.filterPreference,
      redirect: ifb.name,
    },
  );
  const made = { name: ifb.name, ...(ifb.mac !== undefined && { mac: ifb.mac }) };
  const result = { ...prevResult, interfaces: [...prevResult.interfaces, made] };
  return planOf(result, objects, [...warnings, ...sizeWarnings('egress', egress, hostLink)]);
}

function planOf(
  result: CniResult,
  hostObjects: readonly KernelObject[],
  warnings: readonly string[],
): AddPlan {
  return { result, hostRemovals: [], sharedObjects: [], hostObjects, podObjects: [], warnings };
}

function rootQdisc(link: string, detail: Shape): Qdisc {
  return { kind: 'qdisc', link, parent: 'root', handle: CNI.qdiscHandle, detail };
}

/** A packet that does not fit the bucket never passes it. */
function sizeWarnings(direction: string, shape: Shape, { mtuBytes = 0 }: Link): string[] {
  const burstBytes = burstBytesOf(shape);
  if (burstBytes >= mtuBytes) return [];
  return [
    `${direction}Burst: ${burstBytes} bytes is less than a packet of ${mtuBytes} bytes: such packets are dropped`,
  ];
}

/** The host's end of the container's pair: the one veth without a sandbox that the result names, or of several that of the attachment. */
function hostLinkOf(call: PluginCall, { interfaces }: CniResult): Link {
  const found = interfaces.flatMap(({ name, sandbox }) => {
    const link = sandbox ? undefined : linkIn(call.facts.host, name);
    return link?.detail.type === 'veth' ? [link] : [];
  });
  const alias = attachmentAlias(attachmentOf(call));
  const [only, ...others] = found.length > 1 ? found.filter((link) => link.alias === alias) : found;
  if (only !== undefined && others.length === 0) return only;
  const names = found.map(({ name }) => name).join(', ');
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    found.length === 0
      ? 'prevResult names no veth on the host'
      : `prevResult names several veths on the host: ${names}`,
    `container interface ${call.environment.ifName} is shaped at the host's end of its pair`,
  );
}

function refuseForeignQdisc({ facts }: PluginCall, { name }: Link): void {
  const found = facts.host.get(`qdisc dev ${name} root`);
  if (found?.kind !== 'qdisc' || found.handle === CNI.qdiscHandle) return;
  throw new CniError(
    CNI_ERROR.linkConflict,
    `"${name}" has a root qdisc already: ${kindOf(found)} ${found.handle?.toString(16)}:`,
    `remove it (tc qdisc del dev ${name} root), or leave ingressRate out`,
  );
}

function ifbLink(call: PluginCall, hostLink: Link): Link {
  const { network, environment, facts } = call;
  const name = ifbName(network.name, environment.containerId);
  const alias = chainedAlias(attachmentOf(call), TYPE);
  const existing = linkIn(facts.host, name);
  if (existing !== undefined && existing.alias !== alias)
    throw new CniError(
      CNI_ERROR.linkConflict,
      `"${name}" already exists`,
      `container ${environment.containerId} is shaped in network ${network.name} already; run DEL first`,
    );
  return {
    kind: 'link',
    name,
    detail: { type: 'ifb' },
    up: true,
    mac: localMac(`${network.name}/${environment.containerId}/${environment.ifName}/ifb`),
    ...(hostLink.mtuBytes !== undefined && { mtuBytes: hostLink.mtuBytes }),
    alias,
    ...(facts.ipv6 && { addressGeneration: 'none' }),
  };
}

/** The ifb, whoever made it, what redirects to it, and buckets of ours; the host's end itself is another plugin's to remove. */
function planDel(call: PluginCall): DelPlan {
  const { network, environment, facts } = call;
  const ifb = linkIn(facts.host, ifbName(network.name, environment.containerId));
  const alias = chainedAlias(attachmentOf(call), TYPE);
  const isOurs = ifb?.detail.type === 'ifb' && (ifb.alias === undefined || ifb.alias === alias);
  const hostLinks = new Set(hostLinksToLeave(call));
  const filters = [...facts.host.values()].filter((object) => object.kind === 'filter');
  // That of a container whose ifb is gone already has no target to be told by.
  const redirects = filters.filter(
    ({ link, redirect, preference }) =>
      (isOurs && redirect === ifb.name) || (hostLinks.has(link) && preference === CNI.filterPreference),
  );
  for (const { link } of redirects) hostLinks.add(link);
  const removals: KernelObject[] = [...redirects];
  for (const name of hostLinks) {
    const root = facts.host.get(`qdisc dev ${name} root`);
    if (root?.kind === 'qdisc' && root.handle === CNI.qdiscHandle) removals.push(root);
    const ingress = facts.host.get(`qdisc dev ${name} ingress`);
    const onIt = filters.filter(({ link }) => link === name);
    const isEmptied = onIt.length > 0 && onIt.every((filter) => redirects.includes(filter));
    if (ingress?.kind === 'qdisc' && ingress.detail.type === 'ingress' && isEmptied) removals.push(ingress);
  }
  if (isOurs) removals.push(ifb);
  return { hostRemovals: removals, podRemovals: [], podObjects: [] };
}

/** The host links that may be the container's: those of the attachment, and those the result names that are no other attachment's. */
function hostLinksToLeave(call: PluginCall): string[] {
  const { network, facts } = call;
  const own = linksOf(attachmentOf(call), facts.host);
  const named = (network.prevResult?.interfaces ?? []).flatMap(({ name, sandbox }) => {
    const link = sandbox ? undefined : linkIn(facts.host, name);
    return link === undefined || isAttachmentLink(link) ? [] : [link];
  });
  return [...own, ...named].map(({ name }) => name);
}

function check(call: PluginCall, isRecorded: boolean): void {
  const prevResult = requirePrevResult(call.network);
  const { ingress, egress } = parseBandwidthConfig(call.network);
  if (ingress === undefined && egress === undefined) return;
  const { host } = call.facts;
  const { name } = hostLinkOf(call, prevResult);
  const problems = ingress === undefined ? [] : shapeProblems(call, name, ingress, isRecorded);
  if (egress !== undefined) {
    const ifb = ifbName(call.network.name, call.environment.containerId);
    const isRedirected = [...host.values()].some(
      (object) => object.kind === 'filter' && object.link === name && object.redirect === ifb,
    );
    if (linkIn(host, ifb) === undefined) problems.push(`interface ${ifb} is missing on the host`);
    else problems.push(...shapeProblems(call, ifb, egress, isRecorded));
    if (!isRedirected) problems.push(`no filter redirects what comes in by ${name} to ${ifb}`);
  }
  if (problems.length === 0) return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    `container ${call.environment.containerId} is not shaped as ADD left it`,
    problems.join('; '),
  );
}

function shapeProblems({ facts }: PluginCall, link: string, wished: Shape, isRecorded: boolean): string[] {
  const found = facts.host.get(`qdisc dev ${link} root`);
  if (found?.kind !== 'qdisc') return [`${link} has no root qdisc`];
  // Releases of the reference from 1.6 on shape by classes of htb, which are not read here.
  if (!isRecorded && kindOf(found) === 'htb') return [];
  if (found.detail.type !== 'tbf') return [`${link} has a root qdisc of kind ${kindOf(found)}, not tbf`];
  if (isShapedAs(found.detail, wished)) return [];
  const text = ({ rateBytesPerSec, bucketTicks, limitBytes }: Shape) =>
    `rate ${rateBytesPerSec} bytes/s, bucket ${bucketTicks} ticks, limit ${limitBytes} bytes`;
  return [`${link} is shaped to ${text(found.detail)}, not to ${text(wished)}`];
}

function kindOf({ detail }: Qdisc): string {
  return detail.type === 'other' ? detail.qdiscKind : detail.type;
}
