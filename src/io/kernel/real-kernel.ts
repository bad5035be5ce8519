/**
 * The running kernel as the port `Kernel`: one namespace, dumped once, then kept up to date by monitor sockets. After every own
 * change the queued notifications are taken in at once, so state() never lags behind apply(). Lost notifications (ENOBUFS)
 * and cascades the kernel does not announce lead to a fresh dump; one that fails is tried again until the mirror is whole.
 */
import { familyOf, type IpAddress } from '#base/ip/index.ts';
import {
  type ApplyOutcome,
  IndexedState,
  type Kernel,
  type KernelListener,
  type KernelOp,
  type KernelState,
  type Link,
  type NextHop,
  type OpFailure,
  type Owner,
  USUAL_OWNERS,
} from '#core/kernel/index.ts';
import {
  applyAll,
  DUMP_KINDS,
  type DumpKind,
  linkAddressesRequest,
  lookedUpHop,
  ROUTE_GROUPS,
  RouteMirror,
  routeLookup,
  type SetEndpoints,
  WireguardMirror,
} from '#core/netlink/index.ts';
import { NFT_GROUPS, NftMirror } from '#core/netlink/nftables/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { isUnreachable, NETLINK_NETFILTER, NETLINK_ROUTE, NetlinkMonitor } from '#io/netlink/index.ts';
import { dumpRoutes, dumpTables } from './dumps.ts';
import { describeFailure } from './failure.ts';
import { FollowedSysctls } from './followed-sysctls.ts';
import { LinkRemover } from './link-remover.ts';
import { followOwnChanges } from './own-changes.ts';
import { Recovery } from './recovery.ts';
import { KernelSession } from './session.ts';
import { changedEndpoints } from './wireguard.ts';

export interface RealKernelOptions {
  /** Told of failures in the background, which are mended there: a dump that failed, a notification that could not be read. */
  readonly onError?: (error: unknown) => void;
  /** Whose objects are shown, but for links and what lies on them; absent: USUAL_OWNERS. */
  readonly owners?: readonly Owner[];
  /** Of each monitor socket; default 8 MiB. */
  readonly receiveBufferBytes?: number;
}

export class RealKernel implements Kernel {
  /** The index of a link, as far as it is known: a listener is told of a change. */
  readonly linkIndex = (link: string): number | undefined => this.routes.indexOf(link);
  private readonly objects = new IndexedState();
  private readonly owners: readonly Owner[];
  private readonly routes: RouteMirror;
  private readonly tables: NftMirror;
  private readonly wireguard: WireguardMirror;
  private readonly session: KernelSession;
  private readonly routeMonitor: NetlinkMonitor;
  private readonly nftMonitor: NetlinkMonitor;
  private readonly listeners = new Set<KernelListener>();
  private readonly sysctls: FollowedSysctls;
  private remover: LinkRemover | undefined;
  private changed = new Set<string>();
  private readonly onError: (error: unknown) => void;
  private readonly recovery = new Recovery(() => this.reporting(() => this.drain()));
  private queue: Promise<unknown> = Promise.resolve();
  private announced = false;
  /** The mirror may be stale: it stays so until everything was read anew. */
  private lost = false;
  /** A drain follows soon: what notifications lead to can wait for it. */
  private isSending = false;

  private constructor(namespace: Namespace, options: RealKernelOptions) {
    this.onError = options.onError ?? (() => {});
    this.owners = options.owners ?? USUAL_OWNERS;
    this.routes = new RouteMirror(this.objects, this.owners);
    this.tables = new NftMirror(this.objects, new Set(this.owners.flatMap((owner) => owner.tables)));
    this.wireguard = new WireguardMirror(this.routes);
    this.sysctls = new FollowedSysctls(namespace);
    this.session = new KernelSession(namespace, KernelSession.openRouteSocket(namespace), {
      indexOf: this.linkIndex,
      state: () => this.objects,
      ...followOwnChanges({
        routes: this.routes,
        tables: this.tables,
        routeMonitor: () => this.routeMonitor,
        drain: () => this.reporting(() => this.drain()),
      }),
    });
    const monitor = {
      namespace,
      ...(options.receiveBufferBytes === undefined ? {} : { receiveBufferBytes: options.receiveBufferBytes }),
      onLost: () => this.lose(),
      onError: this.onError,
    };
    this.routeMonitor = NetlinkMonitor.open({
      ...monitor,
      protocol: NETLINK_ROUTE,
      groups: ROUTE_GROUPS,
      onMessages: (messages) => this.take(this.routes, messages),
    });
    this.nftMonitor = NetlinkMonitor.open({
      ...monitor,
      protocol: NETLINK_NETFILTER,
      groups: NFT_GROUPS,
      onMessages: (messages) => this.take(this.tables, messages),
    });
  }

