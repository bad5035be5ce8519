/**
 * The reconciler's pure half: `plan(desired, actual)` gives the operations that lead from one to the other. Removals come
 * first, dependants before what they depend on; then additions, dependencies first. Planning again after they were applied
 * gives nothing. What does not carry one of the given owners' marks is never touched: where it is in the way, that is a conflict.
 */
import { compareObjects } from './compare.ts';
import { keyOf } from './key.ts';
import { compareAdditions, inAdditionOrder, linksOf, lowerLink, needsLinksUp } from './order.ts';
import { isPodLink, type Owner, ownerOf } from './owners.ts';
import type { KernelObject, KernelOp, KernelState, Link } from './state.ts';

export interface PlanOptions {
  /** Whose objects the desired state speaks for: what they own and do not want is removed. */
  readonly owners: readonly Owner[];
  /** Only these keys are looked at (and what hangs on links among them that are made anew); absent means all. */
  readonly only?: ReadonlySet<string>;
  /** What is not removed although nobody wants it; a link of that kind is not made anew either, that is a conflict. */
  readonly keep?: (object: KernelObject, actual: KernelState) => boolean;
  /** Wanted links that are not made when they are missing; nothing is put on them then. */
  readonly leave?: (link: Link) => boolean;
}

/** Something foreign stands where something wanted should be. */
export interface Conflict {
  readonly desired: KernelObject;
  readonly actual: KernelObject;
  readonly message: string;
}

export interface Plan {
  readonly ops: readonly KernelOp[];
  readonly conflicts: readonly Conflict[];
}

export function plan(desired: KernelState, actual: KernelState, options: PlanOptions): Plan {
  const draft = new Draft(desired, actual, options);
  for (const key of options.only ?? desired.keys()) draft.consider(key);
  if (options.only === undefined) {
    for (const key of actual.keys()) if (!desired.has(key)) draft.consider(key);
  }
  draft.followLinks();
  return draft.finish();
}

/**
 * An addition that knows the key it was planned by: who notes what became of it need not make the text anew, nor keep it twice.
 * Thousands come at once. To others it is an operation like any.
 */
class PlannedAddition {
  readonly verb = 'add';
  readonly object: KernelObject;
  readonly #key: string;

  constructor(key: string, object: KernelObject) {
    this.#key = key;
    this.object = object;
  }

  static keyOf(op: KernelOp): string {
    return op instanceof PlannedAddition ? op.#key : keyOf(op.object);
  }
}

/** The key of what an operation is about. */
export function keyOfOp(op: KernelOp): string {
  return PlannedAddition.keyOf(op);
}

class Draft {
  private readonly desired: KernelState;
  private readonly actual: KernelState;
  private readonly options: PlanOptions;
  private readonly removals = new Map<string, KernelObject>();
  /** Additions and changes as they were found, one for a key. */
  private readonly found: KernelOp[] = [];
  /** The same by key, once links were lost: then some become others. */
  private additions: Map<string, KernelOp> | undefined;
  private readonly conflicts: Conflict[] = [];
  /** Links that will be gone when the removals are through. */
  private readonly lostLinks = new Set<string>();
  /** What isBarred has found: thousands of objects may lie on one link. */
  private readonly barred = new Map<string, boolean>();

  constructor(desired: KernelState, actual: KernelState, options: PlanOptions) {
    this.desired = desired;
    this.actual = actual;
    this.options = options;
  }

  consider(key: string): void {
    const wanted = this.desired.get(key);
    const found = this.actual.get(key);
    if (wanted === undefined) {
      if (found !== undefined && this.mayTouch(found) && !this.isKept(found)) this.remove(key, found);
    } else if (found === undefined) {
      if (!this.isLeft(wanted)) this.add(key, wanted);
    } else this.compare(key, wanted, found);
  }

  /** A link that is made anew has nothing on it yet: all that is wanted on it is added. */
  followLinks(): void {
    if (this.lostLinks.size === 0) return;
    const additions = new Map(this.found.map((op) => [keyOf(op.object), op]));
    this.additions = additions;
    while (this.loseStackedLinks());
    for (const [key, object] of this.desired) {
      if (additions.get(key)?.verb === 'add') continue;
      if (object.kind === 'link') this.rejoinMaster(key, object);
      else if (linksOf(object).some((name) => this.lostLinks.has(name))) this.putBack(key, object);
    }
  }

  finish(): Plan {
    // What lies on a lost link goes with it in the kernel: no operation of its own.
    const removals = [...this.removals.values()].filter(
      (object) => object.kind === 'link' || !this.goesWithLink(object),
    );
    removals.sort((a, b) => compareAdditions(b, a));
    const kept: KernelOp[] = [];
    const raised: KernelOp[] = [];
    for (const op of this.additions?.values() ?? this.found) {
      if (this.isOnBarred(op.object)) continue;
      const isLost = op.verb === 'replace' && this.goesWithLink(op.previous);
      const { object } = op;
      if (isPodLink(object) && goesUp(op)) {
        const down = { ...object, up: false };
        kept.push({ ...op, object: down });
        raised.push({ verb: 'replace', object, previous: down });
      } else kept.push(isLost ? { verb: 'add', object } : op);
    }
    const additions = withRaised(
      inAdditionOrder(kept, (op) => op.object),
      raised,
    );
    const ops = removals.map((object): KernelOp => ({ verb: 'remove', object }));
    return { ops: ops.length === 0 ? additions : [...ops, ...additions], conflicts: this.conflicts };
  }

