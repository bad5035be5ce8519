/**
 * One node's way to its subnets in etcd, as a pure state machine: list, judge (decision.ts), write by transaction (requests.ts), renew,
 * and start over whenever etcd disagrees. etcd counts the lease's time; the node's clock only says when to ask.
 */
import type { LeaseOffer } from '../acquirer-types.ts';
import { type EtcdProblem, problem } from './census.ts';
import { decideSubnets, type EtcdDecision } from './decision.ts';
import { pairsOverlap, pairText, type SubnetPair } from './layout.ts';
import type {
  EtcdLeaseAction,
  EtcdLeaseEvent,
  EtcdLeaseState,
  EtcdLeaseStep,
  EtcdPending,
  WritePlan,
} from './machine-types.ts';
import type { EtcdKeyValue, TxnAnswer } from './ports.ts';
import { writeTxn } from './requests.ts';
import { isOwnStored, readStored, type StoredReading } from './stored.ts';

/** Where all subnets are taken, or etcd stays away, the next try comes after this at the latest. */
const LONGEST_WAIT_MS = 60_000;
/** Lost races are followed by a random wait below this, doubled each time: hundreds of nodes must part company, and etcd breathe. */
const RACE_WAIT_MS = 250;
const LONGEST_RACE_WAIT_MS = 2000;
/** A reservation has nothing to renew; it is looked at now and then. */
const RESERVATION_CHECK_MS = 3_600_000;

/** One event in, the next state and what to do out; never throws. */
export function stepEtcdLease(state: EtcdLeaseState, event: EtcdLeaseEvent): EtcdLeaseStep {
  if (state.phase === 'stopped') return { state, actions: [] };
  const round = new Round(state, event);
  round.take(event);
  round.tellExpired();
  return round.result();
}

class Round {
  private readonly nowMs: number;
  private readonly random: number;
  private readonly actions: EtcdLeaseAction[] = [];
  private readonly draft: { -readonly [K in keyof EtcdLeaseState]: EtcdLeaseState[K] };

  constructor(state: EtcdLeaseState, event: EtcdLeaseEvent) {
    this.nowMs = event.nowMs;
    this.random = event.random;
    this.draft = { ...state };
  }

  result(): EtcdLeaseStep {
    return { state: this.draft, actions: this.actions };
  }

  take(event: EtcdLeaseEvent): void {
    switch (event.type) {
      case 'start':
        if (this.draft.phase === 'new') this.list();
        return;
      case 'wake':
        if (this.draft.phase !== 'waiting') return;
        if (this.nowMs >= this.draft.wakeAtMs) this.list();
        else this.actions.push({ type: 'wake', atMs: this.draft.wakeAtMs });
        return;
      case 'changed':
        if (this.concerns(event.kv)) this.listSoon();
        return;
      case 'removed': {
        const { held, isShort } = this.draft;
        const isOld = held !== undefined && event.modRevision <= held.kv.modRevision;
        const isOurs = event.key === held?.kv.key && !isOld;
        if (isShort || isOurs || this.isNamed(event.key)) this.listSoon();
        return;
      }
      case 'doubles':
        this.listSoon();
        return;
      case 'connected':
        this.askTtl();
        return;
      case 'offer':
        this.offer(event.offer);
        return;
      case 'stop':
        this.draft.phase = 'stopped';
        this.draft.pending = undefined;
        return;
      default:
        this.answer(event);
    }
  }

  /** Says once that the lease has run out by this node's reckoning. */
  tellExpired(): void {
    const { held, endsAtMs, problems, phase } = this.draft;
    if (phase === 'stopped' || held === undefined || this.nowMs < endsAtMs) return;
    if (problems.some(({ code }) => code === 'expired')) return;
    const subnets = pairText(held.subnets);
    const message = `key ${held.kv.key} ran out before etcd could be reached: ${subnets} stays in use until etcd says otherwise`;
    this.tell([...problems, problem('expired', message, held.kv.key)]);
  }

