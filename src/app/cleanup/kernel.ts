/** What of Poplin's, or of flannel's, is in the kernel, and taking it away: a plan against an empty wish. */
import { type IpPrefix, networkOf, prefixContains } from '#base/ip/index.ts';
import {
  describeObject,
  isAttachmentLink,
  type Kernel,
  type KernelOp,
  type KernelState,
  type Link,
  linksOf,
  type Owner,
  ownerOf,
  plan,
} from '#core/kernel/index.ts';
import type { Row } from './report.ts';

const EMPTY: KernelState = new Map();
const FLANNEL_LINK = /^(?:flannel(?:-v6)?\.\d+|flannel\d+|flannel\.ipip|flannel-wg(?:-v6)?)$/;
const FLANNEL_BRIDGE = 'cni0';
const SHARED = 'others have ports on it: take them off first';

/** What is to go, dependants first, and what stays with a reason. */
export interface KernelRemovals {
  readonly ops: readonly KernelOp[];
  readonly kept: readonly Row[];
}

/** All that carries the marks of the owners; a bridge that somebody else uses too stays, with what lies on it. */
export function planOwn(state: KernelState, owners: readonly Owner[]): KernelRemovals {
  const shared = new Set(
    linksIn(state)
      .filter((link) => isOneOf(owners, ownerOf(link, state)) && foreignPorts(state, link).length > 0)
      .map(({ name }) => name),
  );
  const { ops } = plan(EMPTY, state, {
    owners,
    keep: (object) =>
      object.kind === 'link' ? shared.has(object.name) : linksOf(object).some((name) => shared.has(name)),
  });
  return {
    ops,
    kept: [...shared].map((name) => ({ what: `link ${name}`, done: 'kept', reason: SHARED })),
  };
}

function isOneOf(owners: readonly Owner[], owner: Owner | undefined): boolean {
  return owner !== undefined && owners.includes(owner);
}

/** Devices that flannel makes; its bridge only if nothing is a port of it. */
export function planFlannelLinks(state: KernelState): KernelRemovals {
  const foreign = linksIn(state).filter((link) => ownerOf(link, state) === undefined);
  const devices = foreign.filter(({ name }) => FLANNEL_LINK.test(name));
  const bridge = foreign.find(({ name, detail }) => name === FLANNEL_BRIDGE && detail.type === 'bridge');
  const isFree = bridge !== undefined && portsOf(state, bridge).length === 0;
  return {
    ops: [...devices, ...(isFree ? [bridge] : [])].map((object) => ({ verb: 'remove', object })),
    kept:
      bridge === undefined || isFree
        ? []
        : [{ what: `link ${bridge.name}`, done: 'kept', reason: 'pods or others have ports on it' }],
  };
}

/** Interfaces of pods that are attached, by the alias of their links on the host. */
export function attachedLinks(state: KernelState): string[] {
  return linksIn(state)
    .filter(isAttachmentLink)
    .map(({ alias = '' }) => alias);
}

/**
 * Those of them that have addresses in these networks, as far as the host shows it: routes by their links lead there, or the bridge that
 * they are ports of has an address there.
 */
export function attachedIn(state: KernelState, networks: readonly IpPrefix[]): string[] {
  const ways = new Set<string>();
  for (const object of state.values()) {
    if (object.kind === 'route' && isWithin(object.dst, networks))
      for (const { link } of object.nextHops) if (link !== undefined) ways.add(link);
    if (object.kind === 'address' && isWithin(networkOf(object.address), networks)) ways.add(object.link);
  }
  return linksIn(state)
    .filter((link) => isAttachmentLink(link) && (ways.has(link.name) || ways.has(link.master ?? '')))
    .map(({ alias = '' }) => alias);
}

const isWithin = (prefix: IpPrefix, networks: readonly IpPrefix[]) =>
  networks.some((network) => prefixContains(network, prefix));

/** Carries removals out, or tells of them only. */
export async function removeObjects(
  kernel: Kernel,
  { ops, kept }: KernelRemovals,
  isDry: boolean,
): Promise<Row[]> {
  const failures = isDry || ops.length === 0 ? [] : (await kernel.apply(ops)).failures;
  const told = new Map(failures.map(({ op, message }) => [op, message]));
  const rows = ops.map((op): Row => {
    const what = describeObject(op.object);
    const reason = told.get(op);
    if (reason !== undefined) return { what, done: 'failed', reason };
    return { what, done: isDry ? 'would be removed' : 'removed' };
  });
  return [...rows, ...kept];
}

function linksIn(state: KernelState): Link[] {
  const links: Link[] = [];
  for (const object of state.values()) if (object.kind === 'link') links.push(object);
  return links;
}

function portsOf(state: KernelState, bridge: Link): Link[] {
  return linksIn(state).filter(({ master }) => master === bridge.name);
}

function foreignPorts(state: KernelState, bridge: Link): Link[] {
  return portsOf(state, bridge).filter((port) => ownerOf(port, state) === undefined);
}
