/** The routes of an overlay, which come by the thousand: one gateway and nothing beside it. */
import { familyOf } from '#base/ip/index.ts';
import type { Route } from '#core/kernel/index.ts';

/** One gateway of the destination's family, on a link that is named, and nothing beside it. */
export function isPlainRoute(route: Route): boolean {
  const hop = route.nextHops[0];
  return (
    hop?.via !== undefined &&
    hop.link !== undefined &&
    route.nextHops.length === 1 &&
    (hop.weight ?? 1) === 1 &&
    hop.encap === undefined &&
    familyOf(hop.via) === familyOf(route.dst) &&
    (route.type ?? 'unicast') === 'unicast' &&
    route.preferredSource === undefined &&
    route.mtuBytes === undefined &&
    route.advMssBytes === undefined
  );
}