  /** Opens monitors, then dumps: nothing that happens in between is missed. The namespace handle stays the caller's. */
  static open(namespace: Namespace, options: RealKernelOptions = {}): RealKernel {
    const kernel = new RealKernel(namespace, options);
    try {
      kernel.resync();
    } catch (error) {
      kernel[Symbol.dispose]();
      throw error;
    }
    kernel.changed.clear();
    return kernel;
  }

  state(): KernelState {
    this.drain();
    return this.objects;
  }

  /** A path that cannot be read counts as absent. */
  trackSysctls(paths: Iterable<string>): void {
    const isLink = (name: string) => this.linkIndex(name) !== undefined;
    this.orLose(() => this.noteSysctls(this.sysctls.read(paths, isLink)));
  }

  apply(ops: readonly KernelOp[], signal?: AbortSignal): Promise<ApplyOutcome> {
    const run = this.queue.then(async () => {
      const failures = await this.send(ops, signal);
      this.readChangedDevices(ops, failures);
      this.readWritten(ops);
      this.readNewAddresses(ops);
      this.drain();
      this.routes.expectNoMore();
      this.tables.expectNoMore();
      return { applied: ops.length - failures.length, failures };
    });
    this.queue = run.catch(() => undefined);
    return run;
  }

  refresh(): void {
    this.orLose(() => {
      this.readDevices();
      this.collect();
    });
  }

  async removeAside(links: readonly Link[]): Promise<readonly OpFailure[]> {
    const present = links.flatMap((object) => {
      const index = this.routes.indexOf(object.name);
      return index === undefined ? [] : [{ object, index }];
    });
    if (present.length === 0) return [];
    this.remover ??= new LinkRemover(this.session.namespace);
    const failures = await this.remover.remove(present.map(({ index }) => index));
    this.reporting(() => this.drain());
    return failures
      .filter(({ code }) => code !== 'ENODEV')
      .flatMap((failure) => {
        const found = failure.index < 0 ? present : present.slice(failure.index, failure.index + 1);
        return found.map(({ object }) => describeFailure({ verb: 'remove', object }, failure));
      });
  }

  /** The link by which packets to an address leave; undefined if there is no way. */
  linkTo(address: IpAddress): string | undefined {
    return this.wayTo(address)?.link;
  }

  /** The link and the gateway, if there is one, by which packets to an address leave; a link-local address needs its link. */
  wayTo(address: IpAddress, link?: string): NextHop | undefined {
    this.drain();
    try {
      const index = link === undefined ? undefined : this.routes.indexOf(link);
      if (link !== undefined && index === undefined) return undefined;
      const [answer] = this.session.route.requestSync(routeLookup(address, index), `route get ${address}`);
      const hop = answer === undefined ? undefined : lookedUpHop(answer);
      const name = hop && this.routes.nameOf(hop.linkIndex);
      return name === undefined ? undefined : { ...(hop?.via !== undefined && { via: hop.via }), link: name };
    } catch (error) {
      if (isUnreachable(error)) return undefined;
      throw error;
    }
  }

