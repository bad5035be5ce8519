/**
 * The scope of a remote subnet's IPv4 route. The kernel keeps next hops (struct fib_info) in a hash table by device, protocol, scope,
 * preferred source and metric, without the gateway: the routes of an overlay, which differ in the gateway alone, would share one chain,
 * and each addition walks it. A metric of its own would part them too, but then somebody else's route to the same subnet, with
 * another metric, would not be in the way any more and might win unseen; and one without would be removed before it is replaced.
 * Scopes that have no name are for anybody (rtnetlink(7)), mean no more than `global` here, and are no part of a route's key.
 */
import { type IpPrefix, putIpv4 } from '#base/ip/index.ts';

/** Below 200, which is `site`; a prime, so that subnets at any regular distance spread over all of them. */
const SCOPES = 199;
/** Used within one call only. */
const scratch = new Uint8Array(4);

/** From 1 to 199, by the destination alone: the same on every node, after every restart. For IPv4 prefixes. */
export function spreadScope(dst: IpPrefix): number {
  const slash = dst.indexOf('/');
  if (!putIpv4(dst, slash, scratch, 0)) throw new RangeError(`not an IPv4 prefix: "${dst}"`);
  const [a, b, c, d] = [
    scratch[0] as number,
    scratch[1] as number,
    scratch[2] as number,
    scratch[3] as number,
  ];
  const number = (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** (32 - Number(dst.slice(slash + 1)));
  return 1 + (Math.floor(number) % SCOPES);
}