  private compare(key: string, wanted: KernelObject, found: KernelObject): void {
    const comparison = compareObjects(wanted, found);
    if (comparison === 'same') return;
    if (!this.mayTouch(found) && wanted.kind !== 'sysctl') {
      this.conflict(wanted, found, `${key} is there already and is not ours`);
    } else if (comparison === 'recreate' && found.kind === 'link' && this.isKept(found)) {
      this.conflict(wanted, found, `${key} is there already and may not be removed`);
    } else if (comparison === 'replace') {
      this.change(key, { verb: 'replace', object: wanted, previous: found });
    } else {
      this.remove(key, found);
      this.add(key, wanted);
    }
  }

  /** The kernel takes what is stacked on a lost link with it. True if that was so for any more. */
  private loseStackedLinks(): boolean {
    const before = this.lostLinks.size;
    for (const [key, object] of this.actual) {
      if (object.kind !== 'link' || this.lostLinks.has(object.name)) continue;
      const lower = lowerLink(object);
      if (lower === undefined || !this.lostLinks.has(lower)) continue;
      this.lostLinks.add(object.name);
      if (this.mayTouch(object)) this.removals.set(key, object);
      const wanted = this.desired.get(key);
      if (wanted !== undefined) this.add(key, wanted);
    }
    return this.lostLinks.size > before;
  }

  /** What lay on a lost link is gone; what lay elsewhere, or on others too, is still there. */
  private putBack(key: string, wanted: KernelObject): void {
    const found = this.actual.get(key);
    if (found === undefined || this.goesWithLink(found)) this.add(key, wanted);
    else if (this.mayTouch(found)) this.change(key, { verb: 'replace', object: wanted, previous: found });
  }

  /** The ports of a bridge that is made anew are ports of none until they are put back. */
  private rejoinMaster(key: string, wanted: Link): void {
    const found = this.actual.get(key);
    if (!wanted.master || !this.lostLinks.has(wanted.master) || found?.kind !== 'link') return;
    if (!this.mayTouch(found)) return;
    this.change(key, { verb: 'replace', object: wanted, previous: { ...found, master: '' } });
  }

  private isOnBarred(object: KernelObject): boolean {
    // Nearly all there is, without a list of the one link.
    if (object.kind === 'neighbour' || object.kind === 'fdb') return this.isBarred(object.link);
    for (const name of linksOf(object)) if (this.isBarred(name)) return true;
    return false;
  }

  /** True where something foreign has the name of a link that is to be ours, or where it is left unmade: nothing is put on it. */
  private isBarred(name: string): boolean {
    let isBarred = this.barred.get(name);
    if (isBarred === undefined) {
      const wanted = linkIn(this.desired, name);
      const found = linkIn(this.actual, name);
      isBarred =
        wanted !== undefined &&
        (found === undefined ? this.isLeft(wanted) : this.mayTouch(wanted) && !this.mayTouch(found));
      this.barred.set(name, isBarred);
    }
    return isBarred;
  }

  private add(key: string, object: KernelObject): void {
    this.change(key, new PlannedAddition(key, object));
  }

  private change(key: string, op: KernelOp): void {
    if (this.additions === undefined) this.found.push(op);
    else this.additions.set(key, op);
  }

  private remove(key: string, object: KernelObject): void {
    this.removals.set(key, object);
    if (object.kind === 'link') this.lostLinks.add(object.name);
  }

  private mayTouch(object: KernelObject): boolean {
    const owner = ownerOf(object, this.actual);
    return owner !== undefined && this.options.owners.includes(owner);
  }

  private isKept(object: KernelObject): boolean {
    return this.options.keep?.(object, this.actual) === true;
  }

  private isLeft(object: KernelObject): boolean {
    return object.kind === 'link' && this.options.leave?.(object) === true;
  }

  private conflict(desired: KernelObject, actual: KernelObject, message: string): void {
    this.conflicts.push({ desired, actual, message });
  }

  private goesWithLink(object: KernelObject): boolean {
    if (this.lostLinks.size === 0) return false;
    const links = linksOf(object);
    return links.length > 0 && links.every((name) => this.lostLinks.has(name));
  }
}

/** A state from a list; two objects of one key are a mistake of the planner and a RangeError. */
export function stateOf(objects: Iterable<KernelObject>): Map<string, KernelObject> {
  const state = new Map<string, KernelObject>();
  for (const object of objects) {
    const key = keyOf(object);
    if (state.has(key)) throw new RangeError(`wanted twice: ${key}`);
    state.set(key, object);
  }
  return state;
}

/** The link of that name in a state. */
export function linkIn(state: KernelState, name: string): Link | undefined {
  const found = state.get(`link ${name}`);
  return found?.kind === 'link' ? found : undefined;
}

function goesUp(op: KernelOp): boolean {
  if (op.object.kind !== 'link' || op.object.up !== true) return false;
  return (
    op.verb === 'add' || (op.verb === 'replace' && op.previous.kind === 'link' && op.previous.up !== true)
  );
}

/**
 * A pod's link is up once its sysctls are set: what the pod sends before could change the host, and its own addresses would be looked
 * for among its neighbours. A port of a bridge takes nothing for itself and waits all the same: raised in the send that makes it, it left new
 * pods unreached over IPv6 for up to a second, probably for the pace of net/core/link_watch.c.
 */
function withRaised(additions: KernelOp[], raised: readonly KernelOp[]): KernelOp[] {
  if (raised.length === 0) return additions;
  const at = additions.findIndex(({ object }) => needsLinksUp(object));
  return at < 0 ? [...additions, ...raised] : additions.toSpliced(at, 0, ...raised);
}
