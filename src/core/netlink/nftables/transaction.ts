/**
 * Operations on nf_tables objects as the messages of one transaction. Within it everything is taken away before anything is
 * added, each in the order of dependencies, so that a range may take another's place and a chain may be made anew; packets see
 * only the end. BATCH_BEGIN and BATCH_END are the socket's business (io/netlink).
 */
import type { Codec } from '#core/codec/index.ts';
import { type KernelObject, type KernelOp, type KernelState, keyOf } from '#core/kernel/index.ts';
import {
  equalRules,
  type NftChain,
  type NftElement,
  type NftObject,
  type NftSet,
  type NftTable,
  sameHook,
  setsReferredTo,
} from '#core/nft/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { elementKeysToWire, elementToWire } from './element.ts';
import { ElementBatch } from './element-batch.ts';
import { NFT_MESSAGE } from './header.ts';
import { chainMessage, elementsMessage, ruleMessage, setMessage, tableMessage } from './messages.ts';
import { chainToWire, headerOf, ruleToWire, tableToWire } from './objects.ts';
import { layoutOf, type SetLayout, setToWire } from './set.ts';

export interface NftTransaction {
  readonly messages: Uint8Array[];
  /** For each message the index of the operation it serves; a message of many elements names the first. */
  readonly opIndex: number[];
}

/** In this order the kernel gets them. */
const PHASES = [
  'add tables',
  'flush rules',
  'remove elements',
  'remove sets',
  'remove chains',
  'add sets',
  'add chains',
  'add elements',
  'add rules',
  'remove tables',
] as const;
type Phase = (typeof PHASES)[number];

/**
 * Encodes operations on tables, chains, sets and elements. `state` is what the kernel has now: from it come the types of sets that
 * elements lie in, and what must be written again with a set that is made anew. Throws RangeError for an operation on
 * another kind of object, for an element of an unknown set, and for values that do not fit.
 */
export function encodeNftOps(ops: readonly KernelOp[], state: KernelState = new Map()): NftTransaction {
  return new TransactionEncoder(ops, state).run();
}

class TransactionEncoder {
  private readonly ops: readonly { readonly op: KernelOp; readonly object: NftObject }[];
  private readonly state: KernelState;
  private readonly phases: Readonly<Record<Phase, { bytes: Uint8Array; op: number }[]>>;
  private readonly additions = new Map<SetLayout, ElementBatch>();
  private readonly removals = new Map<SetLayout, ElementBatch>();
  /** Sets as they are before and after the transaction. */
  private readonly before = new Map<string, SetLayout>();
  private readonly after = new Map<string, SetLayout>();
  private readonly removed = new Set<string>();
  private readonly renewedSets = new Set<string>();
  /** Keys of the objects the operations are on. */
  private touched: Set<string> | undefined;
  private nextSetId = 1;
  private lastAddition: { readonly layout: SetLayout; readonly batch: ElementBatch } | undefined;

  constructor(ops: readonly KernelOp[], state: KernelState) {
    this.ops = ops.map((op) => ({ op, object: requireNft(op.object) }));
    this.state = state;
    this.phases = Object.fromEntries(PHASES.map((phase) => [phase, []])) as unknown as typeof this.phases;
    for (const { op, object } of this.ops) this.survey(op, object);
  }

  run(): NftTransaction {
    for (const [index, { op, object }] of this.ops.entries()) {
      // What lies in a table that goes, goes with it.
      const inRemoved = object.kind !== 'nft-table' && this.removed.has(tableKey(object));
      if (op.verb !== 'remove' || !inRemoved) this.encode(op, object, index);
    }
    for (const batch of this.removals.values())
      this.phases['remove elements'].push(...batch.messages(NFT_MESSAGE.DELSETELEM, 0));
    for (const batch of this.additions.values())
      this.phases['add elements'].push(...batch.messages(NFT_MESSAGE.NEWSETELEM, NLM_F.CREATE));
    const all = PHASES.flatMap((phase) => this.phases[phase]);
    return { messages: all.map(({ bytes }) => bytes), opIndex: all.map(({ op }) => op) };
  }

