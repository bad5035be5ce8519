/**
 * The state of all policies and of all they speak of, and what of it this node needs. Changes may come in any order, twice, and before what
 * they refer to: what is told depends on what is there when it is asked for, never on the way there.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { EndpointPolicies, PolicyDelta } from '../graph.ts';
import type { LabelMap, Member, Policy, PolicyRef, Tier } from '../model.ts';
import { policySets } from '../peer-set.ts';
import { Lookups, type ServiceEndpoint } from './elements.ts';
import type { Entry } from './entry.ts';
import { Members } from './members.ts';
import { PeerSets } from './peer-sets.ts';
import { Policies } from './policies.ts';
import { sameStages } from './stages.ts';

export class PolicyGraph {
  /** For those who ask about flows: who has which address, which policies select whom, and what names stand for. */
  readonly members: Members;
  readonly policies: Policies;
  readonly lookups = new Lookups();
  readonly #sets: PeerSets;
  readonly #local = new Set<string>();
  /** Local endpoints to be looked at again. */
  readonly #dirty = new Set<string>();
  readonly #told = new Map<string, EndpointPolicies>();
  /** How many local endpoints have a policy, and the sets it asks for. */
  readonly #used = new Map<Policy, { count: number; readonly ids: readonly string[] }>();

  constructor() {
    this.members = new Members((entry, keys) => this.#memberChanged(entry, keys));
    this.policies = new Policies(this.members.weigh);
    this.#sets = new PeerSets(this.members, this.lookups);
  }

  /** A graph of the same content, for trying something out; nothing in it is local. Objects are shared. */
  copy(): PolicyGraph {
    const copy = new PolicyGraph();
    for (const tier of this.policies.tiers) copy.upsertTier(tier);
    this.members.copyTo(copy.members);
    for (const policy of this.policies.byRef.values()) copy.upsertPolicy(policy);
    this.lookups.copyTo(copy.lookups);
    return copy;
  }

  upsertTier(tier: Tier): void {
    if (this.policies.upsertTier(tier)) this.#allDirty();
  }

  removeTier(name: string): void {
    if (this.policies.removeTier(name)) this.#allDirty();
  }

  upsertPolicy(policy: Policy): void {
    const before = this.policies.upsert(policy);
    if (before === 'unchanged') return;
    this.#policyChanged(policy);
    if (before !== undefined) this.#policyChanged(before);
  }

  removePolicy(ref: PolicyRef): void {
    const before = this.policies.remove(ref);
    if (before !== undefined) this.#policyChanged(before);
  }

  upsertMember(member: Member): void {
    this.members.upsert(member);
  }

  removeMember(key: string): void {
    this.members.remove(key);
  }

  upsertNamespace(name: string, labels: LabelMap): void {
    this.members.setNamespace(name, labels);
  }

  removeNamespace(name: string): void {
    this.members.setNamespace(name, {});
  }

  upsertServiceAccount(namespace: string, name: string, labels: LabelMap): void {
    this.members.setServiceAccount(namespace, name, labels);
  }

  removeServiceAccount(namespace: string, name: string): void {
    this.members.setServiceAccount(namespace, name, {});
  }

  /** All endpoints of a service, in place of those it had. */
  upsertService(namespace: string, name: string, endpoints: readonly ServiceEndpoint[]): void {
    this.#sets.lookupChanged(this.lookups.setService(namespace, name, endpoints));
  }

  removeService(namespace: string, name: string): void {
    this.upsertService(namespace, name, []);
  }

  /** All addresses that a name was found to have, and those it had formerly, in place of what was said before. */
  upsertDomain(name: string, addresses: readonly IpAddress[], former: readonly IpAddress[] = []): void {
    this.lookups.domains.set(name, addresses, former);
    this.#sets.domainChanged(name);
  }

  removeDomain(name: string): void {
    this.upsertDomain(name, []);
  }

  /** Whether rules for local endpoints speak of names at all, as of the last delta. */
  get hasDomains(): boolean {
    return this.#sets.hasDomains;
  }

  /** Whether rules for local endpoints speak of this name, as of the last delta. */
  wantsDomain(name: string): boolean {
    return this.#sets.wantsDomain(name);
  }

  /** This member is an endpoint of this node, now or as soon as it is there. */
  setLocal(key: string): void {
    this.#local.add(key);
    this.#dirty.add(key);
  }

  unsetLocal(key: string): void {
    this.#local.delete(key);
    this.#dirty.add(key);
  }

  /** All that changed for this node since the last call. */
  takeDelta(): PolicyDelta {
    const endpoints = new Map<string, EndpointPolicies | undefined>();
    for (const key of this.#dirty) {
      const before = this.#told.get(key);
      const after = this.#endpointPolicies(key);
      if (before === undefined && after === undefined) continue;
      if (before && after && before.endpoint === after.endpoint && sameStages(before, after)) continue;
      endpoints.set(key, after);
      if (after === undefined) this.#told.delete(key);
      else this.#told.set(key, after);
      for (const policy of policiesOf(after)) this.#use(policy);
      for (const policy of policiesOf(before)) this.#disuse(policy);
    }
    this.#dirty.clear();
    return { endpoints, ...this.#sets.take() };
  }

  #endpointPolicies(key: string): EndpointPolicies | undefined {
    const entry = this.members.entries.get(key);
    if (entry === undefined || !this.#local.has(key)) return undefined;
    return { endpoint: entry.member, ...this.policies.stages(entry, 'enforced') };
  }

  #use(policy: Policy): void {
    const used = this.#used.get(policy);
    if (used !== undefined) {
      used.count++;
      return;
    }
    const sets = policySets(policy);
    for (const [id, set] of sets) this.#sets.retain(id, set);
    this.#used.set(policy, { count: 1, ids: [...sets.keys()] });
  }

  #disuse(policy: Policy): void {
    const used = this.#used.get(policy);
    if (used === undefined || --used.count > 0) return;
    for (const id of used.ids) this.#sets.release(id);
    this.#used.delete(policy);
  }

  #memberChanged(entry: Entry, keys?: ReadonlySet<string>): void {
    entry.stages = undefined;
    this.#sets.memberChanged(entry, keys);
    if (this.#local.has(entry.member.key)) this.#dirty.add(entry.member.key);
  }

  #policyChanged(policy: Policy): void {
    if (policy.staged !== undefined) return;
    for (const key of this.#local) {
      const entry = this.#dirty.has(key) ? undefined : this.members.entries.get(key);
      if (entry !== undefined && this.policies.isSubject(policy, entry)) this.#dirty.add(key);
    }
  }

  #allDirty(): void {
    for (const key of this.#local) this.#dirty.add(key);
  }
}

function policiesOf(endpoint: EndpointPolicies | undefined): Set<Policy> {
  const stages = endpoint === undefined ? [] : [...endpoint.ingress, ...endpoint.egress];
  return new Set(stages.flatMap(({ policies }) => policies));
}
