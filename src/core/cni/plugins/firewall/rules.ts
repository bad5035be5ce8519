/**
 * What may be forwarded to and from pods. Links are closed to each other, a bridge for all pods on it; pods on one bridge never come by
 * the host's forwarding, so that those that are isolated are told apart by their ports, where bridges forward. A pod costs one element
 * for each of its addresses, and one for its port if it is isolated.
 *
 * An accept here ends this chain alone: what another base chain drops stays dropped.
 */
import { familyOf, type IpAddress } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, element, field, match, type NftSet, type NftTable, rule } from '#core/nft/index.ts';
import {
  addressType,
  baseChain,
  chain,
  cniRule,
  cniTable,
  map,
  type NatObjects,
  PRIORITY,
  set,
} from '../nat/index.ts';
import type { IngressPolicy } from './config.ts';

const FAMILIES = [4, 6] as const;

/** Where a pod is attached, on the host. */
export interface Attached {
  /** The link that pods are routed by: a bridge, or the pod's own. */
  readonly link: string;
  /** The pod's port of that bridge. */
  readonly port?: string;
}

const pods = FAMILIES.map((family) => ({
  family,
  set: set(`firewall-pods${family}`, [addressType(family)]),
}));
/** Links of networks with a policy: what comes from one does not go to another. */
const closed = set('firewall-closed', ['ifname']);
/** Of these, those that forward to themselves, and those that do not. */
const sameBridge = map('firewall-same-bridge', ['ifname'], 'verdict');
const isolated = set('firewall-isolated', ['ifname']);

const bridgeTable: NftTable = { ...cniTable, family: 'bridge' };
const isolatedPorts: NftSet = { ...isolated, family: 'bridge' };

/** All objects of one pod. `attached` is needed for policies other than `open`. */
export function firewallObjects(
  addresses: readonly IpAddress[],
  policy: IngressPolicy,
  attached?: Attached,
): NatObjects {
  const own = addresses.flatMap((address) =>
    pods.flatMap((each) => (each.family === familyOf(address) ? [element(each.set, [address])] : [])),
  );
  if (policy === 'open' || attached === undefined) return { shared: forwarding(), own };
  const { link, port } = attached;
  if (policy === 'same-bridge') return { shared: [...forwarding(), ...sameBridgeObjects(link)], own };
  const shared = [...forwarding(), element(closed, [link]), element(isolated, [link])];
  if (port === undefined) return { shared, own };
  return {
    shared: [...shared, ...bridging()],
    own: [...own, element(isolatedPorts, [port])],
  };
}

function forwarding(): KernelObject[] {
  return [
    cniTable,
    closed,
    sameBridge,
    isolated,
    ...pods.map((each) => each.set),
    baseChain('firewall', 'forward', 'filter', PRIORITY.filter, [
      cniRule(
        match.inSet(field.iifname, isolated),
        match.inSet(field.oifname, closed),
        act.counter,
        act.drop,
      ),
      cniRule(match.vmap(field.iifname, sameBridge)),
      ...pods.flatMap((each) => [
        cniRule(
          match.inSet(field.daddr(each.family), each.set),
          match.is(field.ctState, 'established,related'),
          act.accept,
        ),
        cniRule(match.inSet(field.saddr(each.family), each.set), act.accept),
      ]),
    ]),
  ];
}

function sameBridgeObjects(link: string): KernelObject[] {
  const name = `firewall-from-${link.replaceAll(/[^\w./-]/g, '_')}`;
  return [
    element(closed, [link]),
    element(sameBridge, [link], { data: { verdict: 'jump', chain: name } }),
    chain(name, [
      cniRule(match.is(field.oifname, link), act.return),
      cniRule(match.inSet(field.oifname, closed), act.counter, act.drop),
    ]),
  ];
}

/** What bridges forward between two isolated ports, they drop; what goes to the host, and so to the world, they do not forward. */
function bridging(): KernelObject[] {
  const own = { family: 'bridge', table: bridgeTable.name } as const;
  return [
    bridgeTable,
    isolatedPorts,
    {
      ...baseChain('firewall', 'forward', 'filter', PRIORITY.bridgeFilter, []),
      ...own,
      rules: [
        rule('bridge', [
          match.inSet(field.iifname, isolatedPorts),
          match.inSet(field.oifname, isolatedPorts),
          act.counter,
          act.drop,
        ]),
      ],
    },
  ];
}
