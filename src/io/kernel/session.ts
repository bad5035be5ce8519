/**
 * Carries kernel operations out in one network namespace: encodes them, sends them in as few system calls as will do, and
 * tells which failed and why. It keeps no picture of the namespace (see real-kernel.ts) and knows no owner.
 */
import {
  describeOp,
  type KernelOp,
  type KernelState,
  type Link,
  type OpFailure,
  type Sysctl,
} from '#core/kernel/index.ts';
import {
  encodeOp,
  errnoText,
  isPlainAddition,
  type LinkIndex,
  linkSteps,
  type PlainAddition,
} from '#core/netlink/index.ts';
import { encodeNftOps, type NftTransaction } from '#core/netlink/nftables/index.ts';
import { type Namespace, openNamespace, writeSysctls } from '#io/namespace/index.ts';
import {
  type MessageFailure,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NetlinkSocket,
  nftBatch,
  nftBatchSync,
} from '#io/netlink/index.ts';
import { type AdditionFollower, AdditionSender } from './additions.ts';
import { isNameTaken, makeDistantLink } from './distant-link.ts';
import { describeFailure, encodeFailure } from './failure.ts';
import { tunDeviceFor } from './tun-device.ts';
import { WireguardSession } from './wireguard.ts';

/** Above so many messages a transaction runs on the thread pool: about a millisecond of kernel work. */
const SYNC_MESSAGES = 100;
/** Notifications of so many messages fit the monitor's buffer between two drains. */
const CHUNK_MESSAGES = 2000;

/** From so many on, a dump of what others touched meanwhile, and a socket, cost less than notifications. */
const MANY_ADDITIONS = 200;

/** What a session needs to know of its namespace. */
export interface SessionContext {
  indexOf(name: string): number | undefined;
  /** The state, where somebody keeps it: elements are encoded by their set's layout. */
  state?(): KernelState;
  /** Called before each send of what concerns no link, with the operation each message serves. */
  beforeSend?(messages: readonly Uint8Array[], sources: readonly KernelOp[]): void;
  /** Transactions of nf_tables come from this port, but for the largest. */
  transactionPort?(portId: number): void;
  /** Called before a transaction of nf_tables is sent. */
  beforeTransaction?(ops: readonly KernelOp[]): void;
  /** Told of many additions at once, in place of `beforeSend`. */
  readonly additions?: AdditionFollower;
  /** Called after each send, so that an owner can take in what it changed. */
  afterSend?(): void;
}

type Stage = 'link' | 'sysctl' | 'route' | 'wireguard' | 'nft';

export class KernelSession implements Disposable {
  readonly namespace: Namespace;
  readonly route: NetlinkSocket;
  private readonly context: SessionContext;
  private netfilter: NetlinkSocket | undefined;
  private readonly wireguard: WireguardSession;
  private readonly additions: AdditionSender;
  private readonly links: LinkIndex;

  constructor(namespace: Namespace, route: NetlinkSocket, context: SessionContext) {
    this.namespace = namespace;
    this.route = route;
    this.context = context;
    this.wireguard = new WireguardSession(namespace);
    this.links = { indexOf: (name) => context.indexOf(name), netnsFd: noNamespace };
    this.additions = new AdditionSender(namespace, this.links, context.additions);
  }

