/**
 * A pod's namespace for the length of one call: operations without a mirror. Links are looked up when named. A few system
 * calls to open, so that attaching a pod costs its own work and nothing else.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { KernelObject, KernelOp, Link, OpFailure } from '#core/kernel/index.ts';
import {
  decodeLink,
  isOwnAddress,
  linkRequest,
  routeLookup,
  snapshotOf,
  snapshotRequests,
} from '#core/netlink/index.ts';
import { type Namespace, openNamespace, readSysctl } from '#io/namespace/index.ts';
import { isUnreachable, NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';
import { KernelSession } from './session.ts';

export class PodKernel implements Disposable {
  readonly namespace: Namespace;
  private opened: KernelSession | undefined;
  private readonly indexes = new Map<string, number>();

  private constructor(namespace: Namespace) {
    this.namespace = namespace;
  }

  /** Throws ENOENT if there is no such namespace, EINVAL if the file is none. */
  static open(path: string): PodKernel {
    return new PodKernel(openNamespace(path));
  }

  apply(ops: readonly KernelOp[]): Promise<OpFailure[]> {
    return ops.length === 0 ? Promise.resolve([]) : this.session.apply(ops);
  }

  /** The link of that name as it is now, or undefined. */
  link(name: string): (Link & { readonly index: number }) | undefined {
    const link = this.readLink(name);
    if (link === undefined) this.indexes.delete(name);
    else this.indexes.set(name, link.index);
    return link;
  }

  /** Does the kernel take packets to this address of a link for its own? It does so a moment after an IPv6 address was added. */
  hasTaken(address: IpAddress, link: string): boolean {
    try {
      const [answer] = this.route.requestSync(
        routeLookup(address, this.indexOf(link)),
        `route get ${address} oif ${link}`,
      );
      return answer !== undefined && isOwnAddress(answer);
    } catch (error) {
      if (isUnreachable(error)) return false;
      throw error;
    }
  }

  /** All links, addresses, routes and rules of the namespace as they are now, whoever made them. */
  dump(): Map<string, KernelObject> {
    return snapshotOf(snapshotRequests().flatMap((request) => this.route.dump(request, 'dump')));
  }

  /** A value below /proc/sys; undefined if there is none. */
  readSysctl(path: string): string | undefined {
    return readSysctl(this.namespace, path);
  }

  [Symbol.dispose](): void {
    this.opened?.[Symbol.dispose]();
    this.namespace.close();
  }

  /** What a chained plugin does is often on the host alone: then no socket is made here. */
  private get session(): KernelSession {
    const { namespace } = this;
    this.opened ??= new KernelSession(
      namespace,
      NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace, isBrief: true }),
      { indexOf: (name) => this.indexOf(name) },
    );
    return this.opened;
  }

  private get route(): NetlinkSocket {
    return this.session.route;
  }

  private readLink(name: string): (Link & { readonly index: number }) | undefined {
    const [answer] = this.route.findSync(linkRequest(name), `link ${name}`) ?? [];
    return answer === undefined ? undefined : decodeLink(answer);
  }

  private indexOf(name: string): number | undefined {
    return this.indexes.get(name) ?? this.link(name)?.index;
  }
}