  /** Notes what other operations must know of this one. */
  private survey(op: KernelOp, object: NftObject): void {
    if (object.kind === 'nft-element') return;
    const key = keyOf(object);
    if (op.verb === 'remove') this.removed.add(key);
    if (object.kind !== 'nft-set') return;
    if (op.verb !== 'remove') this.after.set(key, layoutOf(object));
    if (op.verb !== 'replace') return;
    this.renewedSets.add(key);
    if (op.previous.kind === 'nft-set') this.before.set(key, layoutOf(op.previous));
  }

  private encode(op: KernelOp, object: NftObject, index: number): void {
    const previous = op.verb === 'replace' ? requireNft(op.previous) : undefined;
    switch (object.kind) {
      case 'nft-table':
        return this.encodeTable(op.verb, object, index);
      case 'nft-chain':
        if (op.verb === 'remove') return this.removeChain(object, index);
        return this.writeChain(object, previous?.kind === 'nft-chain' ? previous : undefined, index);
      case 'nft-set':
        if (op.verb !== 'add') this.removeSet(object, index);
        if (op.verb !== 'remove')
          this.put(
            'add sets',
            NFT_MESSAGE.NEWSET,
            NLM_F.CREATE,
            setMessage,
            setToWire(object, this.nextSetId++),
            index,
          );
        if (op.verb === 'replace') this.restoreUsers(object, index);
        return;
      case 'nft-element': {
        const old = op.verb === 'remove' ? object : previous;
        if (old?.kind === 'nft-element') this.removeElement(old, index);
        if (op.verb !== 'remove') this.addElement(object, index);
        return;
      }
    }
  }

  private encodeTable(verb: KernelOp['verb'], table: NftTable, index: number): void {
    if (verb === 'remove') {
      const payload = { ...headerOf(table.family), attributes: { name: table.name } };
      this.put('remove tables', NFT_MESSAGE.DELTABLE, 0, tableMessage, payload, index);
    } else
      this.put('add tables', NFT_MESSAGE.NEWTABLE, NLM_F.CREATE, tableMessage, tableToWire(table), index);
  }

  private removeChain(chain: NftChain, index: number): void {
    this.flushRules('flush rules', chain, index);
    const payload = {
      ...headerOf(chain.family),
      attributes: { table: chain.table, name: chain.name },
    };
    this.put('remove chains', NFT_MESSAGE.DELCHAIN, 0, chainMessage, payload, index);
  }

  private writeChain(chain: NftChain, previous: NftChain | undefined, index: number): void {
    if (previous === undefined || !sameHook(chain, previous)) {
      if (previous !== undefined) this.removeChain(previous, index);
      this.createChain(chain, index);
      // Harmless where the chain is new, and right where somebody else has made it since.
      this.flushRules('add chains', chain, index);
    } else {
      // Of a base chain only the policy can be changed in place.
      if (chain.hook?.policy !== undefined && chain.hook.policy !== previous.hook?.policy)
        this.createChain(chain, index);
      if (equalRules(chain.rules, previous.rules) && !this.usesRenewedSet(chain)) return;
      this.flushRules('flush rules', chain, index);
    }
    this.addRules(chain, index);
  }

  private createChain(chain: NftChain, index: number): void {
    this.put('add chains', NFT_MESSAGE.NEWCHAIN, NLM_F.CREATE, chainMessage, chainToWire(chain), index);
  }

  private flushRules(phase: Phase, chain: NftChain, index: number): void {
    const payload = {
      ...headerOf(chain.family),
      attributes: { table: chain.table, chain: chain.name },
    };
    this.put(phase, NFT_MESSAGE.DELRULE, 0, ruleMessage, payload, index);
  }

  private addRules(chain: NftChain, index: number): void {
    const flags = NLM_F.CREATE | NLM_F.APPEND;
    for (const rule of chain.rules)
      this.put('add rules', NFT_MESSAGE.NEWRULE, flags, ruleMessage, ruleToWire(chain, rule), index);
  }

