/** `poplin flows` at work: the kernel's log of this namespace on one side, lines on the other, until it is told to stop or has shown enough. */
import { setTimeout as delay } from 'node:timers/promises';
import { isDecodeError } from '#core/codec/index.ts';
import { decodePacketFlow, type LoggedPacket } from '#core/netlink/log/index.ts';
import { FlowTeller, isWanted, type LineFilter, lineEnd } from '#core/policy/flows/index.ts';
import type { PolicyCluster } from '#core/policy/index.ts';
import { type EndedFlow, followEndedFlows, PacketLog } from '#io/flow-log/index.ts';
import type { AnyLine } from './flows-text.ts';

/** How often what was held back is looked at. */
const TICK_MS = 500;

export interface FlowWatchOptions {
  /** It may change meanwhile. */
  readonly cluster: PolicyCluster;
  readonly group: number;
  readonly filter: LineFilter;
  /** Flows that end are shown, too. */
  readonly isEndedShown: boolean;
  /** Lines to be shown at most. */
  readonly countMax: number;
  readonly show: (line: AnyLine) => void;
  /** Something that a person should know, and that ends nothing. */
  readonly warn: (text: string) => void;
}

/** What came of it. */
export interface FlowSummary {
  readonly allowed: number;
  readonly denied: number;
  readonly other: number;
  readonly ended: number;
  readonly lines: number;
  /** Packets that were logged and not read. */
  readonly lost: number;
}

export class FlowWatch {
  readonly #options: FlowWatchOptions;
  readonly #stop = new AbortController();
  readonly #teller: FlowTeller;
  #failure: Error | undefined;
  #ended = 0;
  #lines = 0;
  #lost = 0;

  constructor(options: FlowWatchOptions) {
    this.#options = options;
    this.#teller = new FlowTeller(options.cluster.graph, options.filter);
  }

  /** Ends at the signal, or when enough lines were shown. Throws NetlinkError if there is nothing to listen to. */
  async run(signal: AbortSignal, onListening: () => void): Promise<FlowSummary> {
    const stopped = AbortSignal.any([signal, this.#stop.signal]);
    using _log = PacketLog.open({
      group: this.#options.group,
      onPackets: (packets) => this.#takePackets(packets),
      onLost: (count) => (this.#lost += count),
      onError: (error) => this.#fail(error as Error),
    });
    using _ended = this.#options.isEndedShown ? this.#followEnded() : undefined;
    onListening();
    while (!stopped.aborted) {
      await delay(TICK_MS, undefined, { signal: stopped }).catch(() => {});
      this.#show(this.#teller.takeDue(Date.now()));
    }
    this.#show(this.#teller.takeAll());
    if (this.#failure !== undefined) throw this.#failure;
    const { allow, deny, other } = this.#teller.counts;
    const { ended, lines, lost } = { ended: this.#ended, lines: this.#lines, lost: this.#lost };
    return { allowed: allow, denied: deny, other, ended, lines, lost };
  }

  #takePackets(packets: readonly LoggedPacket[]): void {
    const atMs = Date.now();
    for (const { prefix, payload } of packets) {
      try {
        const line = this.#teller.take({ prefix, flow: decodePacketFlow(payload), atMs });
        if (line !== undefined) this.#show([line]);
      } catch (error) {
        if (!isDecodeError(error)) throw error;
        this.#options.warn(`a packet that cannot be read: ${error.message}`);
      }
    }
  }

  #followEnded(): Disposable {
    return followEndedFlows({
      onEnded: (flows) => this.#takeEnded(flows),
      onLost: () => this.#options.warn('some flows ended untold: there were too many at once'),
    });
  }

  #takeEnded(flows: readonly EndedFlow[]): void {
    const { graph } = this.#options.cluster;
    for (const { flow, ...counted } of flows) {
      const line = {
        atMs: Date.now(),
        source: lineEnd(graph, flow.source, flow.sourcePort),
        destination: lineEnd(graph, flow.destination, flow.destinationPort),
        protocol: flow.protocol,
        ...(flow.icmp !== undefined && { icmp: flow.icmp }),
        ...counted,
      };
      this.#ended++;
      if (isWanted(line, this.#options.filter)) this.#show([line]);
    }
  }

  #show(lines: readonly AnyLine[]): void {
    for (const line of lines) {
      if (this.#lines >= this.#options.countMax) break;
      this.#lines++;
      this.#options.show(line);
    }
    if (this.#lines >= this.#options.countMax) this.#stop.abort();
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#stop.abort();
  }
}
