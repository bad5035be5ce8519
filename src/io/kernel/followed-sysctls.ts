/**
 * The sysctls that somebody asked to follow, by the link they are of: a change of one link costs its own, however many others there are.
 * Nothing announces a change of their values; a link that came has them at their defaults, and one that went takes them along.
 */
import type { KernelOp } from '#core/kernel/index.ts';
import { type Namespace, readSysctls } from '#io/namespace/index.ts';

/** Those of no link: `net/ipv4/ip_forward`. */
const NO_LINK = '';
const NO_LINKS = new Set([NO_LINK, 'all', 'default']);
/** A value that reads as it was written. */
const NUMBER = /^(0|-?[1-9]\d*)$/;

export class FollowedSysctls {
  private readonly namespace: Namespace;
  /** By link: each path, and when it was last read, in milliseconds of the monotonic clock. */
  private readonly byLink = new Map<string, Map<string, number>>();
  /** The number of each followed link when its sysctls were last read. */
  private readonly indexes = new Map<string, number | undefined>();

  constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  /**
   * Follows these too, and reads those of links that are there, but for those that were read no longer than `maxAgeMs` ago. One that cannot
   * be read is absent: no such key, a malformed one, one that is only written.
   */
  read(
    paths: Iterable<string>,
    isLink: (name: string) => boolean,
    maxAgeMs: number,
  ): Map<string, string | undefined> {
    const nowMs = performance.now();
    const present: string[] = [];
    const absent: string[] = [];
    for (const path of paths) {
      const link = linkOf(path);
      const readMs = this.byLink.get(link)?.get(path);
      if (readMs !== undefined && nowMs - readMs < maxAgeMs) continue;
      this.follow(link, path, nowMs);
      (NO_LINKS.has(link) || isLink(link) ? present : absent).push(path);
    }
    const values = readSysctls(this.namespace, present);
    for (const path of absent) values.set(path, undefined);
    return values;
  }

  /** Follows these too, whose values are known as they were written a moment ago. */
  written(paths: Iterable<string>): void {
    const nowMs = performance.now();
    for (const path of paths) this.follow(linkOf(path), path, nowMs);
  }

  readAll(): Map<string, string | undefined> {
    const nowMs = performance.now();
    const all: string[] = [];
    for (const paths of this.byLink.values()) {
      for (const path of paths.keys()) {
        paths.set(path, nowMs);
        all.push(path);
      }
    }
    return readSysctls(this.namespace, all);
  }

  /**
   * Those of a link that came or went, read anew, but for those `except`; nothing if the link is the one it was. What goes with its link is
   * followed no more. `index` is the link's number, undefined if there is none of that name.
   */
  readOfLink(
    link: string,
    index: number | undefined,
    except: ReadonlyMap<string, unknown>,
  ): Map<string, string | undefined> {
    const paths = this.byLink.get(link);
    if (paths === undefined || (this.indexes.get(link) === index && index !== undefined)) return new Map();
    if (index === undefined) {
      this.byLink.delete(link);
      this.indexes.delete(link);
    } else this.indexes.set(link, index);
    return readSysctls(
      this.namespace,
      [...paths.keys()].filter((path) => !except.has(path)),
    );
  }

  private follow(link: string, path: string, readMs: number): void {
    const paths = this.byLink.get(link);
    if (paths === undefined) this.byLink.set(link, new Map([[path, readMs]]));
    else paths.set(path, readMs);
  }
}

/**
 * The values of sysctls, by path, that are known without a look once they are written: numbers of links, where nothing in the same call
 * holds for all links, which would change those too.
 */
export function knownWhenWritten(ops: readonly KernelOp[]): Map<string, string> {
  const known = new Map<string, string>();
  for (const { verb, object } of ops) {
    if (object.kind !== 'sysctl') continue;
    if (NO_LINKS.has(linkOf(object.path))) return new Map();
    if (verb !== 'remove' && NUMBER.test(object.value)) known.set(object.path, object.value);
  }
  return known;
}

/** The link a path names: `net/ipv6/conf/eth0/accept_ra`. */
function linkOf(path: string): string {
  const parts = path.split('/');
  return parts.length === 5 ? (parts[3] as string) : NO_LINK;
}
