/**
 * The reference plugins' rules in iptables. A container has chains of its own in table `nat`, which rules lead to: `CNI-DN-…` from
 * `CNI-HOSTPORT-DNAT` for mapped ports, `CNI-…` from `POSTROUTING` for masquerading. What the firewall accepts lies in `CNI-FORWARD` of
 * table `filter`, told apart by the address alone. Shared chains stay.
 */
import { familyOf, type IpFamily } from '#base/ip/index.ts';
import { type IptablesListing, type IptablesRule, optionOf, targetOf } from './listing.ts';
import {
  masqueradeChain,
  masqueradeComment,
  oldPortmapChain,
  portmapChain,
  portmapComment,
  type RuleOwner,
} from './names.ts';
import {
  destinationsOf,
  type FirewallRules,
  hostPrefix,
  type MasqueradeRules,
  type PortmapRules,
  type ReferenceRules,
  withPort,
} from './rules.ts';

const PORTMAP_CHAIN = 'CNI-HOSTPORT-DNAT';
const FIREWALL_CHAIN = 'CNI-FORWARD';

/** The table that holds the rules. */
export const tableOf = ({ kind }: ReferenceRules): string => (kind === 'firewall' ? 'filter' : 'nat');

/** The chains of that table without which nothing of an attachment is there. */
export function chainsOf(rules: ReferenceRules): string[] {
  switch (rules.kind) {
    case 'portmap':
      return [portmapChain(rules), oldPortmapChain(rules)];
    case 'masquerade':
      return [masqueradeChain(rules)];
    case 'firewall':
      return [FIREWALL_CHAIN];
  }
}

/** The arguments of iptables, call by call, that take an attachment's rules out of a table. */
export function removals(rules: ReferenceRules, listing: IptablesListing): string[][] {
  switch (rules.kind) {
    case 'portmap':
      return [portmapChain(rules), oldPortmapChain(rules)].flatMap((chain) => chainRemovals(chain, listing));
    case 'masquerade':
      return chainRemovals(masqueradeChain(rules), listing);
    case 'firewall':
      return listing.rules.filter((rule) => isAccepting(rule, rules)).map(removal);
  }
}

/** The same for all containers of a network but these. Rules of the firewall do not tell whose they are. */
export function staleRemovals(
  { kind, network }: ReferenceRules,
  valid: readonly RuleOwner[],
  listing: IptablesListing,
): string[][] {
  if (kind === 'firewall') return [];
  const [from, comment, name] =
    kind === 'portmap'
      ? [PORTMAP_CHAIN, portmapComment(network), portmapChain]
      : ['POSTROUTING', masqueradeComment(network), masqueradeChain];
  const kept = new Set(valid.map(name));
  const found = listing.rules
    .filter((rule) => rule.chain === from && optionOf(rule, '--comment')?.startsWith(comment) === true)
    .flatMap((rule) => targetOf(rule) ?? []);
  return [...new Set(found)]
    .filter((chain) => chain.startsWith('CNI-') && !kept.has(chain))
    .flatMap((chain) => chainRemovals(chain, listing));
}

/** What is not there of an attachment's rules, in words; `listings` are those of the rules' table. */
export function missingRules(
  rules: ReferenceRules,
  listings: Readonly<Record<IpFamily, IptablesListing>>,
): string[] {
  switch (rules.kind) {
    case 'portmap':
      return missingMappings(rules, listings);
    case 'masquerade':
      return missingMasquerades(rules, listings);
    case 'firewall':
      return missingAccepts(rules, listings);
  }
}

function chainRemovals(chain: string, { chains, rules }: IptablesListing): string[][] {
  if (!chains.has(chain)) return [];
  return [...rules.filter((rule) => targetOf(rule) === chain).map(removal), ['-F', chain], ['-X', chain]];
}

function removal({ chain, args }: IptablesRule): string[] {
  return ['-D', chain, ...args];
}

function isAccepting(rule: IptablesRule, { addresses }: FirewallRules): boolean {
  if (rule.chain !== FIREWALL_CHAIN || targetOf(rule) !== 'ACCEPT') return false;
  return addresses.some((address) => {
    const host = hostPrefix(address);
    return isFromPod(rule, host) || isAnswer(rule, host);
  });
}

