/**
 * Flows that a change of policy forbids are cut, though their packets would be accepted as those of an established flow: a bit is set in their
 * mark, by which rules drop them, and cleared when they are allowed again. One walk over all entries at a time, and never long without a
 * pause; what is asked while it goes on is answered by one further walk.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IpAddress } from '#base/ip/index.ts';
import { FLOW_CUT_MARK, markFlowRequest, type TrackedFlow } from '#core/netlink/conntrack/index.ts';
import type { Flow } from '#core/policy/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { NETLINK_NETFILTER, NetlinkError, NetlinkSocket } from '#io/netlink/index.ts';
import { trackedFlows } from './dump.ts';
import { judgedFlow } from './judged.ts';

/** How long entries are looked at before others have their turn, in milliseconds. */
const SLICE_MS = 3;
/** Flows between two looks at the clock. */
const STRIDE = 32;

export interface FlowCutterOptions {
  /** Where the flows are followed: the node's. */
  readonly namespace: Namespace;
  /** Whether a pod of this node has the address; flows without such an end are left alone. */
  readonly isLocal: (address: IpAddress) => boolean;
  /** What the policies in force now say. */
  readonly isAllowed: (flow: Flow) => boolean;
}

/** What a walk found and did, in flows. */
export interface CutOutcome {
  readonly seen: number;
  readonly judged: number;
  readonly cut: number;
  readonly restored: number;
  /** All in all, pauses included. */
  readonly durationMs: number;
}

/** True for flows whose verdict may have changed, such as affectedBy gives. */
export type FlowTest = (flow: Flow) => boolean;

interface Marking {
  readonly isCut: boolean;
  readonly request: Uint8Array;
}

export class FlowCutter implements AsyncDisposable {
  readonly #options: FlowCutterOptions;
  readonly #waiting: FlowTest[] = [];
  #running: Promise<CutOutcome> | undefined;
  #next: Promise<CutOutcome> | undefined;
  #closed = false;

  constructor(options: FlowCutterOptions) {
    this.#options = options;
  }

  /**
   * Asks about all flows that the test gives true for; to be called when the rules of the change are in place, so that no flow comes
   * about under the old ones behind the walk. Throws NetlinkError; what a failed walk was to look at, the next one looks at.
   */
  enforce(isAffected: FlowTest): Promise<CutOutcome> {
    if (this.#closed) throw new Error('flow cutter is used after it was closed');
    this.#waiting.push(isAffected);
    this.#next ??= this.#walkAfter(this.#running);
    return this.#next;
  }

  /** Lets the walk that goes on come to its end, and starts no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([this.#running, this.#next]);
  }

  async #walkAfter(before: Promise<unknown> | undefined): Promise<CutOutcome> {
    await Promise.allSettled([before]);
    const tests = this.#waiting.splice(0);
    this.#running = this.#next;
    this.#next = undefined;
    try {
      return await this.#walk(tests);
    } catch (error) {
      this.#waiting.unshift(...tests);
      throw error;
    } finally {
      if (this.#next === undefined) this.#running = undefined;
    }
  }

  async #walk(tests: readonly FlowTest[]): Promise<CutOutcome> {
    const start = performance.now();
    const sum = { seen: 0, judged: 0, cut: 0, restored: 0 };
    await using socket = NetlinkSocket.open({
      protocol: NETLINK_NETFILTER,
      namespace: this.#options.namespace,
    });
    const flows = trackedFlows(this.#options.namespace);
    try {
      for (let isMore = true; isMore; await nextTurn()) {
        const slice = this.#slice(flows, tests);
        for (const { isCut } of await mark(socket, slice.markings)) sum[isCut ? 'cut' : 'restored']++;
        sum.seen += slice.seen;
        sum.judged += slice.judged;
        isMore = slice.isMore;
      }
    } finally {
      flows.return();
    }
    return { ...sum, durationMs: performance.now() - start };
  }

  /** Looks at flows until there are no more, or time is up. */
  #slice(flows: Iterator<TrackedFlow, void, void>, tests: readonly FlowTest[]) {
    const deadline = performance.now() + SLICE_MS;
    const markings: Marking[] = [];
    let [seen, judged] = [0, 0];
    while (seen % STRIDE !== STRIDE - 1 || performance.now() < deadline) {
      const next = flows.next();
      if (next.done === true) return { seen, judged, markings, isMore: false };
      seen++;
      const flow = judgedFlow(next.value);
      if (!this.#isConcerned(flow, tests)) continue;
      judged++;
      const isCut = !this.#options.isAllowed(flow);
      if (isCut === ((next.value.mark & FLOW_CUT_MARK) !== 0)) continue;
      markings.push({ isCut, request: markFlowRequest(next.value, FLOW_CUT_MARK, isCut) });
    }
    return { seen, judged, markings, isMore: true };
  }

  #isConcerned(flow: Flow, tests: readonly FlowTest[]): boolean {
    const { isLocal } = this.#options;
    return (isLocal(flow.source) || isLocal(flow.destination)) && tests.some((test) => test(flow));
  }
}

/** Gives those that were not of flows gone meanwhile. Throws NetlinkError for any other refusal. */
async function mark(socket: NetlinkSocket, markings: readonly Marking[]): Promise<readonly Marking[]> {
  if (markings.length === 0) return [];
  const requests = markings.map(({ request }) => request);
  const failures = await socket.transact(requests, { acknowledge: 'all' });
  const refused = failures.find(({ code }) => code !== 'ENOENT');
  if (refused !== undefined)
    throw new NetlinkError({
      operation: 'mark of a flow',
      errno: refused.errno,
      ...(refused.message !== undefined && { extAck: refused.message }),
    });
  const gone = new Set(failures.map(({ index }) => index));
  return markings.filter((_, index) => !gone.has(index));
}