  static openRouteSocket(namespace: Namespace): NetlinkSocket {
    return NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace });
  }

  get nft(): NetlinkSocket {
    if (this.netfilter !== undefined) return this.netfilter;
    const { namespace } = this;
    const { socket, portId } = NetlinkSocket.openWithPorts({ protocol: NETLINK_NETFILTER, namespace });
    this.netfilter = socket;
    this.context.transactionPort?.(portId);
    return socket;
  }

  /** All operations in order, those of nf_tables last and as one transaction; returns what failed. */
  async apply(ops: readonly KernelOp[], signal?: AbortSignal): Promise<OpFailure[]> {
    const failures: OpFailure[] = [];
    const nft: KernelOp[] = [];
    for (const run of stages(ops)) {
      signal?.throwIfAborted();
      if (run.stage === 'nft') for (const op of run.ops) nft.push(op);
      else if (run.stage === 'sysctl') this.applySysctls(run.ops, failures);
      else if (run.stage === 'link') await this.applyLinks(run.ops, failures);
      else if (run.stage === 'wireguard') await this.wireguard.apply(run.ops, failures);
      else await this.applyRoute(run.ops, failures);
    }
    if (nft.length > 0) await this.applyNft(nft, failures);
    return failures;
  }

  /** All that WireGuard knows of a link; undefined if there is no such link of that kind. */
  readWireguard(link: string): Uint8Array[] | undefined {
    return this.wireguard.read(link);
  }

  [Symbol.dispose](): void {
    this.route.close();
    this.netfilter?.close();
    this.wireguard[Symbol.dispose]();
    this.additions[Symbol.dispose]();
  }

  private applySysctls(ops: readonly KernelOp[], failures: OpFailure[]): void {
    const writes = ops.filter(({ verb }) => verb !== 'remove');
    const entries = writes.map(({ object }) => [(object as Sysctl).path, (object as Sysctl).value] as const);
    for (const [at, error] of writeSysctls(this.namespace, entries).entries()) {
      const op = writes[at];
      if (error === undefined || op === undefined) continue;
      const code = (error as NodeJS.ErrnoException).code ?? 'EIO';
      failures.push({ op, code, message: `${describeOp(op)}: ${errnoText(code)}` });
    }
  }

  /** One by one: links may refer to each other by name only once the first has its index. */
  private async applyLinks(ops: readonly KernelOp[], failures: OpFailure[]): Promise<void> {
    using namespaces = new NamedNamespaces();
    const links: LinkIndex = {
      indexOf: (name) => this.context.indexOf(name),
      netnsFd: (path) => namespaces.fdOf(path),
    };
    for (const op of ops) {
      for (const failure of await this.applyLink(op, links)) failures.push(failure);
      this.context.afterSend?.();
    }
  }

  private async applyLink(op: KernelOp, links: LinkIndex): Promise<OpFailure[]> {
    const made = attempt(op, () => tunDeviceFor(this.namespace, op));
    if (made.failure !== undefined) return [made.failure];
    using device = made.value;
    if (isNameTaken(op, links)) {
      const { value, failure } = attempt(op, () => makeDistantLink(this.route, op.object as Link, links));
      return failure === undefined ? value.map((refusal) => describeFailure(op, refusal)) : [failure];
    }
    for (const step of linkSteps(op)) {
      const encoded = attempt(op, () => encodeOp(step, links));
      if (encoded.failure !== undefined) return [encoded.failure];
      const messages = encoded.value;
      // The kernel waits when it takes a link apart.
      const found =
        op.verb === 'remove' ? await this.route.transact(messages) : this.route.transactSync(messages);
      if (found.length > 0) return found.map((failure) => describeFailure(op, failure));
      this.context.afterSend?.();
    }
    device?.keep();
    return [];
  }

  private async applyRoute(ops: readonly KernelOp[], failures: OpFailure[]): Promise<void> {
    for (const run of runsOfAdditions(ops)) {
      if ('additions' in run)
        for (const failure of await this.additions.send(run.additions)) failures.push(failure);
      else await this.applyAny(run.ops, failures);
    }
  }

  private async applyAny(ops: readonly KernelOp[], failures: OpFailure[]): Promise<void> {
    let batch = new Batch();
    // While the thread pool sends one batch, the next is encoded and the notifications of the one before are taken in.
    let underway: Promise<void> | undefined;
    const send = async (isLast: boolean) => {
      await underway;
      const { messages, sources } = batch;
      batch = new Batch();
      const note = (found: readonly MessageFailure[]) => {
        for (const failure of found) {
          const op = sources[failure.index] ?? sources[0];
          if (op !== undefined) failures.push(describeFailure(op, failure));
        }
      };
      this.context.beforeSend?.(messages, sources);
      if (messages.length > SYNC_MESSAGES) {
        underway = this.route.transact(messages).then(note);
        if (isLast) await underway;
      } else if (messages.length > 0) note(this.route.transactSync(messages));
      this.context.afterSend?.();
    };
    for (const op of ops) {
      try {
        for (const message of encodeOp(op, this.links)) batch.add(message, op);
      } catch (error) {
        failures.push(encodeFailure(op, error));
      }
      if (batch.messages.length >= CHUNK_MESSAGES) await send(false);
    }
    await send(true);
  }

  /** What refers to a set or table that is nowhere cannot be encoded: then nothing of the transaction is done. */
  private encodeNft(ops: readonly KernelOp[], failures: OpFailure[]): NftTransaction | undefined {
    try {
      return encodeNftOps(ops, this.context.state?.());
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      for (const op of ops)
        failures.push({ op, code: 'ENOENT', message: `${describeOp(op)}: ${error.message} (ENOENT)` });
      return undefined;
    }
  }

  private async applyNft(ops: readonly KernelOp[], failures: OpFailure[]): Promise<void> {
    const encoded = this.encodeNft(ops, failures);
    if (encoded === undefined) return;
    const { messages, opIndex } = encoded;
    const { nft } = this;
    this.context.beforeTransaction?.(ops);
    const run = messages.length > SYNC_MESSAGES ? nftBatch : nftBatchSync;
    const outcome = await run(nft, messages);
    this.context.afterSend?.();
    if (outcome.failures.length === 0) return;
    // A transaction fails as a whole: every operation of it failed, each with its own reason or with the first one's.
    const reasons = new Map(outcome.failures.map((failure) => [opIndex[failure.index] ?? -1, failure]));
    const [first] = outcome.failures;
    for (const [at, op] of ops.entries()) {
      failures.push(describeFailure(op, reasons.get(at) ?? (first as MessageFailure)));
    }
  }
}

