/** What another configuration means for each neighbour: as little as can be. */
import { NEXT_SESSION, type NeighborConfig, type NeighborSession, type SpeakerConfig } from './config.ts';

export type NeighborChange =
  | { readonly type: 'add'; readonly neighbor: NeighborConfig }
  | { readonly type: 'remove'; readonly key: string }
  /** `reset`: its session must end and begin anew; `settings`: the next session is another; `policy`: filters and the like. */
  | {
      readonly type: 'change';
      readonly neighbor: NeighborConfig;
      readonly reset: boolean;
      readonly settings: boolean;
      readonly policy: boolean;
    };

/** Removals first, then what is there, then what is new. */
export function neighborChanges(old: SpeakerConfig, wanted: SpeakerConfig): readonly NeighborChange[] {
  const before = byKey(old.neighbors);
  const after = byKey(wanted.neighbors);
  const isOther = changesIdentity(old, wanted);
  const changes: NeighborChange[] = [];
  for (const key of before.keys()) if (!after.has(key)) changes.push({ type: 'remove', key });
  for (const [key, neighbor] of after) {
    const known = before.get(key);
    if (known === undefined) continue;
    const settings =
      !isSame(known.session, neighbor.session) ||
      (known.isShutdown ?? false) !== (neighbor.isShutdown ?? false);
    const reset = isOther || (settings && needsReset(known, neighbor));
    const policy = !isSame(known.policy, neighbor.policy);
    if (settings || reset || policy) changes.push({ type: 'change', neighbor, reset, settings, policy });
  }
  for (const [key, neighbor] of after) if (!before.has(key)) changes.push({ type: 'add', neighbor });
  return changes;
}

/** Whether peers know us by something else from now on. */
export function changesIdentity(old: SpeakerConfig, wanted: SpeakerConfig): boolean {
  return (
    old.asn !== wanted.asn ||
    old.routerId !== wanted.routerId ||
    old.confederationId !== wanted.confederationId ||
    !isSame(old.confederationMembers, wanted.confederationMembers)
  );
}

function needsReset(known: NeighborConfig, neighbor: NeighborConfig): boolean {
  if ((known.isShutdown ?? false) !== (neighbor.isShutdown ?? false)) return true;
  const keys = new Set([...Object.keys(known.session), ...Object.keys(neighbor.session)]);
  return [...keys].some((name) => {
    const key = name as keyof NeighborSession;
    return !NEXT_SESSION.has(key) && !isSame(known.session[key], neighbor.session[key]);
  });
}

function byKey(neighbors: readonly NeighborConfig[]): ReadonlyMap<string, NeighborConfig> {
  const map = new Map<string, NeighborConfig>();
  for (const neighbor of neighbors) {
    if (map.has(neighbor.key)) throw new RangeError(`two neighbors have the key ${neighbor.key}`);
    map.set(neighbor.key, neighbor);
  }
  return map;
}

/** True if two values of plain data are the same, whatever the order of keys. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  const isThere = ([, value]: readonly [string, unknown]): boolean => value !== undefined;
  if (left.filter(isThere).length !== right.filter(isThere).length) return false;
  const others = new Map<string, unknown>(right);
  return left.every(([key, value]) => isSame(value, others.get(key)));
}
