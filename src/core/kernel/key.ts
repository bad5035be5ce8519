/** The identity of each kernel object: two objects with one key cannot both exist in a namespace. Keys read like `ip` commands. */
import { familyOf } from '#base/ip/index.ts';
import { elementKeyText } from '#core/nft/index.ts';
import type { KernelObject, Route, Rule } from './state.ts';

export const MAIN_TABLE = 254;
const ALL_ZERO_MAC = '00:00:00:00:00:00';

export function keyOf(object: KernelObject): string {
  switch (object.kind) {
    case 'link':
      return `link ${object.name}`;
    case 'address':
      return `address ${object.address} dev ${object.link}`;
    case 'route':
      return flat(
        'route ',
        object.dst,
        ' table ',
        object.table ?? MAIN_TABLE,
        ' metric ',
        routeMetric(object),
      );
    case 'neighbour':
      return flat('neighbour ', object.address, ' dev ', object.link);
    case 'fdb':
      // The all-zero MAC floods: it may have many destinations. Any other MAC has one.
      if (object.mac === ALL_ZERO_MAC) return `fdb ${object.mac} dev ${object.link} dst ${object.dst}`;
      return flat('fdb ', object.mac, ' dev ', object.link);
    case 'rule':
      return ruleKey(object);
    case 'qdisc':
      return `qdisc dev ${object.link} ${object.parent}`;
    case 'filter':
      return `filter dev ${object.link} ${object.parent} pref ${object.preference}`;
    case 'wireguard-device':
      return `wireguard dev ${object.link}`;
    case 'wireguard-peer':
      return flat('wireguard peer ', object.publicKey, ' dev ', object.link);
    case 'wireguard-allowed-ip':
      return flat('wireguard allowed-ip ', object.prefix, ' dev ', object.link);
    case 'sysctl':
      return `sysctl ${object.path}`;
    case 'nft-table':
      return `nft table ${object.family} ${object.name}`;
    case 'nft-chain':
      return `nft chain ${object.family} ${object.table} ${object.name}`;
    case 'nft-set':
      return `nft set ${object.family} ${object.table} ${object.name}`;
    case 'nft-element':
      return flat(
        'nft element ',
        object.family,
        ' ',
        object.table,
        ' ',
        object.set,
        ' ',
        elementKeyText(object),
      );
  }
}

/** Joined at once, the text is one piece: an expression with `+` would stay a tree of its parts, and there are thousands to keep. */
function flat(...parts: (string | number)[]): string {
  return parts.join('');
}

/** The metric the kernel will show: 0 for IPv4, 1024 for IPv6 where none is given. */
export function routeMetric(route: Route): number {
  return route.metric ?? (familyOf(route.dst) === 6 ? 1024 : 0);
}

function ruleKey(rule: Rule): string {
  const parts = [`rule -${rule.family} ${rule.priority}`];
  if (rule.from !== undefined) parts.push(`from ${rule.from}`);
  if (rule.to !== undefined) parts.push(`to ${rule.to}`);
  if (rule.mark !== undefined) parts.push(`fwmark ${rule.mark.value}/${rule.mark.mask}`);
  if (rule.inputLink !== undefined) parts.push(`iif ${rule.inputLink}`);
  if (rule.outputLink !== undefined) parts.push(`oif ${rule.outputLink}`);
  parts.push(`lookup ${rule.table}`);
  return parts.join(' ');
}