function isFromPod(rule: IptablesRule, host: string): boolean {
  return rule.chain === FIREWALL_CHAIN && rule.args.join(' ') === `-s ${host} -j ACCEPT`;
}

function isAnswer(rule: IptablesRule, host: string): boolean {
  return (
    rule.chain === FIREWALL_CHAIN &&
    rule.args.join(' ') === `-d ${host} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`
  );
}

function missingMappings(
  rules: PortmapRules,
  listings: Readonly<Record<IpFamily, IptablesListing>>,
): string[] {
  const chain = portmapChain(rules);
  return rules.mappings.flatMap((mapping) =>
    destinationsOf(rules, mapping).flatMap(({ family, address }) => {
      const { hostPort, containerPort, protocol, hostIp } = mapping;
      const listed = listings[family].rules;
      const to = withPort(address, containerPort);
      const isEntry = (rule: IptablesRule) =>
        rule.chain === PORTMAP_CHAIN &&
        targetOf(rule) === chain &&
        optionOf(rule, '-p') === protocol &&
        optionOf(rule, '--dports', '--destination-ports')?.split(',').includes(`${hostPort}`) === true;
      const isMapping = (rule: IptablesRule) =>
        rule.chain === chain &&
        targetOf(rule) === 'DNAT' &&
        optionOf(rule, '-p') === protocol &&
        optionOf(rule, '--dport') === `${hostPort}` &&
        optionOf(rule, '-d') === (hostIp && hostPrefix(hostIp)) &&
        optionOf(rule, '--to-destination') === to;
      const where = `${program(family)}, table nat`;
      return [
        ...(listed.some(isEntry)
          ? []
          : [`${where}: no rule of ${PORTMAP_CHAIN} leads ${protocol} port ${hostPort} to ${chain}`]),
        ...(listed.some(isMapping)
          ? []
          : [`${where}: no rule of ${chain} leads ${protocol} port ${hostPort} to ${to}`]),
        ...missingJumps(listings[family], ['PREROUTING', 'OUTPUT'], PORTMAP_CHAIN, where),
      ];
    }),
  );
}

function missingMasquerades(
  rules: MasqueradeRules,
  listings: Readonly<Record<IpFamily, IptablesListing>>,
): string[] {
  const chain = masqueradeChain(rules);
  return rules.addresses.flatMap((address) => {
    const family = familyOf(address);
    const listed = listings[family].rules;
    const isEntry = (rule: IptablesRule) =>
      rule.chain === 'POSTROUTING' &&
      targetOf(rule) === chain &&
      optionOf(rule, '-s') === hostPrefix(address);
    const isMasquerade = (rule: IptablesRule) => rule.chain === chain && targetOf(rule) === 'MASQUERADE';
    const where = `${program(family)}, table nat`;
    return [
      ...(listed.some(isEntry) ? [] : [`${where}: no rule of POSTROUTING leads ${address} to ${chain}`]),
      ...(listed.some(isMasquerade) ? [] : [`${where}: no rule of ${chain} masquerades`]),
    ];
  });
}

function missingAccepts(
  { addresses }: FirewallRules,
  listings: Readonly<Record<IpFamily, IptablesListing>>,
): string[] {
  return addresses.flatMap((address) => {
    const family = familyOf(address);
    const { rules } = listings[family];
    const host = hostPrefix(address);
    const where = `${program(family)}, table filter`;
    return [
      ...(rules.some((rule) => isAnswer(rule, host))
        ? []
        : [`${where}: no rule of ${FIREWALL_CHAIN} accepts answers to ${address}`]),
      ...(rules.some((rule) => isFromPod(rule, host))
        ? []
        : [`${where}: no rule of ${FIREWALL_CHAIN} accepts what comes from ${address}`]),
      ...missingJumps(listings[family], ['FORWARD'], FIREWALL_CHAIN, where),
    ];
  });
}

function missingJumps(
  { rules }: IptablesListing,
  chains: readonly string[],
  to: string,
  where: string,
): string[] {
  return chains
    .filter((chain) => !rules.some((rule) => rule.chain === chain && targetOf(rule) === to))
    .map((chain) => `${where}: no rule of ${chain} leads to ${to}`);
}

function program(family: IpFamily): string {
  return family === 4 ? 'iptables' : 'ip6tables';
}
