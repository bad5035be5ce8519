/**
 * Port mappings in nf_tables: what comes to a host's port goes to the pod's. Each mapping is one element of a map, so that a packet costs
 * two lookups however many there are; only mappings with conditions have rules of their own.
 */

import { digestHex } from '#base/hash.ts';
import { familyOf, type IpAddress, type IpFamily, type IpPrefix, networkOf } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, element, field, match, type NftElement } from '#core/nft/index.ts';
import {
  addressType,
  baseChain,
  chain,
  cniRule,
  cniTable,
  map,
  type NatObjects,
  PRIORITY,
  prefixName,
} from '../nat/index.ts';
import { matchOf } from './condition.ts';
import type { PortMapping, PortmapConfig } from './config.ts';

const FAMILIES = [4, 6] as const;
const LOOPBACK: Readonly<Record<IpFamily, IpPrefix>> = { 4: '127.0.0.0/8', 6: '::1/128' };
/** NFTNL_UDATA_COMMENT_MAXLEN is 128 with the terminating zero. */
const COMMENT_BYTES = 120;

/** An address of the pod that mappings lead to. */
export interface Target {
  readonly address: IpAddress;
  /** The pod's network: connections from it would be answered past the translation. */
  readonly network: IpPrefix;
  readonly family: IpFamily;
}

/** Any host address, one of them, and under conditions. */
const anyAddress = (family: IpFamily) =>
  map(`hostports${family}`, ['inet_proto', 'inet_service'], [addressType(family), 'inet_service']);
const oneAddress = (family: IpFamily) =>
  map(
    `hostports-on${family}`,
    [addressType(family), 'inet_proto', 'inet_service'],
    [addressType(family), 'inet_service'],
  );
const conditional = (family: IpFamily) =>
  map(`hostports-if${family}`, ['inet_proto', 'inet_service'], 'verdict');
/** What happens to the source, by the pod's address. */
const sources = (family: IpFamily) => map(`hostport-sources${family}`, [addressType(family)], 'verdict');

/** The element that holds a mapping: what makes two of them contend. */
export function mappingElement(
  mapping: PortMapping,
  target: Target,
  owner: string,
  { conditions }: Pick<PortmapConfig, 'conditions'>,
): NftElement {
  const { protocol, hostPort, containerPort, hostIp } = mapping;
  const comment = owner.slice(0, COMMENT_BYTES);
  const { family, address } = target;
  if (conditions[family].length > 0) {
    const data = { verdict: 'jump', chain: conditionChainName(owner, family) } as const;
    return element(conditional(family), [protocol, hostPort], { data, comment });
  }
  const data = [address, containerPort];
  if (hostIp === undefined) return element(anyAddress(family), [protocol, hostPort], { data, comment });
  return element(oneAddress(family), [hostIp, protocol, hostPort], { data, comment });
}

/** All objects of one pod's mappings; `owner` tells the attachment from others. */
export function mappingObjects(config: PortmapConfig, targets: readonly Target[], owner: string): NatObjects {
  const own: KernelObject[] = [];
  const shared: KernelObject[] = [...dispatch()];
  for (const target of targets) {
    const mappings = mappingsFor(config.mappings, target.family);
    if (mappings.length === 0) continue;
    own.push(...mappings.map((mapping) => mappingElement(mapping, target, owner, config)));
    if (config.conditions[target.family].length > 0)
      own.push(conditionChain(config, mappings, target, owner));
    if (!config.snat) continue;
    shared.push(config.masqAll ? EVERY_SOURCE : nearSources(target));
    const data = {
      verdict: 'jump',
      chain: config.masqAll ? EVERY_SOURCE.name : sourcesName(target),
    } as const;
    own.push(element(sources(target.family), [target.address], { data }));
  }
  return { shared, own };
}

/** The mappings that concern a family. */
export function mappingsFor(mappings: readonly PortMapping[], family: IpFamily): PortMapping[] {
  return mappings.filter((mapping) => mapping.family === undefined || mapping.family === family);
}

function dispatch(): KernelObject[] {
  const toHost = cniRule(match.is(field.fibType('daddr'), 'local'), act.jump('hostports'));
  const port = [field.l4proto, field.thDport];
  return [
    cniTable,
    ...FAMILIES.flatMap((family) => [
      anyAddress(family),
      oneAddress(family),
      conditional(family),
      sources(family),
    ]),
    chain('hostports', [
      ...FAMILIES.map((family) => cniRule(act.dnatMap([field.daddr(family), ...port], oneAddress(family)))),
      ...FAMILIES.map((family) => cniRule(nfproto(family), match.vmap(port, conditional(family)))),
      ...FAMILIES.map((family) => cniRule(nfproto(family), act.dnatMap(port, anyAddress(family)))),
    ]),
    baseChain('hostports-in', 'prerouting', 'nat', PRIORITY.dstnat, [toHost]),
    baseChain('hostports-out', 'output', 'nat', PRIORITY.dstnat, [toHost]),
    baseChain(
      'hostport-sources',
      'postrouting',
      'nat',
      PRIORITY.srcnat,
      FAMILIES.map((family) =>
        cniRule(match.is(field.ctStatus, 'dnat'), match.vmap(field.daddr(family), sources(family))),
      ),
    ),
    // route_localnet lets 127.0.0.1 be mapped; nobody but the host itself may send there.
    baseChain('loopback-guard', 'prerouting', 'filter', PRIORITY.raw, [
      cniRule(match.not(field.iifname, 'lo'), match.is(field.daddr(4), LOOPBACK[4]), act.counter, act.drop),
    ]),
  ];
}

const nfproto = (family: IpFamily) => match.is(field.nfproto, family === 4 ? 'ipv4' : 'ipv6');

const EVERY_SOURCE = chain('hostport-sources-all', [cniRule(act.masquerade())]);

/** From the pod's own network, itself included, answers would go straight back; from the loopback address they could not at all. */
function nearSources({ family, network }: Target) {
  return chain(sourcesName({ network }), [
    cniRule(match.is(field.saddr(family), network), act.masquerade()),
    cniRule(match.is(field.saddr(family), LOOPBACK[family]), act.masquerade()),
  ]);
}

function sourcesName({ network }: Pick<Target, 'network'>): string {
  return `hostport-sources-${prefixName(networkOf(network))}`;
}

function conditionChainName(owner: string, family: IpFamily): string {
  return `hostports-if${family}-${digestHex(owner, 12)}`;
}

function conditionChain(
  { conditions }: PortmapConfig,
  mappings: readonly PortMapping[],
  { family, address }: Target,
  owner: string,
): KernelObject {
  const held = conditions[family].map((condition) => matchOf(condition, family));
  return chain(
    conditionChainName(owner, family),
    mappings.map(({ protocol, hostPort, containerPort, hostIp }) =>
      cniRule(
        nfproto(family),
        ...held,
        ...(hostIp === undefined ? [] : [match.is(field.daddr(family), hostIp)]),
        match.is(field.l4proto, protocol),
        match.is(field.thDport, hostPort),
        act.dnat({ family, address, port: containerPort }),
      ),
    ),
  );
}

/** The family and network of an address of the pod. */
export function targetOf(own: IpPrefix, address: IpAddress): Target {
  return { address, network: networkOf(own), family: familyOf(address) };
}
