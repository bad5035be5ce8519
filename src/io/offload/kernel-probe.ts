/**
 * Finds out by experiment what this kernel does to VXLAN packets whose checksums are offloaded: two nameless network namespaces,
 * joined by a wire, are made into an overlay of two nodes, one of which masquerades what it sends; then a datagram goes through.
 * The namespaces hang on descriptors alone: nothing is left behind, even after a crash.
 */
import type { Socket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import type { IpFamily } from '#base/ip/index.ts';
import { compareAdditions, type KernelObject, type KernelOp } from '#core/kernel/index.ts';
import {
  bypassChains,
  type KernelFinding,
  type KernelFindings,
  PROBE_PORT,
  PROBE_UNDERLAY,
  planProbeEnd,
  planProbeLink,
  probeLinkName,
  probeVtep,
  type Verdict,
} from '#core/offload/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import { runIn } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import { udpSocketIn } from '#io/probe/index.ts';
import { exchange } from './exchange.ts';
import { CHECKSUM_FEATURE, setFeature } from './features.ts';

const DEADLINE_MS = 300;

export interface ProbeOptions {
  /** How long a datagram may take; 300 ms if absent. */
  readonly deadlineMs?: number;
  /** For tests: changes the sending node after it is set up, before anything is sent. */
  readonly disturb?: (sender: PodKernel) => void | Promise<void>;
}

/** Never rejects: where the experiment cannot be made, all is unknown, with the reason. */
export async function probeKernel(options: ProbeOptions = {}): Promise<KernelFindings> {
  const both = existsSync('/proc/net/if_inet6');
  try {
    return await probeFamilies(both ? [4, 6] : [4], options);
  } catch (error) {
    const unknown = unknownFinding(error);
    if (!both) return { 4: unknown };
    // IPv6 may be switched off for new namespaces: IPv4 gets a chance of its own.
    const alone = await probeFamilies([4], options).catch((): KernelFindings => ({ 4: unknown }));
    return { ...alone, 6: unknown };
  }
}

async function probeFamilies(families: readonly IpFamily[], options: ProbeOptions): Promise<KernelFindings> {
  await using bench = await Bench.open(families, options.deadlineMs ?? DEADLINE_MS);
  await options.disturb?.(bench.sender);
  const overlay = await bench.judge();
  await bench.withdrawBypass();
  const bare = await bench.judge();
  return Object.fromEntries(
    families.map((family, at) => [family, { overlay: overlay[at], bare: bare[at] } as KernelFinding]),
  );
}

function unknownFinding(error: unknown): KernelFinding {
  const unknown: Verdict = { verdict: 'unknown', text: `cannot probe: ${(error as Error).message}` };
  return { overlay: unknown, bare: unknown };
}

interface Conversation {
  readonly family: IpFamily;
  readonly from: Socket;
  readonly at: Socket;
}

class Bench implements AsyncDisposable {
  readonly sender: PodKernel;
  private readonly receiver: PodKernel;
  private resources: AsyncDisposableStack;
  private readonly deadlineMs: number;
  private readonly bypass: readonly KernelObject[];
  private conversations: readonly Conversation[] = [];

  private constructor(resources: AsyncDisposableStack, families: readonly IpFamily[], deadlineMs: number) {
    this.resources = resources;
    this.deadlineMs = deadlineMs;
    this.sender = resources.use(openPrivate());
    this.receiver = resources.use(openPrivate());
    this.bypass = bypassChains(planProbeEnd('sender', families));
  }

  static async open(families: readonly IpFamily[], deadlineMs: number): Promise<Bench> {
    await using stack = new AsyncDisposableStack();
    const bench = new Bench(stack, families, deadlineMs);
    await bench.build(families);
    bench.conversations = await Promise.all(families.map((family) => bench.converse(family)));
    bench.resources = stack.move();
    return bench;
  }

  /** A verdict for each family, in their order. */
  judge(): Promise<Verdict[]> {
    return Promise.all(this.conversations.map((conversation) => this.judgeOne(conversation)));
  }

  /** From now on the sender's outer packets meet its masquerade. */
  async withdrawBypass(): Promise<void> {
    await carryOut(
      this.sender,
      this.bypass.map((object) => ({ verb: 'remove', object })),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }

  /** The receiver first: the end of a pair that goes up last has its carrier at once, the other waits for the kernel's leisure. */
  private async build(families: readonly IpFamily[]): Promise<void> {
    const { sender, receiver } = this;
    const peer = { name: PROBE_UNDERLAY, netns: `/proc/self/fd/${receiver.namespace.fd}` };
    const near = planProbeLink('sender');
    const down = { ...near, up: false, detail: { type: 'veth', peer } } as const;
    await carryOut(sender, [{ verb: 'add', object: down }]);
    const far = receiver.link(PROBE_UNDERLAY);
    if (far === undefined) throw new Error(`link ${PROBE_UNDERLAY} has no other end`);
    await carryOut(receiver, [
      { verb: 'replace', object: planProbeLink('receiver'), previous: far },
      ...additions(planProbeEnd('receiver', families)),
    ]);
    await carryOut(sender, [
      { verb: 'replace', object: near, previous: down },
      ...additions(planProbeEnd('sender', families)),
    ]);
    // A veth pair hands unfinished checksums over as they are, and nobody looks. A real wire carries finished ones.
    setFeature(sender.namespace, PROBE_UNDERLAY, CHECKSUM_FEATURE, false);
  }

  private async converse(family: IpFamily): Promise<Conversation> {
    const open = async (end: PodKernel, side: 'sender' | 'receiver', port: number) => {
      const socket = await udpSocketIn(end.namespace, probeVtep(side, family), port);
      this.resources.defer(() => new Promise<void>((resolve) => socket.close(() => resolve())));
      return socket;
    };
    const from = await open(this.sender, 'sender', 0);
    return { family, from, at: await open(this.receiver, 'receiver', PROBE_PORT) };
  }

  /**
   * What arrives without offload alone was spoilt by it; what arrives neither way was lost for other reasons. A datagram that only
   * went missing gets a second chance: on a busy machine it may have come too late.
   */
  private async judgeOne(conversation: Conversation): Promise<Verdict> {
    const offloaded = await this.send(conversation);
    if (offloaded === 'arrived') return { verdict: 'sound' };
    const { namespace } = this.sender;
    const link = probeLinkName(conversation.family);
    setFeature(namespace, link, CHECKSUM_FEATURE, false);
    const finished = await this.send(conversation);
    setFeature(namespace, link, CHECKSUM_FEATURE, true);
    const again = offloaded === 'lost' ? await this.send(conversation) : offloaded;
    if (again === 'arrived') return { verdict: 'sound' };
    const text = `${again} over IPv${conversation.family} with ${CHECKSUM_FEATURE} on, ${finished} with it off`;
    return { verdict: finished === 'arrived' ? 'broken' : 'unknown', text };
  }

  private send({ family, from, at }: Conversation) {
    return exchange({
      from,
      at,
      to: { address: probeVtep('receiver', family), port: PROBE_PORT },
      checksumErrors: () => checksumErrors(this.receiver, family),
      deadlineMs: this.deadlineMs,
    });
  }
}

function openPrivate(): PodKernel {
  const addon = nativeAddon();
  const fd = addon.namespaceCreate();
  try {
    return PodKernel.open(`/proc/self/fd/${fd}`);
  } finally {
    addon.close(fd);
  }
}

function additions(objects: readonly KernelObject[]): KernelOp[] {
  return objects.toSorted(compareAdditions).map((object) => ({ verb: 'add', object }));
}

async function carryOut(kernel: PodKernel, ops: readonly KernelOp[]): Promise<void> {
  const [failure] = await kernel.apply(ops);
  if (failure !== undefined) throw new Error(failure.message);
}

/** UDP datagrams refused for their checksum, outer and inner ones alike. */
function checksumErrors({ namespace }: PodKernel, family: IpFamily): number {
  const text = runIn(namespace, () =>
    readFileSync(`/proc/thread-self/net/${family === 4 ? 'snmp' : 'snmp6'}`, 'utf8'),
  );
  if (family === 6) return Number(/^Udp6InCsumErrors\s+(\d+)/m.exec(text)?.[1] ?? 0);
  const [names, values] = text
    .split('\n')
    .flatMap((line) => (line.startsWith('Udp: ') ? [line.split(' ')] : []));
  return Number(values?.[names?.indexOf('InCsumErrors') ?? -1] ?? 0);
}
