/**
 * Turns what the policy engine tells into desired nf_tables objects of this node. It is told of attachments and of deltas, and gives what has
 * to be amended in POLICY_PART: a change costs what it changes, and all of it is meant to be one transaction. What it wants depends on what it
 * was told, never on the order.
 */
import { familyOf, type IpAddress, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { Amendment, KernelObject } from '#core/kernel/index.ts';
import type { NftElement } from '#core/nft/index.ts';
import { FAILSAFE_PORTS, type FailsafePort } from '../engine/index.ts';
import type { EndpointPolicies, PolicyDelta, TierStage } from '../graph.ts';
import type { Direction } from '../model.ts';
import { AnswerRules } from './answers.ts';
import { baseObjects, bridgeSysctls, MAPS, SELF, unknownChain, unknownChains } from './base-chains.ts';
import { Chains } from './chains.ts';
import { Claims } from './claims.ts';
import { guardObjects, guardOf } from './guard.ts';
import { HostEndpoints } from './host-endpoints.ts';
import { Output } from './output.ts';
import { elementAt, type Place, tableAt } from './place.ts';
import { RuleSets } from './rule-sets.ts';
import type { BridgeMode, LocalEndpoint } from './words.ts';

export interface PolicyCompilerOptions {
  readonly bridge: BridgeMode;
  /** Rules that decide tell who listens to POLICY_LOG_GROUP, until tellFlows() says otherwise. */
  readonly flows: boolean;
  /** Ports of host endpoints that stay open; absent: Felix' own. */
  readonly failsafe?: Readonly<Record<Direction, readonly FailsafePort[]>>;
  /** Servers whose answers say what names stand for, by the addresses that pods ask; absent: whoever a pod asked. */
  readonly nameServers?: readonly IpPrefix[];
}

interface Attachment {
  readonly endpoint: LocalEndpoint;
  readonly whileUnknown: 'closed' | 'open';
}

/** Chains that an attached endpoint holds. */
interface Held {
  readonly direction: Direction;
  readonly family: IpFamily;
  readonly stages: readonly TierStage[];
}

const DIRECTIONS = ['egress', 'ingress'] as const;

export class PolicyCompiler {
  readonly #output = new Output();
  /** Where rules about packets between pods lie. */
  readonly #places: readonly Place[];
  /** Where pods are kept from using the addresses of others. */
  readonly #guarded: readonly Place[];
  readonly #sets: RuleSets;
  readonly #chains: Chains;
  readonly #answers: AnswerRules;
  readonly #claims = new Claims(this.#output);
  readonly #attachments = new Map<string, Attachment>();
  readonly #policies = new Map<string, EndpointPolicies>();
  readonly #hosts: HostEndpoints;
  readonly #held = new Map<string, readonly Held[]>();

  constructor({ bridge, flows, failsafe = FAILSAFE_PORTS, nameServers }: PolicyCompilerOptions) {
    this.#places = bridge === 'conntrack' ? ['inet', 'bridge'] : ['inet'];
    const ground = { output: this.#output, places: this.#places };
    this.#sets = new RuleSets(ground);
    this.#chains = new Chains(ground, this.#sets, flows);
    this.#hosts = new HostEndpoints(this.#output, this.#chains, this.#claims, failsafe);
    this.#answers = new AnswerRules(ground, nameServers);
    this.#guarded = bridge === 'none' ? ['inet'] : ['inet', 'bridge'];
    for (const object of [
      ...bridgeSysctls(bridge),
      ...this.#places.flatMap((place) => baseObjects(place, flows)),
      ...this.#guarded.map(tableAt),
      ...this.#guarded.flatMap(guardObjects),
    ])
      this.#output.put(object);
  }

  /**
   * A pod is attached, or attached differently. As soon as a delta names its key, its policies count; until then, and when it is no member any
   * more, nothing passes if it is `closed` (but what its own node sends), and everything if it is `open`.
   */
  setEndpoint(endpoint: LocalEndpoint, whileUnknown: 'closed' | 'open'): void {
    this.#attachments.set(endpoint.key, { endpoint, whileUnknown });
    this.#refresh(endpoint.key);
  }

  /** The pod is not attached any more. */
  removeEndpoint(key: string): void {
    if (this.#attachments.delete(key)) this.#refresh(key);
  }

  /** Takes in a delta of PolicyGraph. Endpoints it speaks of need not be attached yet. */
  apply({ endpoints, sets, dropped }: PolicyDelta): void {
    this.#chains.changed(this.#sets.change(sets));
    for (const [key, policies] of endpoints) {
      if (policies?.endpoint.kind === 'host-endpoint' || this.#hosts.has(key)) this.#hosts.set(key, policies);
      else this.#setPolicies(key, policies);
    }
    this.#chains.settle();
    this.#answers.change({ sets, dropped });
    this.#sets.drop(dropped);
  }

  /**
   * Whether rules that decide tell who listens to POLICY_LOG_GROUP. It makes all chains anew, and what they decide stays; each rule that
   * tells costs its packets more than all comparisons of a usual policy, whether somebody listens or not.
   */
  tellFlows(isTold: boolean): void {
    if (!this.#chains.tellFlows(isTold)) return;
    for (const object of this.#places.flatMap((place) => unknownChains(place, isTold)))
      this.#output.put(object);
  }

  /** What is different since the last call: for DesiredState.amend(POLICY_PART, …). The first one has tables and base chains. */
  takeAmendment(): Amendment {
    this.#chains.settle();
    return this.#output.take();
  }

  #setPolicies(key: string, policies: EndpointPolicies | undefined): void {
    if (policies === undefined) this.#policies.delete(key);
    else this.#policies.set(key, policies);
    this.#refresh(key);
  }

  #refresh(key: string): void {
    const attachment = this.#attachments.get(key);
    const policies = this.#policies.get(key);
    const before = this.#held.get(key) ?? [];
    const held: Held[] = [];
    const objects = attachment === undefined ? [] : this.#objects(attachment, policies, held);
    for (const { direction, family, stages } of before)
      this.#chains.release({ direction, family, use: 'normal' }, { stages });
    if (held.length === 0) this.#held.delete(key);
    else this.#held.set(key, held);
    this.#claims.set(key, objects);
  }

  #objects(
    { endpoint, whileUnknown }: Attachment,
    policies: EndpointPolicies | undefined,
    held: Held[],
  ): KernelObject[] {
    const objects = guardOf(endpoint, this.#guarded);
    for (const family of [4, 6] as const) {
      const addresses = endpoint.addresses.filter((address) => familyOf(address) === family);
      if (addresses.length === 0) continue;
      objects.push(...this.#selfElements(family, addresses));
      for (const direction of DIRECTIONS) {
        const chain = this.#chainFor(direction, family, policies, whileUnknown, held);
        if (chain !== undefined) objects.push(...this.#mapElements(direction, family, addresses, chain));
      }
    }
    return objects;
  }

  #chainFor(
    direction: Direction,
    family: IpFamily,
    policies: EndpointPolicies | undefined,
    whileUnknown: 'closed' | 'open',
    held: Held[],
  ): string | undefined {
    if (policies === undefined) return whileUnknown === 'closed' ? unknownChain(direction) : undefined;
    const stages = policies[direction];
    if (stages.length === 0) return undefined;
    held.push({ direction, family, stages });
    return this.#chains.retain({ direction, family, use: 'normal' }, { stages });
  }

  #mapElements(
    direction: Direction,
    family: IpFamily,
    addresses: readonly IpAddress[],
    chain: string,
  ): NftElement[] {
    const data = { verdict: 'jump', chain } as const;
    return this.#places.flatMap((place) =>
      addresses.map((address) => elementAt(place, MAPS[direction][family], [address], { data })),
    );
  }

  #selfElements(family: IpFamily, addresses: readonly IpAddress[]): NftElement[] {
    const pairs = addresses.flatMap((source) =>
      addresses.map((destination) => [source, destination] as const),
    );
    return this.#places.flatMap((place) => pairs.map((pair) => elementAt(place, SELF[family], pair)));
  }
}
