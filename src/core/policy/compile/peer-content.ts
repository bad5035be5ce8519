/**
 * What is in the sets that the engine tells of, and the kernel's sets made of it, one for each family that rules ask for. Addresses alone are
 * looked up by hash; as soon as a net is among them the set is another, of ranges, and the rules that look into it are made anew.
 */
import { familyOf, hostPrefixOf, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { PeerElement, PeerSet, PeerSetChange } from '../graph.ts';
import { peerSetId } from '../peer-set.ts';
import { type Ground, KernelSet, type Key } from './kernel-set.ts';
import type { Names } from './names.ts';
import { isHost, Nets } from './nets.ts';
import { addressType, type SetShape } from './place.ts';

const LETTERS = {
  members: 'members',
  'named-port': 'port',
  service: 'service',
  'service-addresses': 'service-addresses',
  domains: 'domains',
} as const satisfies Record<PeerSet['kind'], string>;

/** A comment has at most 128 bytes in nft; what does not fit is cut. */
const COMMENT_BYTES = 120;

/** One set of the engine in one family. */
export abstract class PeerContent extends KernelSet {
  readonly id: string;
  readonly #set: PeerSet;
  readonly #names: Names;
  protected readonly family: IpFamily;

  constructor(ground: Ground, names: Names, set: PeerSet, family: IpFamily) {
    super(ground);
    this.#names = names;
    this.#set = set;
    this.id = peerSetId(set);
    this.family = family;
  }

  static of(ground: Ground, names: Names, set: PeerSet, family: IpFamily): PeerContent {
    const isPair = set.kind === 'named-port' || set.kind === 'service';
    return new (isPair ? PortContent : AddressContent)(ground, names, set, family);
  }

  /** True if it is of another shape now. */
  abstract change(change: Pick<PeerSetChange, 'added' | 'removed'>): boolean;

  /** Its name is free for others. */
  forget(): void {
    this.#names.give(this.shape.name);
  }

  protected named(suffix: string, rest: Pick<SetShape, 'keyType' | 'interval'>): SetShape {
    const prefix = `${LETTERS[this.#set.kind]}${suffix}${this.family}-`;
    const comment = commentOf(this.id);
    return { name: this.#names.take(prefix, this.id), ...rest, ...(comment !== undefined && { comment }) };
  }
}

class AddressContent extends PeerContent {
  readonly #nets = new Nets();

  change({ added, removed }: Pick<PeerSetChange, 'added' | 'removed'>): boolean {
    const before = this.#nets.hasRanges;
    const appeared = new Set<IpPrefix>();
    const vanished = new Set<IpPrefix>();
    const note = (change: { added: readonly IpPrefix[]; removed: readonly IpPrefix[] }): void => {
      for (const net of change.removed) if (!appeared.delete(net)) vanished.add(net);
      for (const net of change.added) if (!vanished.delete(net)) appeared.add(net);
    };
    for (const net of this.#mine(removed)) note(this.#nets.remove(net));
    for (const net of this.#mine(added)) note(this.#nets.add(net));
    if (before === this.#nets.hasRanges) {
      this.changeKeys([...appeared].map(keyOfNet), [...vanished].map(keyOfNet));
      return false;
    }
    this.forget();
    const known = new Set(this.#nets.outermost()).difference(appeared).union(vanished);
    this.reshape([...known].map(keyOfNet));
    return true;
  }

  protected override makeShape(): SetShape {
    const keyType = [addressType(this.family)];
    return this.#nets.hasRanges
      ? this.named('-nets', { keyType, interval: true })
      : this.named('', { keyType });
  }

  protected override *keys(): Iterable<Key> {
    for (const net of this.#nets.outermost()) yield keyOfNet(net);
  }

  *#mine(elements: readonly PeerElement[]): Iterable<IpPrefix> {
    for (const element of elements) {
      const net = 'net' in element ? element.net : hostPrefixOf(element.address);
      if (familyOf(net) === this.family) yield net;
    }
  }
}

class PortContent extends PeerContent {
  readonly #keys = new Map<string, Key>();

  change({ added, removed }: Pick<PeerSetChange, 'added' | 'removed'>): boolean {
    const news = [...this.#mine(added)];
    const gone = [...this.#mine(removed)];
    for (const key of gone) this.#keys.delete(key.join());
    for (const key of news) this.#keys.set(key.join(), key);
    this.changeKeys(news, gone);
    return false;
  }

  protected override makeShape(): SetShape {
    return this.named('', { keyType: [addressType(this.family), 'inet_proto', 'inet_service'] });
  }

  protected override keys(): Iterable<Key> {
    return this.#keys.values();
  }

  *#mine(elements: readonly PeerElement[]): Iterable<Key> {
    for (const element of elements) {
      if ('net' in element || familyOf(element.address) !== this.family) continue;
      yield [element.address, element.protocol, element.port];
    }
  }
}

/** A single address by itself: thousands are. */
function keyOfNet(net: IpPrefix): Key {
  return [isHost(net) ? net.slice(0, net.indexOf('/')) : net];
}

/** What nft can show between quotes. */
function commentOf(id: string): string | undefined {
  const text = id.replaceAll('"', "'");
  if (!/^[ -~]*$/.test(text)) return undefined;
  return text.length <= COMMENT_BYTES ? text : `${text.slice(0, COMMENT_BYTES - 3)}...`;
}
