/** A cluster of objects, as its API keeps them, in front of the engine: what each says goes into the graph, and comes out when it is gone. */
import type { IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { PolicyGraph, type ServiceEndpoint } from './engine/index.ts';
import { type LabelMap, type Member, type PolicyRef, refText } from './model.ts';
import { BUILT_IN_TIERS, type DocumentProblem, type Fact, translate } from './translate/index.ts';

/** An object that cannot be used as it is, or in part. */
export interface ObjectProblem extends DocumentProblem {
  /** `NetworkPolicy shop/web`. */
  readonly object: string;
  /** A warning: the object is used. */
  readonly isUsed: boolean;
}

type HostEndpoint = Extract<Fact, { is: 'host-endpoint' }>;

export class PolicyCluster {
  readonly graph = new PolicyGraph();
  readonly #facts = new Map<string, Fact>();
  readonly #problems = new Map<string, readonly ObjectProblem[]>();
  /** Host endpoints by key, and the labels of profiles by name. */
  readonly #hosts = new Map<string, HostEndpoint>();
  readonly #profiles = new Map<string, LabelMap>();
  /** By service, its slices. */
  readonly #slices = new Map<string, Map<string, readonly ServiceEndpoint[]>>();
  /** Pods that are attached here, by key, with the nets they were given: the API tells of those only later. */
  readonly #attached = new Map<string, readonly IpPrefix[]>();

  readonly #node: string | undefined;
  readonly #localHosts = new Set<string>();

  /** `node`: whose host endpoints are told of in deltas, beside the pods that are attached. */
  constructor(node?: string) {
    this.#node = node;
    for (const tier of BUILT_IN_TIERS) this.graph.upsertTier(tier);
  }

  /** Takes in an object that was made or changed. One that cannot be read leaves the last one that could. */
  upsert(object: KubeObject): void {
    const key = objectKey(object);
    const { fact, problems, warnings } = translate(object);
    const told = [
      ...problems.map((each) => ({ ...each, object: objectText(object), isUsed: false })),
      ...warnings.map((each) => ({ ...each, object: objectText(object), isUsed: true })),
    ];
    if (told.length === 0) this.#problems.delete(key);
    else this.#problems.set(key, told);
    if (fact === undefined) return;
    const before = this.#facts.get(key);
    // It may have become another thing: a pod that has ended, a policy whose name means another.
    if (before !== undefined && identity(before) !== identity(fact)) this.#forget(before);
    this.#facts.set(key, fact);
    this.#take(fact);
  }

  remove(object: KubeObject): void {
    this.removeKey(objectKey(object));
  }

  /** Takes out the object of that objectKey. */
  removeKey(key: string): void {
    this.#problems.delete(key);
    const fact = this.#facts.get(key);
    this.#facts.delete(key);
    if (fact !== undefined) this.#forget(fact);
  }

  /** The pod is an endpoint of this node, and has these nets, whatever the API says. In place of what was said before. */
  attach(key: string, nets: readonly IpPrefix[]): void {
    this.#attached.set(key, nets);
    this.graph.setLocal(key);
    this.#takePod(key);
  }

  detach(key: string): void {
    if (!this.#attached.delete(key)) return;
    this.graph.unsetLocal(key);
    this.#takePod(key);
  }

  /** Whether the pod is known from the API, and takes part in the network. */
  hasPod(key: string): boolean {
    return this.graph.members.entries.has(key);
  }

  /** Whether this node's own links have policies, be there any or not: without one nothing passes. */
  get hasLocalHosts(): boolean {
    return this.#localHosts.size > 0;
  }

  problems(): ObjectProblem[] {
    return [...this.#problems.values()].flat();
  }

  #take(fact: Fact): void {
    const { graph } = this;
    switch (fact.is) {
      case 'policy':
        return graph.upsertPolicy(fact.policy);
      case 'tier':
        return graph.upsertTier(fact.tier);
      case 'member':
        return graph.upsertMember(this.#withNets(fact.member));
      case 'no-member':
        return graph.removeMember(fact.key);
      case 'host-endpoint':
        this.#hosts.set(fact.member.key, fact);
        this.#setLocalHost(fact.member);
        return graph.upsertMember(this.#withProfiles(fact));
      case 'profile':
        this.#setProfile(fact.name, fact.labels);
        return graph.upsertPolicy(fact.policy);
      case 'namespace':
        return graph.upsertNamespace(fact.name, fact.labels);
      case 'service-account':
        return graph.upsertServiceAccount(fact.namespace, fact.name, fact.labels);
      case 'endpoints':
        return this.#setSlice(fact, fact.endpoints);
    }
  }

  #forget(fact: Fact): void {
    const { graph } = this;
    switch (fact.is) {
      case 'policy':
        return graph.removePolicy(fact.policy.ref);
      case 'tier': {
        const builtIn = BUILT_IN_TIERS.find(({ name }) => name === fact.tier.name);
        return builtIn === undefined ? graph.removeTier(fact.tier.name) : graph.upsertTier(builtIn);
      }
      case 'member':
        return graph.removeMember(fact.member.key);
      case 'no-member':
        return undefined;
      case 'host-endpoint':
        this.#hosts.delete(fact.member.key);
        this.#setLocalHost({ ...fact.member, node: '' });
        return graph.removeMember(fact.member.key);
      case 'profile':
        this.#setProfile(fact.name, undefined);
        return graph.removePolicy(fact.policy.ref);
      case 'namespace':
        return graph.removeNamespace(fact.name);
      case 'service-account':
        return graph.removeServiceAccount(fact.namespace, fact.name);
      case 'endpoints':
        return this.#setSlice(fact, undefined);
    }
  }

  #setLocalHost({ key, node }: Pick<Member, 'key' | 'node'>): void {
    const isLocal = node !== undefined && node === this.#node;
    if (isLocal === this.#localHosts.has(key)) return;
    if (isLocal) this.#localHosts.add(key);
    else this.#localHosts.delete(key);
    if (isLocal) this.graph.setLocal(key);
    else this.graph.unsetLocal(key);
  }

  #takePod(key: string): void {
    const fact = this.#facts.get(` Pod ${key.slice('pod '.length)}`);
    if (fact?.is === 'member') this.graph.upsertMember(this.#withNets(fact.member));
  }

  #withNets(member: Member): Member {
    const nets = this.#attached.get(member.key);
    return nets === undefined ? member : { ...member, nets };
  }

  #setProfile(name: string, labels: LabelMap | undefined): void {
    if (labels === undefined) this.#profiles.delete(name);
    else this.#profiles.set(name, labels);
    for (const host of this.#hosts.values())
      if (host.profiles.includes(name)) this.graph.upsertMember(this.#withProfiles(host));
  }

  #withProfiles({ member, profiles }: HostEndpoint): Member {
    const inherited = profiles.toReversed().map((name) => this.#profiles.get(name) ?? {});
    return { ...member, labels: Object.assign({}, ...inherited, member.labels) as LabelMap };
  }

  #setSlice(
    { namespace, service, slice }: Extract<Fact, { is: 'endpoints' }>,
    endpoints: readonly ServiceEndpoint[] | undefined,
  ): void {
    const key = `${namespace}/${service}`;
    const slices = this.#slices.get(key) ?? new Map<string, readonly ServiceEndpoint[]>();
    if (endpoints === undefined) slices.delete(slice);
    else slices.set(slice, endpoints);
    if (slices.size === 0) this.#slices.delete(key);
    else this.#slices.set(key, slices);
    const all = [...slices.values()].flat();
    if (all.length === 0) this.graph.removeService(namespace, service);
    else this.graph.upsertService(namespace, service, all);
  }
}

/** Two facts of one object that are about one thing. */
function identity(fact: Fact): string {
  switch (fact.is) {
    case 'policy':
      return `policy ${refText(fact.policy.ref satisfies PolicyRef)}`;
    case 'tier':
      return `tier ${fact.tier.name}`;
    case 'member':
      return `member ${fact.member.key}`;
    case 'no-member':
      return `no-member ${fact.key}`;
    case 'host-endpoint':
      return `member ${fact.member.key}`;
    case 'profile':
      return `profile ${fact.name}`;
    case 'namespace':
      return `namespace ${fact.name}`;
    case 'service-account':
      return `service-account ${fact.namespace}/${fact.name}`;
    case 'endpoints':
      return `endpoints ${fact.namespace}/${fact.service}/${fact.slice}`;
  }
}

/** Unique among all objects of all APIs; a version of an API is no part of it. */
export function objectKey({
  apiVersion,
  kind,
  metadata,
}: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): string {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  return `${group} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}

function objectText({ kind, metadata }: KubeObject): string {
  return metadata.namespace === undefined
    ? `${kind} ${metadata.name}`
    : `${kind} ${metadata.namespace}/${metadata.name}`;
}
