/**
 * Which prefixes belong to which node, as orders for poplin-tunnel: of each remote subnet itself, and the address of its node, which pods
 * reach too. Of two that claim one prefix the first by name counts, as in DesiredState; the other follows when that is gone.
 */
import { hostPrefixOf, type IpAddress, type IpPrefix } from '#base/ip/index.ts';
import type { RemoteSubnet } from '#core/overlay/index.ts';

export class TunnelPeers {
  private readonly remotes = new Map<string, RemoteSubnet>();
  /** Who claims a prefix, by name; the outer address is the claim. */
  private readonly claims = new Map<IpPrefix, Map<string, IpAddress>>();

  /** The orders that the change comes to. */
  upsert(name: string, remote: RemoteSubnet): string[] {
    const before = this.remotes.get(name);
    const prefixes = new Set([...prefixesOf(before), ...prefixesOf(remote)]);
    const outers = this.outersOf(prefixes);
    this.release(name, before);
    this.remotes.set(name, remote);
    for (const prefix of prefixesOf(remote)) {
      const claims = this.claims.get(prefix) ?? new Map<string, IpAddress>();
      this.claims.set(prefix, claims.set(name, remote.publicIp));
    }
    return this.changes(outers);
  }

  remove(name: string): string[] {
    const before = this.remotes.get(name);
    const outers = this.outersOf(prefixesOf(before));
    this.remotes.delete(name);
    this.release(name, before);
    return this.changes(outers);
  }

  /** All there is. */
  orders(): string[] {
    return [...this.claims.keys()].map((prefix) => `set ${prefix} ${this.outerOf(prefix)}`);
  }

  private release(name: string, remote: RemoteSubnet | undefined): void {
    for (const prefix of prefixesOf(remote)) {
      const claims = this.claims.get(prefix);
      claims?.delete(name);
      if (claims?.size === 0) this.claims.delete(prefix);
    }
  }

  private outersOf(prefixes: Iterable<IpPrefix>): Map<IpPrefix, IpAddress | undefined> {
    return new Map([...prefixes].map((prefix) => [prefix, this.outerOf(prefix)]));
  }

  private outerOf(prefix: IpPrefix): IpAddress | undefined {
    let first: string | undefined;
    const claims = this.claims.get(prefix);
    for (const name of claims?.keys() ?? []) if (first === undefined || name < first) first = name;
    return first === undefined ? undefined : claims?.get(first);
  }

  private changes(before: ReadonlyMap<IpPrefix, IpAddress | undefined>): string[] {
    return [...before].flatMap(([prefix, outer]) => {
      const now = this.outerOf(prefix);
      if (now === outer) return [];
      return [now === undefined ? `remove ${prefix}` : `set ${prefix} ${now}`];
    });
  }
}

function prefixesOf(remote: RemoteSubnet | undefined): readonly IpPrefix[] {
  return remote === undefined ? [] : [remote.subnet, hostPrefixOf(remote.publicIp)];
}