  private answer(event: Extract<EtcdLeaseEvent, { call: number }>): void {
    const { pending } = this.draft;
    if (pending?.id !== event.call) return;
    this.draft.pending = undefined;
    switch (event.type) {
      case 'listed':
        this.listed(event.revision, event.kvs);
        return;
      case 'granted':
        this.draft.spare = {
          lease: event.lease,
          ttlSec: event.ttlSec,
          askedAtMs: this.draft.askedAtMs,
        };
        if (pending.plan?.before === undefined) this.list();
        else this.write(pending.plan);
        return;
      case 'txn-done':
        if (pending.plan === undefined) return;
        if (event.answer.succeeded) this.written(pending, pending.plan, event.answer.revision);
        else this.raceLost(pending.plan, event.answer);
        return;
      case 'ttl':
        this.heard(event.ttlSec);
        return;
      case 'failed':
        this.failed(pending, event);
        return;
    }
  }

  private call(kind: EtcdPending['kind'], about: Pick<EtcdPending, 'plan' | 'grant'> = {}): number {
    const id = this.draft.nextCall;
    this.draft.nextCall = id + 1;
    this.draft.pending = { id, kind, ...about };
    this.draft.phase = 'busy';
    return id;
  }

  private list(): void {
    this.draft.again = false;
    const { snapshot } = this.draft;
    const call = this.call('list');
    this.actions.push({
      type: 'list',
      call,
      ...(snapshot === undefined ? {} : { since: snapshot.revision }),
    });
  }

  private listSoon(): void {
    if (this.draft.phase === 'waiting') {
      this.draft.snapshot = undefined;
      this.list();
    } else if (this.draft.phase === 'busy') this.draft.again = true;
  }

  private wait(untilMs: number): void {
    this.draft.phase = 'waiting';
    this.draft.wakeAtMs = untilMs;
    this.actions.push({ type: 'wake', atMs: untilMs });
  }

  private listed(revision: number, kvs: readonly EtcdKeyValue[]): void {
    this.merge(revision, kvs, this.draft.snapshot?.readings);
    this.judge();
  }

  private judge(): void {
    const { snapshot, held, grant } = this.draft;
    const decision = decideSubnets({
      ...this.draft,
      readings: snapshot?.readings.values() ?? [],
      random: this.random,
      heldKey: held?.kv.key,
      lease: grant?.lease,
      isDue: held !== undefined && this.nowMs >= this.draft.renewAtMs,
    });
    this.carryOut(decision);
  }

  private merge(
    revision: number,
    kvs: readonly EtcdKeyValue[],
    known: ReadonlyMap<string, StoredReading> = new Map(),
  ): void {
    const readings = new Map(known);
    for (const kv of kvs) readings.set(kv.key, readStored(this.draft.config.layout, kv));
    this.draft.snapshot = { revision, readings };
  }

  private carryOut(decision: EtcdDecision): void {
    const { yielded, write, held } = decision;
    this.draft.failures = 0;
    this.draft.isShort = decision.isShort;
    if (yielded !== undefined) this.draft.yielded = new Set([...this.draft.yielded, yielded]);
    this.tell(decision.problems);
    for (const lost of decision.lost) this.lose(lost);
    if (decision.isShort || (write !== undefined && write.before === undefined)) {
      this.draft.held = undefined;
      this.draft.endsAtMs = Number.POSITIVE_INFINITY;
    }
    if (write !== undefined) this.write(write);
    else if (held !== undefined) {
      this.draft.held = held;
      this.settle();
    } else {
      this.draft.snapshot = undefined;
      this.wait(this.nowMs + LONGEST_WAIT_MS * (0.5 + this.random / 2));
    }
  }

  private lose(lost: EtcdDecision['lost'][number]): void {
    this.draft.using = { ...this.draft.using, [lost.family]: undefined };
    this.draft.wanted = { ...this.draft.wanted, [lost.family]: undefined };
    this.actions.push({ type: 'lost', ...lost });
  }

