/**
 * The nf_tables objects of a namespace that are ours, kept up to date from dumps and notifications. Pure: messages go in, keys of
 * changed objects come out. Messages about others' tables cost a look at the table's name. Elements that time or traffic
 * takes away go unannounced by the kernel: those of dynamic sets are never shown, those with a timeout stay until a dump.
 */
import {
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  keyOfOp,
  USUAL_OWNERS,
} from '#core/kernel/index.ts';
import { type NftFamily, type NftSet, type NftTable, sameData } from '#core/nft/index.ts';
import { decodeMessage, type Message, messageType } from '../message.ts';
import { elementsRequest, overviewRequests, rulesRequest } from './dump.ts';
import { NFT_MESSAGE, tableOfMessage } from './header.ts';
import {
  type ChainMessage,
  chainMessage,
  type ElementsMessage,
  elementsMessage,
  type RuleMessage,
  ruleMessage,
  type SetMessage,
  setMessage,
  type TableMessage,
  tableMessage,
} from './messages.ts';
import { MirrorChain } from './mirror-chain.ts';
import { MirrorSet } from './mirror-set.ts';
import { chainFromWire, ruleFromWire, tableFromWire } from './objects.ts';
import { type ElementAddition, OwnElements } from './own-elements.ts';
import { setFromWire } from './set.ts';

const OWN_TABLES: ReadonlySet<string> = new Set(USUAL_OWNERS.flatMap((owner) => owner.tables));

interface MirrorTable {
  readonly family: NftFamily;
  readonly name: string;
  readonly chains: Map<string, MirrorChain>;
  readonly sets: Map<string, MirrorSet>;
}

export class NftMirror {
  private readonly objects: Map<string, KernelObject>;
  private readonly owned: ReadonlySet<string>;
  private tables = new Map<string, MirrorTable>();
  /** What a dump under way has told so far; it takes the place of the old objects when it is complete. */
  private fresh: Map<string, KernelObject> | undefined;
  private changed = new Set<string>();
  private readonly unsettledChains = new Set<MirrorChain>();
  private readonly unsettledSets = new Set<MirrorSet>();
  private needsDump = false;
  /** By key, elements of a transaction under way. */
  private readonly own = new OwnElements();
  private readonly expected = new Map<string, { readonly key: string; readonly object: KernelObject }>();

  /** Objects are kept in the given map, beside others'. `owned` are the names of the tables that count as ours, in any family. */
  constructor(objects: Map<string, KernelObject> = new Map(), owned: ReadonlySet<string> = OWN_TABLES) {
    this.objects = objects;
    this.owned = owned;
  }

  /** Current as of the last takeChanged or endResync. */
  get state(): KernelState {
    return this.objects;
  }

  /** Takes in one message of a dump or one notification. Throws DecodeError for a malformed one about a table of ours. */
  apply(bytes: Uint8Array): void {
    // Answers of a dump carry the port too.
    if (this.fresh === undefined) {
      if (this.own.skips(bytes)) return;
      const added = this.own.takeAt(bytes);
      if (added !== undefined) return this.addOwn(added);
    }
    const at = tableOfMessage(bytes);
    if (at === undefined || !this.owned.has(at.table)) return;
    const { family } = at;
    switch (messageType(bytes)) {
      case NFT_MESSAGE.NEWTABLE:
        return this.newTable(family, decodeMessage(tableMessage, bytes).payload);
      case NFT_MESSAGE.DELTABLE:
        return this.deleteTable(family, at.table);
      case NFT_MESSAGE.NEWCHAIN:
        return this.inTable(at, (table) => this.newChain(table, decodeMessage(chainMessage, bytes).payload));
      case NFT_MESSAGE.DELCHAIN:
        return this.inTable(at, (table) =>
          this.deleteChain(table, decodeMessage(chainMessage, bytes).payload),
        );
      case NFT_MESSAGE.NEWRULE:
        return this.inTable(at, (table) => this.newRule(table, decodeMessage(ruleMessage, bytes)));
      case NFT_MESSAGE.DELRULE:
        return this.inTable(at, (table) => this.deleteRule(table, decodeMessage(ruleMessage, bytes).payload));
      case NFT_MESSAGE.NEWSET:
        return this.inTable(at, (table) => this.newSet(table, decodeMessage(setMessage, bytes).payload));
      case NFT_MESSAGE.DELSET:
        return this.inTable(at, (table) => this.deleteSet(table, decodeMessage(setMessage, bytes).payload));
      case NFT_MESSAGE.NEWSETELEM:
        return this.inTable(at, (table) =>
          this.newElements(table, decodeMessage(elementsMessage, bytes).payload),
        );
      case NFT_MESSAGE.DELSETELEM:
        return this.inTable(at, (table) =>
          this.deleteElements(table, decodeMessage(elementsMessage, bytes).payload),
        );
    }
  }

