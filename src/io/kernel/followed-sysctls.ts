/**
 * The sysctls that somebody asked to follow, by the link they are of: a change of one link costs its own, however many others there are.
 * Nothing announces a change of their values; a link that came has them at their defaults, and one that went takes them along.
 */
import { type Namespace, readSysctls } from '#io/namespace/index.ts';

/** Those of no link: `net/ipv4/ip_forward`. */
const NO_LINK = '';
const NO_LINKS = new Set([NO_LINK, 'all', 'default']);

export class FollowedSysctls {
  private readonly namespace: Namespace;
  private readonly byLink = new Map<string, Set<string>>();
  /** The number of each followed link when its sysctls were last read. */
  private readonly indexes = new Map<string, number | undefined>();

  constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  /**
   * Follows these too, and reads those of links that are there. One that cannot be read is absent: no such key, a malformed one, one that
   * is only written.
   */
  read(paths: Iterable<string>, isLink: (name: string) => boolean): Map<string, string | undefined> {
    const present: string[] = [];
    const absent: string[] = [];
    for (const path of paths) {
      const link = this.follow(path);
      (NO_LINKS.has(link) || isLink(link) ? present : absent).push(path);
    }
    const values = readSysctls(this.namespace, present);
    for (const path of absent) values.set(path, undefined);
    return values;
  }

  readAll(): Map<string, string | undefined> {
    return readSysctls(
      this.namespace,
      [...this.byLink.values()].flatMap((paths) => [...paths]),
    );
  }

  /**
   * Those of a link that came or went, read anew; nothing if the link is the one it was. What goes with its link is followed no more.
   * `index` is the link's number, undefined if there is none of that name.
   */
  readOfLink(link: string, index: number | undefined): Map<string, string | undefined> {
    const paths = this.byLink.get(link);
    if (paths === undefined || (this.indexes.get(link) === index && index !== undefined)) return new Map();
    if (index === undefined) {
      this.byLink.delete(link);
      this.indexes.delete(link);
    } else this.indexes.set(link, index);
    return readSysctls(this.namespace, [...paths]);
  }

  /** The link that it is of. */
  private follow(path: string): string {
    const link = linkOf(path);
    const paths = this.byLink.get(link);
    if (paths === undefined) this.byLink.set(link, new Set([path]));
    else paths.add(path);
    return link;
  }
}

/** The link a path names: `net/ipv6/conf/eth0/accept_ra`. */
function linkOf(path: string): string {
  const parts = path.split('/');
  return parts.length === 5 ? (parts[3] as string) : NO_LINK;
}
