/**
 * Answers of DNS servers to pods are logged to a group of their own while a rule speaks of names. They are what came back on a connection that
 * the pod opened to port 53, whatever it was translated to, so that nobody can answer unasked; or what the host itself sends from that port,
 * for caches on nodes do without tracking. Logged is what policies let pass, and each packet at once.
 */
import { familyBits, familyOf, type IpFamily, type IpPrefix, prefixParts } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { act, field, match, type NftHook, type RulePart } from '#core/nft/index.ts';
import type { PolicyDelta } from '../graph.ts';
import { POLICY_DNS_GROUP } from '../rule-tag.ts';
import { FILTER, FORWARD, SELF } from './base-chains.ts';
import type { Ground } from './kernel-set.ts';
import { outermost } from './nets.ts';
import { addressType, chainAt, elementAt, type Place, type SetShape, setAt } from './place.ts';

const FAMILIES = [4, 6] as const;
const DNS_PORT = 53;
/** Behind the base chains that ask policies. */
const BEHIND = FORWARD + 1;
/** Packets that are told of in a second, and at once: what a flood of them may cost the agent. */
const RATE = { rate: 2000, burst: 1000 } as const;

const SERVERS = {
  4: { name: 'name-servers4', keyType: [addressType(4)], interval: true },
  6: { name: 'name-servers6', keyType: [addressType(6)], interval: true },
} as const satisfies Record<IpFamily, SetShape>;

export class AnswerRules {
  readonly #ground: Ground;
  readonly #servers: readonly IpPrefix[] | undefined;
  /** By peerSetId, the sets of names. */
  readonly #sets = new Set<string>();

  /** `servers`: who is believed, by the address that pods ask; undefined: everybody. */
  constructor(ground: Ground, servers: readonly IpPrefix[] | undefined) {
    this.#ground = ground;
    this.#servers = servers;
  }

  /** Takes in what a delta says of sets. */
  change({ sets, dropped }: Pick<PolicyDelta, 'sets' | 'dropped'>): void {
    const wasThere = this.#sets.size > 0;
    for (const id of dropped) this.#sets.delete(id);
    for (const [id, { set }] of sets) if (set.kind === 'domains') this.#sets.add(id);
    const isThere = this.#sets.size > 0;
    if (isThere === wasThere) return;
    const { output, places } = this.#ground;
    for (const object of places.flatMap((place) => this.#objects(place))) {
      if (isThere) output.put(object);
      else output.remove(object);
    }
  }

  #objects(place: Place): KernelObject[] {
    const hook = (name: 'forward' | 'output'): NftHook => ({
      type: 'filter',
      hook: name,
      priority: FILTER[place] + BEHIND,
      policy: 'accept',
    });
    const tracked = this.#rules((family) => [
      match.is(field.ctDirection, 'reply'),
      match.is(field.ctOriginalDport, DNS_PORT),
      ...this.#fromServers(family, field.ctOriginalDaddr(family)),
    ]);
    const own = this.#rules((family) => [
      match.is(field.sport('udp'), DNS_PORT),
      ...this.#fromServers(family, field.saddr(family)),
    ]);
    return [
      ...this.#serverSets(place),
      chainAt(place, 'forward-answers', tracked, hook('forward')),
      // What the host sends over a bridge goes through the chain for what is routed.
      ...(place === 'inet' ? [chainAt(place, 'output-answers', [...tracked, ...own], hook('output'))] : []),
    ];
  }

  /** One in each family. A pair of an address with itself is there for every address of a local pod. */
  #rules(conditions: (family: IpFamily) => readonly RulePart[]): RulePart[][] {
    return FAMILIES.map((family) => [
      match.is(field.l4proto, 'udp'),
      ...conditions(family),
      match.inSet([field.daddr(family), field.daddr(family)], SELF[family]),
      act.limit(RATE),
      act.log({ group: POLICY_DNS_GROUP, queueThreshold: 1 }),
      act.accept,
    ]);
  }

  #fromServers(family: IpFamily, address: ReturnType<typeof field.saddr>): RulePart[] {
    return this.#servers === undefined ? [] : [match.inSet(address, SERVERS[family])];
  }

  #serverSets(place: Place): KernelObject[] {
    if (this.#servers === undefined) return [];
    return [
      ...FAMILIES.map((family) => setAt(place, SERVERS[family])),
      ...outermost(this.#servers).map((net) => elementAt(place, SERVERS[familyOf(net)], [keyOf(net)])),
    ];
  }
}

function keyOf(net: IpPrefix): string {
  const { address, length } = prefixParts(net);
  return length === familyBits(familyOf(net)) ? address : net;
}