  /** The port that own transactions come from. */
  setOwnPort(portId: number): void {
    this.own.setPort(portId);
  }

  /** Told of a transaction that is about to be sent, the mirror keeps its elements as they are in place of copies. */
  expect(ops: readonly KernelOp[]): void {
    if (this.own.expect(ops, (key) => this.setOf(key))) return;
    for (const op of ops) {
      if (op.verb === 'remove' || op.object.kind !== 'nft-element') continue;
      const key = keyOfOp(op);
      this.expected.set(key, { key, object: op.object });
    }
  }

  /** The transaction is over, and all its notifications were taken in. */
  expectNoMore(): void {
    this.expected.clear();
    this.own.clear();
  }

  /**
   * Keys of objects that appeared, changed or vanished since the last call, other than as expected. The state is current
   * afterwards.
   */
  takeChanged(): Set<string> {
    this.settle();
    const { changed } = this;
    this.changed = new Set();
    return changed;
  }

  /** True, once, if a notification did not tell enough and everything must be dumped. */
  takeNeedsDump(): boolean {
    const { needsDump } = this;
    this.needsDump = false;
    return needsDump;
  }

  /** From here until endResync all messages are answers to dumpRequests, in the order of the requests. */
  beginResync(): void {
    this.settle();
    this.needsDump = false;
    this.tables = new Map();
    this.fresh = new Map();
  }

  /**
   * The dumps to make between beginResync and endResync. Later requests depend on the answers to earlier ones: apply those before
   * taking the next. A request for the elements of a set that has gone since is refused with ENOENT.
   */
  *dumpRequests(): Generator<Uint8Array> {
    yield* overviewRequests();
    for (const table of [...this.tables.values()]) {
      yield rulesRequest(table.family, table.name);
      for (const { set } of [...table.sets.values()]) {
        if (!set.dynamic) yield elementsRequest(table.family, table.name, set.name);
      }
    }
  }

  /** What the dump did not tell of is gone. */
  endResync(): void {
    this.settle();
    const { fresh } = this;
    this.fresh = undefined;
    if (fresh === undefined) return;
    for (const [key, object] of this.objects)
      if (object.kind.startsWith('nft-') && !fresh.has(key)) this.report(key, undefined);
    for (const [key, object] of fresh) this.report(key, object);
  }

  private readonly report = (key: string, object: KernelObject | undefined): string => {
    const objects = this.fresh ?? this.objects;
    if (object === undefined) {
      if (objects.delete(key) && this.fresh === undefined) this.changed.add(key);
      return key;
    }
    const asked = this.expected.get(key);
    const isAsked = asked !== undefined && sameData(asked.object, object);
    const before = objects.get(key);
    if (before === undefined || !sameData(before, object)) {
      objects.set(isAsked ? asked.key : key, isAsked ? asked.object : object);
      if (this.fresh === undefined && !isAsked) this.changed.add(key);
    }
    return isAsked ? asked.key : key;
  };

  private settle(): void {
    for (const chain of this.unsettledChains) {
      const object = chain.object();
      this.report(keyOf(object), object);
    }
    this.unsettledChains.clear();
    for (const set of this.unsettledSets) set.settle(this.report);
    this.unsettledSets.clear();
  }

  private inTable(
    { family, table }: { readonly family: NftFamily; readonly table: string },
    then: (table: MirrorTable) => void,
  ): void {
    const found = this.tables.get(`${family} ${table}`);
    if (found === undefined) this.needsDump = true;
    else then(found);
  }

  private newTable(family: NftFamily, message: TableMessage): void {
    const object = tableFromWire(family, message);
    if (object === undefined) return;
    const key = `${family} ${object.name}`;
    if (!this.tables.has(key))
      this.tables.set(key, { family, name: object.name, chains: new Map(), sets: new Map() });
    this.report(keyOf(object), object);
  }