  watch(listener: KernelListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => this.listeners.delete(listener) };
  }

  /** Reads everything anew; what is no longer there vanishes from state(). */
  resync(): void {
    this.orLose(() => this.readAll());
  }

  [Symbol.dispose](): void {
    this.listeners.clear();
    this.recovery[Symbol.dispose]();
    this.routeMonitor.close();
    this.nftMonitor.close();
    this.remover?.[Symbol.dispose]();
    this.session[Symbol.dispose]();
  }

  private readAll(): void {
    const wasLost = this.lost;
    this.lost = false;
    this.resyncRoutes(DUMP_KINDS);
    dumpTables(this.tables, this.session.nft);
    this.readDevices();
    this.noteSysctls(this.sysctls.readAll());
    this.collect();
    if (this.lost) return; // once more: what was read is not all
    this.recovery.succeeded();
    if (wasLost) for (const listener of this.listeners) listener.resynced();
  }

  private async send(ops: readonly KernelOp[], signal: AbortSignal | undefined): Promise<OpFailure[]> {
    this.isSending = true;
    try {
      return await this.session.apply(ops, signal);
    } finally {
      this.isSending = false;
    }
  }

  private resyncRoutes(kinds: readonly DumpKind[]): void {
    const hear = (): void => this.absorb(this.routes, this.routeMonitor.drain());
    if (dumpRoutes(this.routes, this.session.route, { kinds, owners: this.owners, hear })) return;
    this.lost = true;
    this.recovery.failed();
  }

  private readDevices(): void {
    for (const link of this.wireguard.links()) this.readDevice(link);
  }

  /** What WireGuard knows of the links that operations were about. */
  private readChangedDevices(ops: readonly KernelOp[], failures: readonly OpFailure[]): void {
    const changed = changedEndpoints(ops, failures);
    if (changed.size === 0) return;
    this.drain();
    const present = new Set(this.wireguard.links());
    for (const [link, endpoints] of changed) if (present.has(link)) this.readDevice(link, endpoints);
  }

  private readDevice(link: string, set?: SetEndpoints): void {
    const messages = this.session.readWireguard(link);
    if (messages !== undefined) this.wireguard.take(link, messages, set);
  }

  private readWritten(ops: readonly KernelOp[]): void {
    const paths = ops.flatMap(({ object }) => (object.kind === 'sysctl' ? [object.path] : []));
    if (paths.length > 0) this.trackSysctls(paths);
  }

  /** The kernel announces an IPv6 address from a work queue, some time after it is there. */
  private readNewAddresses(ops: readonly KernelOp[]): void {
    const links = new Set<string>();
    for (const { verb, object } of ops) {
      if (verb !== 'remove' && object.kind === 'address' && familyOf(object.address) === 6)
        links.add(object.link);
    }
    for (const link of links) {
      const index = this.routes.indexOf(link);
      if (index === undefined) continue;
      for (const message of this.session.route.dump(linkAddressesRequest(index), 'addresses'))
        this.routes.apply(message);
    }
  }

  private drain(): void {
    this.orLose(() => {
      this.absorb(this.routes, this.routeMonitor.drain());
      this.absorb(this.tables, this.nftMonitor.drain());
      if (this.lost) return this.readAll();
      const kinds = this.routes.takeNeedsDump();
      if (kinds !== undefined) this.resyncRoutes(kinds);
      if (this.tables.takeNeedsDump()) dumpTables(this.tables, this.session.nft);
      this.collect();
    });
  }

  private take(mirror: RouteMirror | NftMirror, messages: readonly Uint8Array[]): void {
    this.absorb(mirror, messages);
    if (!this.isSending) this.reporting(() => this.drain());
  }

  /** A notification that cannot be read is as good as lost. */
  private absorb(mirror: RouteMirror | NftMirror, messages: readonly Uint8Array[]): void {
    try {
      if (mirror instanceof RouteMirror) applyAll(mirror, messages);
      else for (const message of messages) mirror.apply(message);
    } catch (error) {
      this.lose();
      this.onError(error);
    }
  }

  /** The wake-up that told of the loss may have been the last: nothing else would read anew. */
  private lose(): void {
    this.lost = true;
    this.routes.quiet.disturb();
    this.recovery.plan();
  }

  /** After an error nobody knows how much of the state is true. */
  private orLose(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.lost = true;
      this.recovery.failed();
      throw error;
    }
  }

  /** For calls from the event loop, where an error would end the process. */
  private reporting(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.onError(error);
    }
  }

  /** Listeners are told once the present call is through, and once for all that came together. */
  private collect(): void {
    this.note(this.routes.takeChanged());
    this.note(this.tables.takeChanged());
    if (this.changed.size === 0 || this.announced) return;
    this.announced = true;
    queueMicrotask(() => {
      this.announced = false;
      const changed = this.changed;
      this.changed = new Set();
      for (const listener of this.listeners) listener.changed(changed);
    });
  }

  /** The set is taken over: thousands of keys may come at once. */
  private note(keys: Set<string>): void {
    if (this.changed.size === 0) this.changed = keys;
    else for (const key of keys) this.changed.add(key);
    for (const key of keys) {
      if (!key.startsWith('link ')) continue;
      const link = key.slice('link '.length);
      this.noteSysctls(this.sysctls.readOfLink(link, this.routes.indexOf(link)));
    }
  }

  private noteSysctls(values: ReadonlyMap<string, string | undefined>): void {
    for (const [path, value] of values) {
      const key = `sysctl ${path}`;
      const before = this.objects.get(key);
      if (value === undefined) {
        if (this.objects.delete(key)) this.changed.add(key);
      } else if (before?.kind !== 'sysctl' || before.value !== value) {
        this.objects.set(key, { kind: 'sysctl', path, value });
        this.changed.add(key);
      }
    }
  }
}
