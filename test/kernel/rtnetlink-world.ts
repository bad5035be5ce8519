/** A namespace for tests of rtnetlink: operations go in by messages, a mirror listens, and `ip` has the last word. */
import { execFileSync } from 'node:child_process';
import { type KernelObject, type KernelOp, keyOf, type Link } from '#core/kernel/index.ts';
import {
  type DumpKind,
  dumpRequests,
  encodeOp,
  type LinkIndex,
  linkSteps,
  ROUTE_GROUPS,
  RouteMirror,
} from '#core/netlink/index.ts';
import { runIn } from '#io/namespace/index.ts';
import { NETLINK_ROUTE, NetlinkMonitor, NetlinkSocket } from '#io/netlink/index.ts';
import { NamespaceFolder } from './namespace-folder.ts';

export class RouteWorld implements Disposable {
  private readonly folder = new NamespaceFolder('rtnetlink');
  readonly near = this.folder.make('near');
  /** A second namespace, for veth peers. */
  readonly far = this.folder.make('far');
  readonly socket: NetlinkSocket;
  readonly mirror = new RouteMirror();
  private readonly monitor: NetlinkMonitor;

  constructor() {
    this.socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace: this.near });
    this.monitor = NetlinkMonitor.open({
      protocol: NETLINK_ROUTE,
      namespace: this.near,
      groups: ROUTE_GROUPS,
      onMessages: (messages) => {
        for (const message of messages) this.mirror.apply(message);
      },
      onLost: () => {
        throw new Error('notifications were lost');
      },
    });
    this.resync();
  }

  /** Dumps these kinds (all by default) into the mirror. */
  resync(kinds?: readonly DumpKind[]): void {
    this.mirror.beginResync(kinds);
    this.dumpInto(this.mirror, kinds);
    this.mirror.endResync();
  }

  /** Takes in the notifications queued, and dumps what the mirror asks for. */
  drain(): void {
    for (const message of this.monitor.drain()) this.mirror.apply(message);
    const stale = this.mirror.takeNeedsDump();
    if (stale !== undefined) this.resync(stale);
  }

  readonly links: LinkIndex = {
    indexOf: (name) => this.mirror.indexOf(name),
    netnsFd: (path) => {
      if (path === this.far.path) return this.far.fd;
      throw new Error(`no namespace ${path}`);
    },
  };

  /** Carries operations out one by one; throws on the first that fails. */
  apply(...ops: KernelOp[]): void {
    for (const op of ops.flatMap(linkSteps)) {
      const failures = this.socket.transactSync(encodeOp(op, this.links));
      this.drain();
      if (failures.length > 0) throw new Error(`${op.verb} ${keyOf(op.object)}: ${JSON.stringify(failures)}`);
    }
  }

  add(...objects: KernelObject[]): void {
    this.apply(...objects.map((object): KernelOp => ({ verb: 'add', object })));
  }

  /** A bridge `cni0` and VXLAN devices `vxlan4` and `vxlan6`, named after their outer family, all up. */
  addGround(): void {
    const vxlan = (name: string, local: string): Link => ({
      kind: 'link',
      name,
      detail: { type: 'vxlan', vni: 7, port: 8472, local, learning: false },
      up: true,
      alias: 'poplin:overlay',
      addressGeneration: 'none',
    });
    this.add(
      {
        kind: 'link',
        name: 'cni0',
        detail: { type: 'bridge' },
        up: true,
        alias: 'poplin:cni',
        addressGeneration: 'none',
      },
      vxlan('vxlan4', '127.0.0.1'),
      vxlan('vxlan6', '::1'),
    );
  }

  remove(...objects: KernelObject[]): void {
    this.apply(...objects.map((object): KernelOp => ({ verb: 'remove', object })));
  }

  /** What the mirror holds of an object's key. */
  seen<T extends KernelObject>(object: T): T | undefined {
    return this.mirror.state.get(keyOf(object)) as T | undefined;
  }

  /** The state as a mirror that knows only a dump has it. */
  dumped(): Map<string, KernelObject> {
    const mirror = new RouteMirror();
    mirror.beginResync();
    this.dumpInto(mirror);
    mirror.endResync();
    return new Map(mirror.state);
  }

  /** `ip …` in the near namespace. */
  ip(...args: string[]): string {
    return this.run('ip', ...args);
  }

  ipJson<T = Record<string, unknown>>(...args: string[]): T[] {
    const text = this.ip('-j', '-d', ...args);
    return text.trim() === '' ? [] : (JSON.parse(text) as T[]);
  }

  run(command: string, ...args: string[]): string {
    return runIn(this.near, () => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }));
  }

  [Symbol.dispose](): void {
    this.monitor.close();
    this.socket.close();
    this.folder[Symbol.dispose]();
  }

  private dumpInto(mirror: RouteMirror, kinds?: readonly DumpKind[]): void {
    for (const request of dumpRequests(kinds)) {
      for (const message of this.socket.dump(request)) mirror.apply(message);
    }
    for (const request of mirror.filterRequests()) {
      for (const message of this.socket.dump(request)) mirror.apply(message);
    }
  }
}
