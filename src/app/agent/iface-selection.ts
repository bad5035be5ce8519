/**
 * Which link of a node is the underlay, in flannel's order: links that are named, then expressions, then the way to an address; where
 * none of these is asked for, the link that carries the public address, then that of the default route. A link fits if it has an address
 * of each family of the network. Pure: what the kernel would route comes as a function.
 */
import { familyOf, type IpAddress, type IpFamily, prefixParts } from '#base/ip/index.ts';
import { type KernelState, type Link, linkIn, ownerOf } from '#core/kernel/index.ts';

export interface IfaceWishes {
  /** A link's name or one of its addresses (flannel's -iface). */
  readonly iface?: string;
  /** The same, several: the first that fits. */
  readonly ifaces?: readonly string[];
  /** Tried on addresses, then on names, of links that are not ours (flannel's -iface-regex). */
  readonly ifaceRegexes?: readonly RegExp[];
  /** The link by which this address is reached (flannel's -iface-can-reach). */
  readonly ifaceCanReach?: IpAddress;
  readonly publicIp?: IpAddress;
  readonly publicIpv6?: IpAddress;
}

export interface ChosenLink {
  readonly link: Link;
  /** The node's own address in each family, where it has one. */
  readonly local: Readonly<Partial<Record<IpFamily, IpAddress>>>;
  /** How it was chosen, for people. */
  readonly reason: string;
}

/** The source address the kernel would use to a destination; undefined if there is no route. */
export type SourceTo = (destination: IpAddress) => Promise<IpAddress | undefined>;

export class NodeAddressError extends Error {
  override readonly name = 'NodeAddressError';
}

/** Addresses of documentation (RFC 5737, RFC 3849), which only a default route leads to: asking the way to them sends nothing. */
export const SOMEWHERE: Readonly<Record<IpFamily, string>> = { 4: '192.0.2.1', 6: '2001:db8::1' };

/** Throws NodeAddressError, which tells of all that was tried. */
export async function selectIface(
  state: KernelState,
  families: readonly IpFamily[],
  wishes: IfaceWishes,
  sourceTo: SourceTo,
): Promise<ChosenLink> {
  const selection = new Selection(state, families, wishes, sourceTo);
  const { iface, ifaces = [], ifaceRegexes = [], ifaceCanReach } = wishes;
  const named = iface === undefined ? ifaces : [iface, ...ifaces];
  const isAsked = named.length > 0 || ifaceRegexes.length > 0 || ifaceCanReach !== undefined;
  const chosen = isAsked
    ? (selection.firstNamed(named) ??
      selection.firstMatching(ifaceRegexes) ??
      (await selection.reaching(ifaceCanReach)))
    : (selection.carrying() ?? (await selection.byDefaultRoute()));
  if (chosen !== undefined) return chosen;
  throw new NodeAddressError(selection.refusals.join('; '));
}

class Selection {
  /** Why nothing fitted, one sentence for each thing tried. */
  readonly refusals: string[] = [];
  private readonly state: KernelState;
  private readonly families: readonly IpFamily[];
  private readonly sourceTo: SourceTo;
  private readonly wished: Readonly<Partial<Record<IpFamily, IpAddress>>>;
  /** By link, its global addresses in the kernel's order. */
  private readonly addresses = new Map<string, IpAddress[]>();

  constructor(
    state: KernelState,
    families: readonly IpFamily[],
    { publicIp, publicIpv6 }: IfaceWishes,
    sourceTo: SourceTo,
  ) {
    this.state = state;
    this.families = families;
    this.sourceTo = sourceTo;
    this.wished = {
      ...(publicIp !== undefined && { 4: publicIp }),
      ...(publicIpv6 !== undefined && { 6: publicIpv6 }),
    };
    for (const object of state.values()) {
      if (object.kind !== 'address' || (object.scope ?? 'global') !== 'global') continue;
      const { address } = prefixParts(object.address);
      if (address.startsWith('fe80:')) continue;
      const known = this.addresses.get(object.link);
      if (known === undefined) this.addresses.set(object.link, [address]);
      else known.push(address);
    }
  }

  firstNamed(names: readonly string[]): ChosenLink | undefined {
    for (const name of names) {
      const link = linkIn(this.state, name) ?? this.linkWith(name);
      if (link === undefined) this.refusals.push(`--iface "${name}" is no link and no address of this node`);
      const chosen = link && this.fitting(link, `--iface ${name}`, [name]);
      if (chosen !== undefined) return chosen;
    }
    return undefined;
  }