  private deleteTable(family: NftFamily, name: string): void {
    const table = this.tables.get(`${family} ${name}`);
    if (table === undefined) return;
    for (const chain of table.chains.values()) this.dropChain(chain);
    for (const set of table.sets.values()) this.dropSet(set);
    this.tables.delete(`${family} ${name}`);
    const object: NftTable = { kind: 'nft-table', family, name };
    this.report(keyOf(object), undefined);
  }

  private newChain(table: MirrorTable, message: ChainMessage): void {
    const base = chainFromWire(table.family, message);
    if (base === undefined) return;
    const known = table.chains.get(base.name);
    const chain = known ?? new MirrorChain(base);
    chain.base = base;
    table.chains.set(base.name, chain);
    this.unsettledChains.add(chain);
  }

  private deleteChain(table: MirrorTable, { attributes }: ChainMessage): void {
    const chain = table.chains.get(attributes.name ?? '');
    if (chain === undefined) return;
    table.chains.delete(chain.base.name);
    this.dropChain(chain);
  }

  private dropChain(chain: MirrorChain): void {
    this.unsettledChains.delete(chain);
    this.report(keyOf(chain.base), undefined);
  }

  private newRule(table: MirrorTable, { flags, payload }: Message<RuleMessage>): void {
    const { chain: name, handle, position } = payload.attributes;
    const chain = table.chains.get(name ?? '');
    if (chain === undefined || handle === undefined) {
      this.needsDump = true;
      return;
    }
    const rule = ruleFromWire(payload);
    if (this.fresh !== undefined) chain.append(handle, rule);
    else if (!chain.insert({ handle, position, flags }, rule)) this.needsDump = true;
    this.unsettledChains.add(chain);
  }

  private deleteRule(table: MirrorTable, { attributes }: RuleMessage): void {
    const chain = table.chains.get(attributes.chain ?? '');
    if (chain === undefined || attributes.handle === undefined) return;
    chain.remove(attributes.handle);
    this.unsettledChains.add(chain);
  }

  private newSet(table: MirrorTable, message: SetMessage): void {
    const set = setFromWire(table.family, message);
    if (set === undefined) return;
    const known = table.sets.get(set.name);
    if (known !== undefined && sameData(known.set, set)) return;
    if (known !== undefined) {
      // Not announced by a DELSET before: the set was updated, and its elements are as they were.
      this.needsDump = true;
      this.dropSet(known);
    }
    table.sets.set(set.name, new MirrorSet(set));
    this.report(keyOf(set), set);
  }

  private deleteSet(table: MirrorTable, { attributes }: SetMessage): void {
    const set = table.sets.get(attributes.name ?? '');
    if (set === undefined) return;
    table.sets.delete(set.set.name);
    this.dropSet(set);
  }

  private dropSet(set: MirrorSet): void {
    this.unsettledSets.delete(set);
    set.clear(this.report);
    this.report(keyOf(set.set), undefined);
  }

  /** Sets without an entry here are literals inside rules. */
  private newElements(table: MirrorTable, { attributes }: ElementsMessage): void {
    const set = table.sets.get(attributes.set ?? '');
    if (set === undefined) return;
    set.add(attributes.elements ?? [], this.report);
    this.unsettledSets.add(set);
  }

  private setOf(key: string): NftSet | undefined {
    const object = this.objects.get(key);
    return object?.kind === 'nft-set' ? object : undefined;
  }

  /** What came out as it was asked for: nobody need be told. */
  private addOwn(added: readonly ElementAddition[]): void {
    for (const op of added) {
      const { family, table, set } = op.object;
      const found = this.tables.get(`${family} ${table}`)?.sets.get(set);
      if (found === undefined) this.needsDump = true;
      else {
        const key = keyOfOp(op);
        found.note(key);
        this.objects.set(key, op.object);
      }
    }
  }

  private deleteElements(table: MirrorTable, { attributes }: ElementsMessage): void {
    const set = table.sets.get(attributes.set ?? '');
    if (set === undefined) return;
    set.remove(attributes.elements ?? [], this.report);
    this.unsettledSets.add(set);
  }
}
