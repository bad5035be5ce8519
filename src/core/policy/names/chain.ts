/** Which names an answer tells addresses of: the one that was asked for, and those that it is an alias of, one after another. */
import type { IpAddress } from '#base/ip/index.ts';
import type { DnsResponse } from '#core/dns/index.ts';

/** A name and what it was said to stand for. */
export interface ToldName {
  readonly name: string;
  /** How long each address may be used, by the shortest time on the way to it. */
  readonly ttlSecByAddress: ReadonlyMap<IpAddress, number>;
}

/** Resolvers follow no longer rows. */
const MAX_ALIASES = 16;

/**
 * All names on the way from the question. Records that the question does not lead to are not looked at: nobody asked for them. Aliases have what
 * stands behind them, for whoever asks the same server for them gets the same.
 */
export function toldNames({ question, code, addresses, aliases }: DnsResponse): ToldName[] {
  if (question === undefined || code !== 0) return [];
  const told = new Map<string, Map<IpAddress, number>>();
  const shortest = new Map<string, number>();
  let here = question;
  for (;;) {
    told.set(here, new Map());
    shortest.set(here, Number.POSITIVE_INFINITY);
    for (const { address, ttlSec } of addresses.filter(({ name }) => name === here))
      for (const [name, found] of told) found.set(address, Math.min(ttlSec, shortest.get(name) as number));
    const alias = aliases.find(({ name }) => name === here);
    if (alias === undefined || told.has(alias.target) || told.size > MAX_ALIASES) break;
    for (const [name, ttlSec] of shortest) shortest.set(name, Math.min(ttlSec, alias.ttlSec));
    here = alias.target;
  }
  return Array.from(told, ([name, ttlSecByAddress]) => ({ name, ttlSecByAddress }));
}