/** Messages that share a send, each with the operation it serves. */
class Batch {
  readonly messages: Uint8Array[] = [];
  readonly sources: KernelOp[] = [];

  add(message: Uint8Array, source: KernelOp): void {
    this.messages.push(message);
    this.sources.push(source);
  }
}

/** Namespaces that links or their peers are made in, open while messages that name them are on their way. */
class NamedNamespaces implements Disposable {
  private readonly open = new Map<string, Namespace>();

  fdOf(path: string): number {
    let namespace = this.open.get(path);
    if (namespace === undefined) {
      namespace = openNamespace(path);
      this.open.set(path, namespace);
    }
    return namespace.fd;
  }

  [Symbol.dispose](): void {
    for (const namespace of this.open.values()) namespace.close();
  }
}

function noNamespace(path: string): never {
  throw new RangeError(`only a link is made in another namespace, not what would be in ${path}`);
}

type Attempt<T> =
  | { readonly value: T; readonly failure?: never }
  | { readonly value?: never; readonly failure: OpFailure };

/** The value, or why there is none. */
function attempt<T>(op: KernelOp, work: () => T): Attempt<T> {
  try {
    return { value: work() };
  } catch (error) {
    return { failure: encodeFailure(op, error) };
  }
}

/** Splits operations into runs that can share a send, keeping their order. */
function stages(ops: readonly KernelOp[]): { stage: Stage; ops: KernelOp[] }[] {
  const runs: { stage: Stage; ops: KernelOp[] }[] = [];
  for (const op of ops) {
    const stage = stageOf(op);
    const last = runs.at(-1);
    if (last?.stage === stage) last.ops.push(op);
    else runs.push({ stage, ops: [op] });
  }
  return runs;
}

/** Parts what are many plain additions in a row from all else, keeping the order. */
function runsOfAdditions(
  ops: readonly KernelOp[],
): ({ readonly additions: readonly PlainAddition[] } | { readonly ops: readonly KernelOp[] })[] {
  const runs: ReturnType<typeof runsOfAdditions> = [];
  for (let from = 0, begin = 0; from < ops.length; ) {
    let end = from;
    while (end < ops.length && isPlainAddition(ops[end] as KernelOp)) end++;
    if (end - from >= MANY_ADDITIONS) {
      if (from > begin) runs.push({ ops: ops.slice(begin, from) });
      runs.push({ additions: ops.slice(from, end) as PlainAddition[] });
      begin = end;
    } else if (end === from) end++;
    from = end;
    if (from === ops.length && begin < from) runs.push({ ops: ops.slice(begin) });
  }
  return runs;
}

function stageOf(op: KernelOp): Stage {
  const { kind } = op.object;
  if (kind === 'link' || kind === 'sysctl') return kind;
  if (kind.startsWith('wireguard-')) return 'wireguard';
  return kind.startsWith('nft-') ? 'nft' : 'route';
}