  private usesRenewedSet(chain: NftChain): boolean {
    if (this.renewedSets.size === 0) return false;
    return [...setsReferredTo(chain.rules)].some((set) => this.renewedSets.has(setKey({ ...chain, set })));
  }

  private removeSet(set: NftSet, index: number): void {
    const header = headerOf(set.family);
    // Emptied first: elements that jump to a chain would hold it (kernels before 6.5). A constant set cannot be.
    if (!set.constant) {
      const all = { ...header, attributes: { table: set.table, set: set.name } };
      this.put('remove sets', NFT_MESSAGE.DELSETELEM, 0, elementsMessage, all, index);
    }
    const payload = { ...header, attributes: { table: set.table, name: set.name } };
    this.put('remove sets', NFT_MESSAGE.DELSET, 0, setMessage, payload, index);
  }

  /** A set made anew loses its elements, and cannot be removed while rules look into it: both are written again. */
  private restoreUsers(set: NftSet, index: number): void {
    this.touched ??= new Set(this.ops.map((each) => keyOf(each.object)));
    for (const object of this.state.values()) {
      if (object.kind !== 'nft-chain' && object.kind !== 'nft-element') continue;
      if (tableKey(object) !== tableKey(set) || this.touched.has(keyOf(object))) continue;
      if (object.kind === 'nft-element') {
        if (object.set === set.name) this.addElement(object, index);
      } else if (setsReferredTo(object.rules).has(set.name)) {
        this.flushRules('flush rules', object, index);
        this.addRules(object, index);
      }
    }
  }

  private removeElement(element: NftElement, index: number): void {
    const key = setKey(element);
    // The elements of a set that goes, or is made anew, go with it.
    if (this.removed.has(key) || this.renewedSets.has(key)) return;
    const layout = this.layoutFor(key, this.before);
    batchFor(this.removals, layout).add(elementKeysToWire(layout, element), index);
  }

  private addElement(element: NftElement, index: number): void {
    const { lastAddition: last } = this;
    // Thousands for one set in a row are nearly all there is.
    const isInLast = last !== undefined && isInSet(element, last.layout.set);
    const layout = isInLast ? last.layout : this.layoutFor(setKey(element), this.after);
    const batch = isInLast ? last.batch : batchFor(this.additions, layout);
    if (!isInLast) this.lastAddition = { layout, batch };
    batch.add(elementToWire(layout, element), index);
  }

  private layoutFor(key: string, known: Map<string, SetLayout>): SetLayout {
    const found = known.get(key);
    if (found !== undefined) return found;
    const set = this.state.get(key);
    if (set?.kind !== 'nft-set')
      throw new RangeError(
        `element of ${key}: the set is neither in these operations nor in the kernel's state`,
      );
    const layout = layoutOf(set);
    known.set(key, layout);
    return layout;
  }

  private put<T>(
    phase: Phase,
    type: number,
    flags: number,
    codec: Codec<T>,
    payload: T,
    index: number,
  ): void {
    this.phases[phase].push({ bytes: encodeMessage(codec, { type, flags, payload }), op: index });
  }
}

function requireNft(object: KernelObject): NftObject {
  switch (object.kind) {
    case 'nft-table':
    case 'nft-chain':
    case 'nft-set':
    case 'nft-element':
      return object;
    default:
      throw new RangeError(`${object.kind} is no nf_tables object`);
  }
}

function batchFor(batches: Map<SetLayout, ElementBatch>, layout: SetLayout): ElementBatch {
  const found = batches.get(layout) ?? new ElementBatch(layout);
  batches.set(layout, found);
  return found;
}

function isInSet({ family, table, set }: NftElement, of: NftSet): boolean {
  return set === of.name && table === of.table && family === of.family;
}

type InTable = Pick<NftChain, 'family' | 'table'>;

function tableKey({ family, table }: InTable): string {
  return `nft table ${family} ${table}`;
}

function setKey({ family, table, set }: InTable & { readonly set: string }): string {
  return `nft set ${family} ${table} ${set}`;
}
