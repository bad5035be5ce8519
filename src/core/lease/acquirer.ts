/**
 * One node's way to its subnets, as a pure state machine over a store with compare-and-swap: list, choose, create,
 * list again to confirm, renew, and start over whenever the store disagrees. The list is the only judge: an answer that
 * was lost, a race that was lost and a restart all lead back to it. See lease-decision.ts for what a list means.
 */
import { prefixesOverlap } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type {
  LeaseAction,
  LeaseEvent,
  LeaseState,
  LeaseStep,
  PendingCall,
  StoredLease,
} from './acquirer-types.ts';
import { type LeaseProblem, outOfSubnetsProblem, takeCensus } from './lease-census.ts';
import { decideFamily, type FamilyDecision, isOwn, renewAtMs } from './lease-decision.ts';
import { leaseFromObject, leaseToObject } from './lease-object.ts';
import { closeFamilies, type FamilyDraft, openFamilies } from './lease-state.ts';
import { type FamilyKey, familyKeyOf, isExpired, leaseOf } from './model.ts';

/** Where all subnets are taken, or the store stays away, the next try comes after this at the latest. */
const LONGEST_WAIT_SEC = 60;
/** After so many lost races in a row the node steps back before it tries again. */
const RACES_BEFORE_WAIT = 10;

/** One event in, the next state and what to do out; never throws. */
export function stepLease(state: LeaseState, event: LeaseEvent): LeaseStep {
  if (state.phase === 'stopped') return { state, actions: [] };
  const round = new Round(state, event);
  round.take(event);
  round.tellExpired();
  return round.result();
}

class Round {
  private readonly nowMs: number;
  private readonly random: number;
  private readonly actions: LeaseAction[] = [];
  private readonly families: ReadonlyMap<FamilyKey, FamilyDraft>;
  private readonly draft: { -readonly [K in keyof LeaseState]: LeaseState[K] };

  constructor(state: LeaseState, event: LeaseEvent) {
    this.nowMs = event.nowMs;
    this.random = event.random;
    this.draft = { ...state };
    this.families = openFamilies(state);
  }

  result(): LeaseStep {
    return { state: { ...this.draft, families: closeFamilies(this.families) }, actions: this.actions };
  }

  take(event: LeaseEvent): void {
    switch (event.type) {
      case 'start':
        if (this.draft.phase === 'new') this.list();
        return;
      case 'wake':
        if (this.draft.phase !== 'waiting') return;
        if (this.nowMs >= this.draft.wakeAtMs) this.list();
        else this.actions.push({ type: 'wake', atMs: this.draft.wakeAtMs });
        return;
      case 'listed':
        if (this.answered(event.call) !== undefined) this.listed(event.items);
        return;
      case 'stored':
      case 'deleted':
      case 'failed': {
        const call = this.answered(event.call);
        if (call === undefined) return;
        if (event.type === 'stored') this.stored(call, event.object);
        else if (event.type === 'deleted') this.draft.again = true;
        else this.failed(call, event);
        if (this.draft.calls.length === 0) this.endRound();
        return;
      }
      case 'changed':
        if (this.concerns(event.object)) this.listSoon();
        return;
      case 'removed':
        if (
          [...this.families.values()].some(
            (family) => family.held === undefined || family.held.name === event.name,
          )
        )
          this.listSoon();
        return;
      case 'offer':
        this.draft.config = { ...this.draft.config, offer: event.offer };
        this.listSoon();
        return;
      case 'stop':
        if (!event.release) this.stop();
        else if (!this.draft.releasing) {
          this.draft.releasing = true;
          this.listSoon();
        }
        return;
    }
  }

  /** Says once that a lease in use has run out. */
  tellExpired(): void {
    for (const [key, family] of this.families) {
      const { held, using } = family;
      if (held === undefined || using === undefined || family.expiredTold) continue;
      if (!isExpired(held.record, this.nowMs)) continue;
      family.expiredTold = true;
      const message = `lease ${held.name} ran out before the store could be reached: ${using} stays in use until the store says otherwise`;
      this.actions.push({ type: 'expired', family: key, subnet: using, message });
    }
  }

  private call(kind: PendingCall['kind'], about: Pick<PendingCall, 'family' | 'subnet'> = {}): number {
    const id = this.draft.nextCall;
    this.draft.nextCall = id + 1;
    this.draft.calls = [...this.draft.calls, { id, kind, ...about }];
    return id;
  }

  private answered(id: number): PendingCall | undefined {
    const call = this.draft.calls.find((pending) => pending.id === id);
    if (call !== undefined) this.draft.calls = this.draft.calls.filter((pending) => pending !== call);
    return call;
  }