  /** Writes by transaction, with a lease that has most of its time before it. */
  private write(plan: WritePlan): void {
    const { config, spare, snapshot } = this.draft;
    const isStale = spare !== undefined && this.nowMs - spare.askedAtMs > spare.ttlSec * 250;
    if (isStale) {
      this.actions.push({ type: 'revoke', lease: spare.lease });
      this.draft.spare = undefined;
    }
    if (!plan.reserved && this.draft.spare === undefined) {
      const call = this.call('grant', { plan });
      this.draft.askedAtMs = this.nowMs;
      this.actions.push({ type: 'grant', call, ttlSec: config.durationSec });
      return;
    }
    const grant = plan.reserved ? undefined : this.draft.spare;
    const call = this.call('txn', { plan, grant });
    const txn = writeTxn(config.layout, plan, snapshot ?? { revision: 0 }, grant?.lease);
    this.actions.push({ type: 'txn', call, txn });
  }

  private written({ grant }: EtcdPending, plan: WritePlan, revision: number): void {
    const { config, grant: earlier } = this.draft;
    const kv: EtcdKeyValue = {
      key: plan.key,
      value: plan.value,
      createRevision: plan.before?.createRevision ?? revision,
      modRevision: revision,
      lease: grant?.lease ?? '0',
    };
    const reading = readStored(config.layout, kv);
    if (reading.ok) this.draft.held = reading.stored;
    if (grant !== undefined) this.draft.spare = undefined;
    this.draft.grant = grant;
    this.draft.endsAtMs = grant ? grant.askedAtMs + grant.ttlSec * 1000 : Number.POSITIVE_INFINITY;
    this.draft.renewAtMs = this.draft.endsAtMs - this.marginMs();
    // The key is off the lease it had; one that was given before this process began ends by itself.
    if (earlier !== undefined && earlier.lease !== grant?.lease)
      this.actions.push({ type: 'revoke', lease: earlier.lease });
    this.settle();
  }

  private marginMs(): number {
    const { durationSec, renewMarginSec } = this.draft.config;
    const ttlSec = this.draft.grant?.ttlSec ?? durationSec;
    return Math.min(renewMarginSec, ttlSec / 2) * 1000;
  }

  private raceLost(plan: WritePlan, { ranges, revision }: TxnAnswer): void {
    const [news] = ranges;
    const { snapshot, attempt } = this.draft;
    this.draft.attempt = attempt + 1;
    // No news: it was one of the keys to be deleted that had changed.
    const isStale = news === undefined || news.more || news.kvs.length === 0;
    if (plan.before !== undefined || isStale || snapshot === undefined) this.draft.snapshot = undefined;
    else this.merge(revision, news.kvs, snapshot.readings);
    const longest = Math.min(LONGEST_RACE_WAIT_MS, RACE_WAIT_MS * 2 ** Math.min(attempt, 20));
    this.wait(this.nowMs + longest * this.random);
  }

  private failed(pending: EtcdPending, event: Extract<EtcdLeaseEvent, { type: 'failed' }>): void {
    const { kind, grant } = pending;
    this.draft.snapshot = undefined;
    // A transaction that may yet be carried out needs its lease.
    if (kind === 'txn' && grant !== undefined && (event.mayBeDone || event.failure === 'lease-not-found'))
      this.draft.spare = undefined;
    if (event.failure === 'lease-not-found') {
      this.draft.attempt++;
      this.draft.grant = kind === 'ttl' ? undefined : this.draft.grant;
    } else {
      const others = this.draft.problems.filter(({ code }) => code !== 'store');
      this.tell([...others, problem('store', `etcd: ${kind}: ${event.message}`)]);
    }
    this.draft.failures++;
    const longest = Math.min(LONGEST_WAIT_MS, 500 * 2 ** Math.min(this.draft.failures, 10));
    this.wait(this.nowMs + longest * (0.5 + this.random / 2));
  }

