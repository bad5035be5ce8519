/** A fresh network namespace with a netfilter socket, a monitor and a mirror: what the nf_tables tests play in. */
import { execFileSync } from 'node:child_process';
import { type KernelObject, type KernelOp, type KernelState, keyOf } from '#core/kernel/index.ts';
import { encodeNftOps, NFT_GROUPS, NftMirror } from '#core/netlink/nftables/index.ts';
import type { NftObject } from '#core/nft/index.ts';
import { runIn } from '#io/namespace/index.ts';
import { NETLINK_NETFILTER, NetlinkMonitor, NetlinkSocket, nftBatchSync } from '#io/netlink/index.ts';
import { NamespaceFolder } from './namespace-folder.ts';

/** The release of the nft program, `1.0.6`; undefined if it is not installed. */
export function nftVersion(): string | undefined {
  try {
    const words = execFileSync('nft', ['--version'], { encoding: 'utf8' });
    return /v([0-9.]+)/.exec(words)?.[1];
  } catch {
    return undefined;
  }
}

export class NftWorld implements Disposable {
  readonly mirror: NftMirror;
  private readonly folder = new NamespaceFolder('nft');
  readonly lost: string[] = [];
  private readonly namespace = this.folder.make('net');
  private readonly owned: ReadonlySet<string>;
  private readonly socket: NetlinkSocket;
  private readonly monitor: NetlinkMonitor;

  constructor(tables: readonly string[]) {
    this.owned = new Set(tables);
    this.mirror = new NftMirror(new Map(), this.owned);
    this.socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace: this.namespace });
    this.monitor = NetlinkMonitor.open({
      protocol: NETLINK_NETFILTER,
      namespace: this.namespace,
      groups: NFT_GROUPS,
      onMessages: (messages) => {
        for (const message of messages) this.mirror.apply(message);
      },
      onLost: () => this.lost.push('lost'),
      keepsProcessAlive: false,
    });
  }

  /** Runs one transaction; throws with the kernel's words if it is refused. Returns the number of messages. */
  apply(ops: readonly KernelOp[]): number {
    const { messages, opIndex } = encodeNftOps(ops, this.state());
    const { failures } = nftBatchSync(this.socket, messages);
    const lines = failures.map(({ index, code, message, offset }) => {
      const op = ops[opIndex[index] ?? -1];
      return `${op?.verb} ${op && keyOf(op.object)}: ${code} ${message ?? ''} (attribute at ${offset})`;
    });
    if (lines.length > 0) throw new Error(lines.join('\n'));
    return messages.length;
  }

  add(objects: readonly NftObject[]): number {
    return this.apply(objects.map((object) => ({ verb: 'add', object })));
  }

  /** What the mirror holds, after taking in all notifications. */
  state(): KernelState {
    this.drain();
    return this.mirror.state;
  }

  /** The keys that changed since the last call. */
  changes(): Set<string> {
    for (const message of this.monitor.drain()) this.mirror.apply(message);
    return this.mirror.takeChanged();
  }

  drain(): void {
    this.changes();
  }

  /** A second mirror, from a dump alone. */
  dumped(): KernelState {
    const mirror = new NftMirror(new Map<string, KernelObject>(), this.owned);
    this.dumpInto(mirror);
    return mirror.state;
  }

  /** Reads everything anew. */
  resync(): void {
    this.dumpInto(this.mirror);
  }

  private dumpInto(mirror: NftMirror): void {
    mirror.beginResync();
    for (const request of mirror.dumpRequests())
      for (const message of this.socket.dump(request, 'dump nf_tables')) mirror.apply(message);
    mirror.endResync();
  }

  /** Runs the nft program in the namespace; with `input` it reads that as its file. */
  nft(words: readonly string[], input?: string): string {
    return this.run('nft', words, input);
  }

  /** Runs a program in the namespace and returns what it printed. */
  run(program: string, words: readonly string[], input?: string): string {
    return runIn(this.namespace, () =>
      execFileSync(program, words, {
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(input !== undefined && { input }),
      }),
    );
  }

  [Symbol.dispose](): void {
    this.monitor.close();
    this.socket.close();
    this.folder[Symbol.dispose]();
  }
}
