/** What becomes of a mirror's objects when something beside them changes: next hops that go, links with another name, links that go. */
import { familyOf } from '#base/ip/index.ts';
import type { KernelObject, NextHop, Route } from '#core/kernel/index.ts';

/** The route with fewer next hops. A single one is shown without weight. */
export function withHops(route: Route, hops: readonly NextHop[]): Route {
  const [only] = hops;
  if (only === undefined || hops.length > 1) return { ...route, nextHops: hops };
  const { weight: _, ...hop } = only;
  return { ...route, nextHops: [hop] };
}

/** What is left of an object that names a link, when that link goes; undefined if nothing is. */
export function withoutLink(object: KernelObject, name: string): KernelObject | undefined {
  // The filter stays, and its packets are lost (tcf_mirred: target device is gone).
  if (object.kind === 'filter' && object.link !== name) return { ...object, redirect: '' };
  if (object.kind !== 'route' || familyOf(object.dst) !== 6) return undefined;
  const others = object.nextHops.filter((hop) => hop.link !== name);
  return others.length === 0 ? undefined : withHops(object, others);
}

/** The object on a link's new name. */
export function withLink(object: KernelObject, from: string, to: string): KernelObject {
  switch (object.kind) {
    case 'route':
      return {
        ...object,
        nextHops: object.nextHops.map((hop) => (hop.link === from ? { ...hop, link: to } : hop)),
      };
    case 'filter': {
      const link = object.link === from ? to : object.link;
      return { ...object, link, ...(object.redirect === from && { redirect: to }) };
    }
    case 'address':
    case 'neighbour':
    case 'fdb':
    case 'qdisc':
    case 'wireguard-device':
    case 'wireguard-peer':
    case 'wireguard-allowed-ip':
      return { ...object, link: to };
    default:
      return object;
  }
}