  /** Nothing is left to write: announce what is held and sleep until it must be renewed. */
  private settle(): void {
    const { held } = this.draft;
    if (held === undefined) return;
    this.draft.attempt = 0;
    this.draft.snapshot = undefined;
    const { config, problems } = this.draft;
    this.tell(problems.filter(({ code }) => code !== 'store' && code !== 'expired'));
    const isNew = Object.entries(held.subnets).some(
      ([key, subnet]) => this.draft.using[key as keyof SubnetPair] !== subnet,
    );
    this.draft.using = held.subnets;
    this.draft.wanted = held.subnets;
    if (isNew) this.actions.push({ type: 'held', stored: held });
    else if (held.kv.modRevision !== this.draft.announcedRevision)
      this.actions.push({ type: 'renewed', stored: held });
    this.draft.announcedRevision = held.kv.modRevision;
    if (this.draft.again) return this.list();
    if (held.kv.lease === '0') return this.rest();
    const soonest = this.nowMs + Math.min(1000, config.durationSec * 100);
    this.wait(Math.max(soonest, this.draft.renewAtMs));
  }

  /** A reservation needs no lease, also if it had one before an operator made it one. */
  private rest(): void {
    const { grant } = this.draft;
    if (grant !== undefined) this.actions.push({ type: 'revoke', lease: grant.lease });
    this.draft.grant = undefined;
    this.draft.endsAtMs = Number.POSITIVE_INFINITY;
    this.wait(this.nowMs + RESERVATION_CHECK_MS);
  }

  private askTtl(): void {
    const { grant, held, phase } = this.draft;
    if (phase !== 'waiting') return;
    if (grant === undefined || held === undefined) return this.listSoon();
    this.actions.push({ type: 'ttl', call: this.call('ttl'), lease: grant.lease });
  }

  /** Suspended machines and etcd's own elections shift the end of a lease: etcd knows it. */
  private heard(ttlSec: number): void {
    this.draft.failures = 0;
    if (ttlSec <= 0 || this.draft.again) {
      this.draft.again = false;
      this.list();
      return;
    }
    this.draft.endsAtMs = this.nowMs + ttlSec * 1000;
    this.draft.renewAtMs = this.draft.endsAtMs - this.marginMs();
    this.tell(this.draft.problems.filter(({ code }) => code !== 'store'));
    if (this.nowMs >= this.draft.renewAtMs) this.list();
    else this.wait(this.draft.renewAtMs);
  }

  private offer(offer: LeaseOffer): void {
    this.draft.config = { ...this.draft.config, offer };
    this.listSoon();
  }

  private tell(problems: readonly EtcdProblem[]): void {
    const textOf = (list: readonly EtcdProblem[]) => list.map(({ message }) => message).join('\n');
    if (textOf(problems) === textOf(this.draft.problems)) return;
    this.draft.problems = problems;
    this.actions.push({ type: 'problems', problems });
  }

  /** True for a key that an operator was told of. */
  private isNamed(key: string): boolean {
    return this.draft.problems.some(({ keys }) => keys.includes(key));
  }

  /** True if the key has a bearing on this node's, and is not what it has just written. */
  private concerns(kv: EtcdKeyValue): boolean {
    const { config, held, pending } = this.draft;
    if (held !== undefined && kv.key === held.kv.key && kv.modRevision <= held.kv.modRevision) return false;
    const isMine = kv.lease === (pending?.grant?.lease ?? '0') && kv.value === pending?.plan?.value;
    if (pending?.plan?.key === kv.key && isMine) return false;
    const reading = readStored(config.layout, kv);
    if (kv.key === held?.kv.key) return true;
    if (!reading.ok || this.isNamed(kv.key)) return true;
    const { stored } = reading;
    if (held !== undefined && pairsOverlap(stored.subnets, held.subnets)) return true;
    return isOwnStored(stored, config) && !this.draft.yielded.has(kv.key);
  }
}
