/** Routes as RTM_NEWROUTE and RTM_DELROUTE. */
import { familyOf } from '#base/ip/index.ts';
import { type KernelOp, MAIN_TABLE, type NextHop, type Route, routeMetric } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { type LinkIndex, requireIndex } from './link-index.ts';
import { type NextHopRecord, RTNH_F } from './next-hop.ts';
import { type RouteMessage, RTM_ROUTE, routeMessage } from './route.ts';
import { AF } from './scope.ts';
import { encapOf } from './tunnel-encap.ts';

const FLAGS = { add: NLM_F.CREATE | NLM_F.EXCL, replace: NLM_F.CREATE | NLM_F.REPLACE, remove: 0 } as const;
/** What the eight bits of rtm_table say when the number needs RTA_TABLE. */
const RT_TABLE_COMPAT = 252;

/** Adds, replaces or removes a route. Throws MissingLinkError. */
export function encodeRoute(verb: KernelOp['verb'], route: Route, links: LinkIndex): Uint8Array {
  const family = familyOf(route.dst);
  const table = route.table ?? MAIN_TABLE;
  const metric = routeMetric(route);
  const slash = route.dst.indexOf('/');
  const attributes: Mutable<RouteMessage['attributes']> = { dst: route.dst.slice(0, slash) };
  if (table > 255) attributes.table = table;
  if (metric !== 0) attributes.priority = metric;
  if (verb !== 'remove') {
    if (route.preferredSource !== undefined) attributes.preferredSource = route.preferredSource;
    if (route.mtuBytes !== undefined || route.advMssBytes !== undefined) {
      attributes.metrics = {
        ...(route.mtuBytes === undefined ? {} : { mtu: route.mtuBytes }),
        ...(route.advMssBytes === undefined ? {} : { advMss: route.advMssBytes }),
      };
    }
  }
  let flags = 0;
  // A removal names the key and the owner; next hops would have to match to the letter, and may be dead by now.
  const [first] = route.nextHops;
  if (verb !== 'remove' && first !== undefined) {
    if (route.nextHops.length > 1) {
      attributes.nextHops = route.nextHops.map((hop) => nextHopRecord(hop, family, links));
    } else {
      setGateway(attributes, first, family);
      if (first.link !== undefined) attributes.outputLink = requireIndex(links, first.link);
      if (first.onlink === true) flags = RTNH_F.ONLINK;
      if (first.encap !== undefined) Object.assign(attributes, encapOf(first.encap));
    }
  }
  return encodeMessage(routeMessage, {
    type: verb === 'remove' ? RTM_ROUTE.DEL : RTM_ROUTE.NEW,
    flags: FLAGS[verb],
    payload: {
      family: family === 4 ? AF.INET : AF.INET6,
      dstLength: Number(route.dst.slice(slash + 1)),
      srcLength: 0,
      tos: 0,
      table: table > 255 ? RT_TABLE_COMPAT : table,
      protocol: route.protocol,
      // On removal IPv4 takes RT_SCOPE_NOWHERE for any scope (fib_table_delete); IPv6 knows no scopes.
      scope: verb === 'remove' ? 'nowhere' : scopeOf(route, family),
      type: route.type ?? 'unicast',
      flags,
      attributes,
    },
  });
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What `ip route` would choose: host for local routes, link for what has no gateway. */
function scopeOf(route: Route, family: 4 | 6): NonNullable<Route['scope']> {
  if (family === 6) return 'global';
  if (route.scope !== undefined) return route.scope;
  if (route.type === 'local') return 'host';
  const isUnicast = route.type === undefined || route.type === 'unicast';
  return isUnicast && route.nextHops.every((hop) => hop.via === undefined) ? 'link' : 'global';
}

function setGateway(to: { gateway?: string; via?: string }, hop: NextHop, family: 4 | 6): void {
  if (hop.via === undefined) return;
  if (familyOf(hop.via) === family) to.gateway = hop.via;
  else to.via = hop.via;
}

function nextHopRecord(hop: NextHop, family: 4 | 6, links: LinkIndex): NextHopRecord {
  const attributes: { gateway?: string; via?: string } = {};
  setGateway(attributes, hop, family);
  return {
    flags: hop.onlink === true ? RTNH_F.ONLINK : 0,
    hops: (hop.weight ?? 1) - 1,
    index: hop.link === undefined ? 0 : requireIndex(links, hop.link),
    attributes: { ...attributes, ...(hop.encap === undefined ? {} : encapOf(hop.encap)) },
  };
}