  private list(): void {
    this.draft.phase = 'listing';
    this.draft.again = false;
    this.draft.roundFailed = false;
    this.actions.push({ type: 'list', call: this.call('list') });
  }

  private listSoon(): void {
    if (this.draft.phase === 'waiting' || (this.draft.phase === 'new' && this.draft.releasing)) this.list();
    else if (this.draft.phase !== 'new') this.draft.again = true;
  }

  private wait(untilMs: number): void {
    this.draft.phase = 'waiting';
    this.draft.wakeAtMs = untilMs;
    for (const family of this.families.values()) family.refused = [];
    this.actions.push({ type: 'wake', atMs: untilMs });
  }

  private stop(): void {
    this.draft.phase = 'stopped';
    this.draft.calls = [];
    this.actions.push({ type: 'stopped' });
  }

  private listed(items: readonly KubeObject[]): void {
    const census = takeCensus(items, this.draft.config, this.nowMs);
    if (this.draft.releasing) {
      this.release(census.own.filter((lease) => isOwn(lease.record, this.draft.config)));
      return;
    }
    const decisions = new Map<FamilyKey, FamilyDecision>();
    for (const [key, family] of this.families) {
      const ofFamily = (lease: StoredLease) => familyKeyOf(lease.record.family) === key;
      const others = census.others.filter(ofFamily);
      // A refusal that the list explains is no mystery any more.
      const refused = family.refused.filter(
        (subnet) => !others.some((other) => prefixesOverlap(other.record.subnet, subnet)),
      );
      family.refused = refused;
      const decision = decideFamily({
        config: this.draft.config,
        key,
        nowMs: this.nowMs,
        // Both families draw from one number; the second takes its low digits.
        random: key === 'ipv4' ? this.random : (this.random * 65_537) % 1,
        attempt: this.draft.attempt,
        rewrite: this.draft.doubt,
        own: census.own.filter(ofFamily),
        others,
        blocked: [...census.blocked, ...refused],
        using: family.using,
        wanted: family.wanted,
        created: family.created,
      });
      decisions.set(key, decision);
    }
    const shortages = [...decisions.values()].flatMap((decision) =>
      decision.outOfSubnets ? [outOfSubnetsProblem(decision.outOfSubnets)] : [],
    );
    this.tell([...census.problems, ...shortages]);
    this.carryOut(decisions);
  }

  private carryOut(decisions: ReadonlyMap<FamilyKey, FamilyDecision>): void {
    this.draft.phase = 'writing';
    // Families are acquired as a unit: where one has no subnet left, the other takes none.
    const isShort = [...decisions.values()].some((decision) => decision.outOfSubnets !== undefined);
    for (const [key, decision] of decisions) {
      const family = this.families.get(key) as FamilyDraft;
      family.held = decision.held;
      family.created = undefined;
      if (decision.lost !== undefined && family.using !== undefined) {
        this.actions.push({ type: 'lost', family: key, subnet: family.using, message: decision.lost });
        family.using = undefined;
        family.wanted = undefined;
      }
      if (decision.yielded.length > 0) {
        family.refused = [...family.refused, ...decision.yielded];
        this.draft.attempt++;
      }
      this.write(key, decision, isShort);
    }
    if (this.draft.calls.length === 0) this.settle();
  }

  private write(key: FamilyKey, decision: FamilyDecision, isShort: boolean): void {
    for (const lease of decision.deletes) this.delete(key, lease);
    if (decision.held !== undefined && decision.write !== undefined) {
      const call = this.call('replace', { family: key, subnet: decision.write.subnet });
      this.actions.push({
        type: 'replace',
        call,
        object: leaseToObject(decision.write, decision.held.object),
      });
    }
    if (decision.create !== undefined && !isShort) {
      const call = this.call('create', { family: key, subnet: decision.create.subnet });
      this.actions.push({ type: 'create', call, object: leaseToObject(decision.create) });
    }
  }

  private delete(key: FamilyKey, lease: StoredLease): void {
    const call = this.call('delete', { family: key, subnet: lease.record.subnet });
    const resourceVersion = lease.object.metadata.resourceVersion ?? '';
    this.actions.push({ type: 'delete', call, name: lease.name, resourceVersion });
  }

  private release(own: readonly StoredLease[]): void {
    this.draft.phase = 'releasing';
    for (const family of this.families.values()) family.held = undefined;
    for (const lease of own) {
      if (!lease.record.reserved) this.delete(familyKeyOf(lease.record.family), lease);
    }
    if (this.draft.calls.length === 0) this.stop();
  }

