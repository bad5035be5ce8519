/** The AddressStore in memory: for tests and for asking what an ADD would do. It passes the same contract as the one on disk. */
import type { IpAddress } from '#base/ip/index.ts';
import type { AddressStore, AttachmentId, ReservedAddresses } from '#core/cni/index.ts';

export class MemoryAddressStore implements AddressStore {
  private readonly networks = new Map<string, MemoryAddresses>();
  private readonly isOwnerAlive: (owner: AttachmentId) => boolean;

  constructor(isOwnerAlive: (owner: AttachmentId) => boolean = () => true) {
    this.isOwnerAlive = isOwnerAlive;
  }

  async withNetwork<T>(
    network: { readonly name: string; readonly dataDir: string },
    work: (addresses: ReservedAddresses) => T,
  ): Promise<T> {
    const key = `${network.dataDir}/${network.name}`;
    const addresses = this.networks.get(key) ?? new MemoryAddresses(this.isOwnerAlive);
    this.networks.set(key, addresses);
    return work(addresses);
  }
}

class MemoryAddresses implements ReservedAddresses {
  private readonly owners = new Map<IpAddress, AttachmentId>();
  private readonly last = new Map<number, IpAddress>();
  private readonly isOwnerAlive: (owner: AttachmentId) => boolean;

  constructor(isOwnerAlive: (owner: AttachmentId) => boolean) {
    this.isOwnerAlive = isOwnerAlive;
  }

  isTaken(address: IpAddress): boolean {
    return this.owners.has(address);
  }

  taken(): Iterable<IpAddress> {
    return this.owners.keys();
  }

  addressesOf(owner: AttachmentId): readonly IpAddress[] {
    return this.where((each) => isSame(each, owner));
  }

  lastReserved(rangeSetIndex: number): IpAddress | undefined {
    return this.last.get(rangeSetIndex);
  }

  reserve(address: IpAddress, owner: AttachmentId, rangeSetIndex: number): boolean {
    if (this.owners.has(address)) return false;
    this.owners.set(address, { containerId: owner.containerId, ifName: owner.ifName });
    this.last.set(rangeSetIndex, address);
    return true;
  }

  releaseAddress(address: IpAddress): void {
    this.owners.delete(address);
  }

  release(owner: AttachmentId): readonly IpAddress[] {
    return this.drop((each) => isSame(each, owner));
  }

  reclaim(): readonly IpAddress[] {
    return this.drop((owner) => !this.isOwnerAlive(owner));
  }

  retainOnly(owners: readonly AttachmentId[]): readonly IpAddress[] {
    return this.drop((owner) => !owners.some((each) => isSame(each, owner)));
  }

  private drop(matches: (owner: AttachmentId) => boolean): readonly IpAddress[] {
    const found = this.where(matches);
    for (const address of found) this.owners.delete(address);
    return found;
  }

  private where(matches: (owner: AttachmentId) => boolean): IpAddress[] {
    return [...this.owners].filter(([, owner]) => matches(owner)).map(([address]) => address);
  }
}

function isSame(a: AttachmentId, b: AttachmentId): boolean {
  return a.containerId === b.containerId && a.ifName === b.ifName;
}
