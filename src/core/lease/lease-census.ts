/** Sorts a list of lease objects into this node's, others' and unreadable ones, and finds what operators should see. */
import type { IpPrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { LeaseAction, LeaseState, StoredLease } from './acquirer-types.ts';
import type { OutOfSubnetsError } from './allocator.ts';
import { isClaimable, isOwn } from './lease-decision.ts';
import { leaseFromObject, unfitReason } from './lease-object.ts';
import { isExpired } from './model.ts';
import { overlapsOf } from './overlaps.ts';

export type LeaseProblem = Extract<LeaseAction, { type: 'problem' }>;

export interface LeaseCensus {
  readonly own: readonly StoredLease[];
  readonly others: readonly StoredLease[];
  /** Subnets whose object names are taken by something unreadable. */
  readonly blocked: readonly IpPrefix[];
  readonly problems: readonly LeaseProblem[];
}

/** Reads every object of a list. */
export function takeCensus(
  items: readonly KubeObject[],
  config: LeaseState['config'],
  nowMs: number,
): LeaseCensus {
  const own: StoredLease[] = [];
  const others: StoredLease[] = [];
  const blocked: IpPrefix[] = [];
  const problems: LeaseProblem[] = [];
  for (const object of items) {
    const reading = leaseFromObject(object);
    if (!reading.ok) {
      if (reading.subnet !== undefined) blocked.push(reading.subnet);
      problems.push(
        problem('malformed-lease', `lease ${reading.name} is left alone: ${reading.reason}`, reading.name),
      );
      continue;
    }
    const lease: StoredLease = { name: reading.name, record: reading.record, object };
    const mine = isOwn(lease.record, config) || isClaimable(lease.record, config, nowMs);
    (mine ? own : others).push(lease);
    const unfit = unfitReason(lease.record, config.netConf);
    if (unfit !== undefined)
      problems.push(
        problem('unfit-lease', `lease ${lease.name} of node ${lease.record.node}: ${unfit}`, lease.name),
      );
    if (!mine && lease.record.node === config.node && !isExpired(lease.record, nowMs, config.clockSkewSec))
      problems.push(otherOwner(lease, config));
  }
  problems.push(...duplicates([...own, ...others], nowMs));
  return { own, others, blocked, problems };
}

function otherOwner(lease: StoredLease, config: LeaseState['config']): LeaseProblem {
  const { subnet, ownerUid } = lease.record;
  const message =
    `${subnet} is leased to another machine named ${config.node} (owner ${ownerUid}, this one is ${config.ownerUid}): ` +
    `give the machines different names, or delete lease ${lease.name} if that machine is gone`;
  return problem('other-owner', message, lease.name);
}

/** Live leases that overlap. */
function duplicates(leases: readonly StoredLease[], nowMs: number): LeaseProblem[] {
  const live = leases.filter((lease) => !isExpired(lease.record, nowMs));
  return overlapsOf(live, ({ record }) => record.subnet).map(([a, b]) => {
    const message = `${a.record.subnet} of node ${a.record.node} and ${b.record.subnet} of node ${b.record.node} overlap`;
    return problem('duplicate-subnet', message, a.name, b.name);
  });
}

/** The problem of a family without a free subnet. */
export function outOfSubnetsProblem(error: OutOfSubnetsError): LeaseProblem {
  return problem('out-of-subnets', error.message);
}

function problem(code: LeaseProblem['code'], message: string, ...names: string[]): LeaseProblem {
  return { type: 'problem', code, message, names };
}