  firstMatching(regexes: readonly RegExp[]): ChosenLink | undefined {
    for (const regex of regexes) {
      const reason = `--iface-regex ${regex.source}`;
      const matches = (family: IpFamily, link: Link) =>
        this.of(link.name, family).find((address) => regex.test(address));
      // A link that matches in each family is meant before one by its name, and that before one that matches in some.
      const tiers: readonly ((link: Link) => boolean)[] = [
        (link) => this.families.every((family) => matches(family, link) !== undefined),
        (link) => regex.test(link.name),
        (link) => this.families.some((family) => matches(family, link) !== undefined),
      ];
      for (const tier of tiers) {
        for (const link of this.foreignLinks().filter(tier)) {
          const own = this.families.flatMap((family) => matches(family, link) ?? []);
          const by = own.length === 0 ? '' : ` matches ${own.join(' and ')}`;
          const chosen = this.fitting(link, reason + by, own);
          if (chosen !== undefined) return chosen;
        }
      }
      this.refusals.push(`${reason} matches none of ${this.describeLinks()}`);
    }
    return undefined;
  }

  async reaching(address: IpAddress | undefined): Promise<ChosenLink | undefined> {
    if (address === undefined) return undefined;
    const source = await this.sourceTo(address);
    const link = source === undefined ? undefined : this.linkWith(source);
    if (source === undefined || link === undefined) {
      this.refusals.push(`--iface-can-reach ${address}: no link leads there`);
      return undefined;
    }
    return this.fitting(link, `--iface-can-reach ${address}`, [source]);
  }

  carrying(): ChosenLink | undefined {
    for (const address of [this.wished[4], this.wished[6]]) {
      const link = address === undefined ? undefined : this.linkWith(address);
      const chosen = link && this.fitting(link, `it carries ${address}`, []);
      if (chosen !== undefined) return chosen;
    }
    return undefined;
  }

  async byDefaultRoute(): Promise<ChosenLink | undefined> {
    for (const family of this.families) {
      const source = await this.sourceTo(SOMEWHERE[family]);
      const link = source === undefined ? undefined : this.linkWith(source);
      const chosen = link && this.fitting(link, `the default route of IPv${family}`, []);
      if (chosen !== undefined) return chosen;
    }
    if (this.refusals.length === 0)
      this.refusals.push('no default route tells which link to use: name it with --iface');
    return undefined;
  }

  /** The link with its addresses, `preferred` ones first; undefined, and a refusal, if it lacks one. */
  private fitting(link: Link, reason: string, preferred: readonly IpAddress[]): ChosenLink | undefined {
    const local: Partial<Record<IpFamily, IpAddress>> = {};
    for (const family of this.families) {
      const own = this.of(link.name, family);
      const wanted = this.wished[family];
      const address =
        own.find((each) => each === wanted) ?? own.find((each) => preferred.includes(each)) ?? own[0];
      if (address !== undefined) local[family] = address;
      else if (wanted === undefined) {
        const flag = family === 4 ? '--public-ip' : '--public-ipv6';
        const text = `link ${link.name} has no IPv${family} address and the network has IPv${family}: name another with --iface, or give ${flag}`;
        if (!this.refusals.includes(text)) this.refusals.push(text);
        return undefined;
      }
    }
    return { link, local, reason };
  }

  private of(link: string, family: IpFamily): readonly IpAddress[] {
    return (this.addresses.get(link) ?? []).filter((address) => familyOf(address) === family);
  }

  /** The link that has an address, of any scope. */
  private linkWith(address: IpAddress): Link | undefined {
    return linkOf(this.state, address);
  }

  /** An expression that fits the addresses of pods must not choose what an earlier run left. */
  private foreignLinks(): Link[] {
    const links: Link[] = [];
    for (const object of this.state.values()) {
      if (object.kind === 'link' && ownerOf(object, this.state) === undefined) links.push(object);
    }
    return links;
  }

  private describeLinks(): string {
    const texts = this.foreignLinks().map(({ name }) => {
      const own = this.families.flatMap((family) => this.of(name, family));
      return own.length === 0 ? name : `${name} (${own.join(', ')})`;
    });
    return texts.join(', ');
  }
}

/** The link that has an address; undefined if none has. */
export function linkOf(state: KernelState, address: IpAddress): Link | undefined {
  for (const object of state.values()) {
    if (object.kind === 'address' && prefixParts(object.address).address === address)
      return linkIn(state, object.link);
  }
  return undefined;
}