  private stored(call: PendingCall, object: KubeObject): void {
    const family = call.family && this.families.get(call.family);
    if (family === undefined) return;
    const reading = leaseFromObject(object);
    if (call.kind === 'create') family.created = call.subnet;
    // Only a list can confirm a new subnet: one of another length may overlap it.
    if (call.kind === 'create' || !reading.ok || !isOwn(reading.record, this.draft.config))
      this.draft.again = true;
    else family.held = { name: reading.name, record: reading.record, object };
  }

  private failed(call: PendingCall, event: Extract<LeaseEvent, { type: 'failed' }>): void {
    const family = call.family && this.families.get(call.family);
    // A list or create that finds nothing means a missing namespace: no race, but a store that is not ready.
    const isRace = call.kind !== 'list' && !(call.kind === 'create' && event.failure === 'not-found');
    if (event.failure === 'unavailable' || event.failure === 'refused' || !isRace) {
      if (call.kind === 'delete') this.draft.doubt = true;
      // A create that may yet succeed is confirmed like one that did.
      if (call.kind === 'create' && family !== undefined) family.created = call.subnet;
      this.draft.failures++;
      this.draft.roundFailed = true;
      const message = `lease store: ${call.kind}${call.subnet ? ` ${call.subnet}` : ''}: ${event.message}`;
      this.tell([{ type: 'problem', code: 'store', message, names: [] }], true);
      return;
    }
    this.draft.again = true;
    this.draft.attempt++;
    if (call.kind === 'create' && family !== undefined && call.subnet !== undefined)
      family.refused = [...family.refused, call.subnet];
  }

  private endRound(): void {
    const { phase, releasing, roundFailed, again, attempt } = this.draft;
    if (phase === 'releasing' || (releasing && roundFailed)) this.stop();
    else if (releasing) this.list();
    else if (roundFailed) this.backOff();
    else if (!again) this.settle();
    else if (attempt > 0 && attempt % RACES_BEFORE_WAIT === 0) this.backOff();
    else this.list();
  }

  private backOff(): void {
    const seconds = Math.min(LONGEST_WAIT_SEC, 2 ** Math.min(this.draft.failures, 10));
    this.wait(this.nowMs + Math.round(seconds * 1000 * (0.5 + this.random / 2)));
  }

  /** Nothing is left to write: announce what is held and sleep until it must be renewed. */
  private settle(): void {
    const drafts = [...this.families.values()];
    const retryAt = this.nowMs + LONGEST_WAIT_SEC * 1000;
    const renewals = drafts.flatMap((family) =>
      family.held ? [renewAtMs(family.held.record, this.draft.config)] : [],
    );
    const isComplete = drafts.every((family) => family.held !== undefined);
    this.draft.failures = 0;
    if (isComplete) {
      this.draft.attempt = 0;
      this.draft.doubt = false;
      this.announce();
    }
    if (this.draft.again) this.list();
    else this.wait(Math.max(this.nowMs + 1000, Math.min(...renewals, ...(isComplete ? [] : [retryAt]))));
  }

  private announce(): void {
    const lease = leaseOf(this.families.get('ipv4')?.held?.record, this.families.get('ipv6')?.held?.record);
    if (lease === undefined) return;
    const isNew = [...this.families.values()].some((family) => family.using !== family.held?.record.subnet);
    for (const family of this.families.values()) {
      family.using = family.held?.record.subnet;
      family.wanted = family.using;
      family.expiredTold = false;
    }
    const isSame = JSON.stringify(lease) === JSON.stringify(this.draft.announced);
    this.draft.announced = lease;
    if (isNew) this.actions.push({ type: 'held', lease });
    else if (!isSame) this.actions.push({ type: 'renewed', lease });
  }

  /** Tells problems that are not told already; a full set (from a list) also forgets those that are over. */
  private tell(problems: readonly LeaseProblem[], isAddition = false): void {
    const keyOf = (problem: LeaseProblem) => `${problem.code} ${problem.message}`;
    const news = problems.filter((problem) => !this.draft.told.includes(keyOf(problem)));
    this.actions.push(...news);
    const keys = problems.map(keyOf);
    this.draft.told = isAddition ? [...this.draft.told, ...news.map(keyOf)] : keys;
  }

  private concerns(object: KubeObject): boolean {
    const reading = leaseFromObject(object);
    if (!reading.ok) return false;
    const { record, name } = reading;
    const family = this.families.get(familyKeyOf(record.family));
    if (family === undefined) return false;
    const mine = isOwn(record, this.draft.config);
    if (family.held?.name === name) return !mine;
    const isPending = this.draft.calls.some((call) => call.subnet === record.subnet);
    if (mine) return !isPending && family.created !== record.subnet;
    return family.held !== undefined && prefixesOverlap(family.held.record.subnet, record.subnet);
  }
}
