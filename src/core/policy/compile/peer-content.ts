/**
 * What is in the sets that the engine tells of, and the kernel's sets made of it, one for each family that rules ask for. Single addresses are
 * looked up by hash, however many there are; nets, which are few, lie in a set of ranges beside them, and as long as there are any a rule
 * looks into both.
 */
import { familyOf, hostPrefixOf, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { PeerElement, PeerSet, PeerSetChange } from '../graph.ts';
import { type Ground, KernelSet, type Key } from './kernel-set.ts';
import { isHost, Nets } from './nets.ts';
import { addressType, type SetShape } from './place.ts';

/** An address is of the set if it is in one of these. */
export type PeerSets = readonly [KernelSet, ...KernelSet[]];

/** One set of the engine in one family. */
export interface PeerContent {
  readonly sets: PeerSets;
  /** True if `sets` are others now. */
  change(change: Pick<PeerSetChange, 'added' | 'removed'>): boolean;
}

/** A set that can be changed. Of its elements it keeps the texts alone: there may be tens of thousands. */
class ContentSet extends KernelSet {
  readonly #texts = new Set<string>();

  change(added: readonly string[], removed: readonly string[]): void {
    for (const text of removed) this.#texts.delete(text);
    for (const text of added) this.#texts.add(text);
    this.changeKeys(added.map(keyOfText), removed.map(keyOfText));
  }

  protected override *keys(): Iterable<Key> {
    for (const text of this.#texts) yield keyOfText(text);
  }
}

/** `10.0.0.1`, `10.0.0.0/8`, or `10.0.0.1 6 80`. */
function keyOfText(text: string): Key {
  const [address = '', protocol, port] = text.split(' ');
  return protocol === undefined ? [address] : [address, Number(protocol), Number(port)];
}

/** `name` is the set's in this family. */
export function peerContent(
  ground: Ground,
  set: PeerSet,
  family: IpFamily,
  base: Pick<SetShape, 'name' | 'comment'>,
): PeerContent {
  const isPair = set.kind === 'named-port' || set.kind === 'service';
  return isPair ? new PortContent(ground, family, base) : new AddressContent(ground, family, base);
}

class AddressContent implements PeerContent {
  readonly #family: IpFamily;
  readonly #hosts: ContentSet;
  readonly #ranges: ContentSet;
  readonly #nets = new Nets();

  constructor(ground: Ground, family: IpFamily, base: Pick<SetShape, 'name' | 'comment'>) {
    const keyType = [addressType(family)];
    this.#family = family;
    this.#hosts = new ContentSet(ground, { ...base, keyType });
    this.#ranges = new ContentSet(ground, { ...base, name: `${base.name}-nets`, keyType, interval: true });
  }

  get sets(): PeerSets {
    return this.#nets.isEmpty ? [this.#hosts] : [this.#hosts, this.#ranges];
  }

  change({ added, removed }: Pick<PeerSetChange, 'added' | 'removed'>): boolean {
    const wasEmpty = this.#nets.isEmpty;
    const [news, gone] = [this.#mine(added), this.#mine(removed)];
    this.#hosts.change(hostsOf(news), hostsOf(gone));
    const nets = this.#nets.change(
      news.filter((net) => !isHost(net)),
      gone.filter((net) => !isHost(net)),
    );
    this.#ranges.change(nets.added, nets.removed);
    return wasEmpty !== this.#nets.isEmpty;
  }

  #mine(elements: readonly PeerElement[]): IpPrefix[] {
    const nets = elements.map((element) => ('net' in element ? element.net : hostPrefixOf(element.address)));
    return nets.filter((net) => familyOf(net) === this.#family);
  }
}

class PortContent implements PeerContent {
  readonly #family: IpFamily;
  readonly sets: PeerSets;
  readonly #pairs: ContentSet;

  constructor(ground: Ground, family: IpFamily, base: Pick<SetShape, 'name' | 'comment'>) {
    this.#family = family;
    this.#pairs = new ContentSet(ground, {
      ...base,
      keyType: [addressType(family), 'inet_proto', 'inet_service'],
    });
    this.sets = [this.#pairs];
  }

  change({ added, removed }: Pick<PeerSetChange, 'added' | 'removed'>): boolean {
    this.#pairs.change(this.#mine(added), this.#mine(removed));
    return false;
  }

  #mine(elements: readonly PeerElement[]): string[] {
    return elements.flatMap((element) =>
      'net' in element || familyOf(element.address) !== this.#family
        ? []
        : [`${element.address} ${element.protocol} ${element.port}`],
    );
  }
}

function hostsOf(nets: readonly IpPrefix[]): string[] {
  return nets.filter(isHost).map((net) => net.slice(0, net.indexOf('/')));
}
