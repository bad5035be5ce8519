/**
 * Policy on this node: from what the API server has to what is in the kernel, in front of each pod's first packet. What was known once is
 * on disk, so that neither a restart nor an outage opens anything; where nothing is known yet, no pod is attached.
 */
import type { Logger } from 'pino';
import type { EndpointPolicy, PodEndpoint } from '#app/cni/index.ts';
import { type Clock, delay, type Random } from '#base/clock.ts';
import type { IpPrefix } from '#base/ip/index.ts';
import { CNI_ERROR, CniError } from '#core/cni/index.ts';
import { POLICY } from '#core/kernel/index.ts';
import {
  affectedBy,
  type BridgeMode,
  mayGoOn,
  PolicyCluster,
  PolicyCompiler,
  type PolicyDelta,
  podKey,
} from '#core/policy/index.ts';
import { isNotFound, type ObjectStore, RESOURCES } from '#core/store/index.ts';
import type { FlowCutter, FlowCutterOptions } from '#io/conntrack/index.ts';
import { ObjectJournal } from '#io/object-journal/index.ts';
import type { KernelLoop } from '../kernel-loop.ts';
import { Endpoints } from './endpoints.ts';
import { PolicyFeed, type PolicySink } from './feed.ts';
import { KnownObjects } from './known-objects.ts';
import { type LinkNumbers, PodLinks } from './link-numbers.ts';
import { LogListeners } from './log-listeners.ts';
import { type NameSource, type NamesStatus, PolicyNames } from './names.ts';
import { PolicyPart } from './part.ts';
import { PolicyReports } from './reports.ts';

/** How long an ADD waits for policies to be known, and for a pod that no watch has told of. */
const KNOWN_WAIT_MS = 10_000;
const POD_WAIT_MS = 2_000;

export interface PolicyKeeperOptions {
  readonly node: string;
  readonly store: ObjectStore;
  readonly loop: KernelLoop;
  /** Where what is known is kept. */
  readonly journalFile: string;
  readonly bridge: BridgeMode;
  /** What numbers links have; absent: they are known by name alone. */
  readonly links?: LinkNumbers;
  /** Whether somebody listens to POLICY_LOG_GROUP; absent: rules tell what they decide in any case. */
  readonly isLogHeard?: () => boolean;
  /** How it is learnt what names in policies stand for; absent: they stand for nothing. */
  readonly names?: NameSource;
  /** Servers that are believed about names; absent: all that pods ask. */
  readonly nameServers?: readonly IpPrefix[];
  /** Ends flows that a new policy forbids; absent: they go on until they end by themselves. */
  readonly openCutter?: (judge: FlowJudge) => FlowCutting;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Whose flows are looked at, and what the policies in force say of them. */
export type FlowJudge = Pick<FlowCutterOptions, 'isLocal' | 'isAllowed'>;
/** What of FlowCutter is used. */
export type FlowCutting = Pick<FlowCutter, 'enforce' | typeof Symbol.asyncDispose>;

/** For `poplin status`. */
export interface PolicyStatus {
  /** Where what is known is from; `nothing`: no policy is known yet, and no pod can be attached. */
  readonly known: 'api' | 'disk' | 'nothing';
  readonly policies: number;
  readonly endpoints: number;
  /** Attached pods that the API has not told of. */
  readonly unknownPods: readonly string[];
  /** Flows that were ended because a policy forbids them now. */
  readonly cutFlows: number;
  /** How long the last change took to be in the kernel, from when it was known, in milliseconds. */
  readonly lastChangeMs: number | undefined;
  readonly names?: NamesStatus;
}

export class PolicyKeeper implements EndpointPolicy, AsyncDisposable {
  readonly #options: PolicyKeeperOptions;
  readonly #cluster: PolicyCluster;
  readonly #endpoints = new Endpoints();
  readonly #known: KnownObjects;
  readonly #journal: ObjectJournal;
  readonly #feed: PolicyFeed;
  readonly #compiler: PolicyCompiler;
  readonly #part: PolicyPart;
  readonly #cutter: FlowCutting | undefined;
  readonly #names: PolicyNames | undefined;
  /** Pods to be told to the compiler anew. */
  readonly #changed = new Set<string>();
  #source: PolicyStatus['known'] = 'nothing';
  /** What the API told while the disk's word counted. */
  readonly #news: (() => boolean)[] = [];
  /** Something is to be carried out as soon as all is known. */
  #isHeld = false;
  #carrying: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  readonly #waiting: (() => void)[] = [];
  readonly #links: PodLinks;
  readonly #listeners: LogListeners;
  #version = -1;
  #cut = 0;
  #lastChangeMs: number | undefined;

  constructor(options: PolicyKeeperOptions) {
    this.#options = options;
    this.#cluster = new PolicyCluster(options.node);
    const { loop, journalFile, bridge, names, nameServers, logger } = options;
    this.#journal = new ObjectJournal(journalFile, 'policy');
    this.#known = new KnownObjects({ cluster: this.#cluster, journal: this.#journal, logger });
    this.#feed = new PolicyFeed({
      ...options,
      sink: new PolicyReports(options).beside(this.#sink()),
    });
    this.#listeners = new LogListeners({ ...options, onChanged: () => void this.#carry() });
    const flows = this.#listeners.isHeard;
    this.#compiler = new PolicyCompiler({ bridge, flows, ...(nameServers && { nameServers }) });
    this.#part = new PolicyPart(loop);
    const { graph } = this.#cluster;
    this.#cutter = options.openCutter?.({
      isLocal: (address) => this.#endpoints.has(address),
      isAllowed: (flow) => mayGoOn(graph, flow),
    });
    this.#links = new PodLinks({
      ...options,
      endpoints: this.#endpoints,
      onChanged: (keys) => {
        for (const key of keys) this.#changed.add(key);
      },
      onDue: () => void this.#carry(),
    });
    if (names !== undefined)
      this.#names = new PolicyNames({ ...options, ...names, graph, onChanged: () => void this.#carry() });
  }

  /** To be called once what is attached is known, and before anything is removed from the kernel: what the last agent knew is in force. */
  async start(): Promise<void> {
    if (this.#known.restore()) this.#becomeKnown('disk');
    this.#names?.restore();
    this.#feed.start();
    if (this.#hasPolicies) this.#feed.followContext();
    await this.#carry();
  }

  /** Resolves when all that was told until now is in the kernel, or was refused. Rejects with CniError 11 as admit() does. */
  async settled(): Promise<void> {
    do {
      await this.#untilKnown();
      await this.#carry();
    } while (this.#isHeld);
  }

  status(): PolicyStatus {
    const unknownPods = [...this.#endpoints.keys()].filter((key) => !this.#cluster.hasPod(key));
    return {
      known: this.#source,
      policies: this.#cluster.graph.policies.byRef.size,
      endpoints: this.#endpoints.size,
      unknownPods: this.#part.isActive ? unknownPods : [],
      cutFlows: this.#cut,
      lastChangeMs: this.#lastChangeMs,
      ...(this.#names && { names: this.#names.status() }),
    };
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    const { refusal } = this.#known;
    return [
      ...this.#feed.problemTexts(),
      ...(this.#names?.problemTexts() ?? []),
      ...(refusal === undefined ? [] : [`policies are not kept on disk: ${refusal}`]),
      ...this.#cluster.problems().map(({ object, path, message, isUsed }) => {
        const consequence = isUsed ? '' : ' (what was there before stays in force)';
        return `${object}: ${path}: ${message}${consequence}`;
      }),
    ];
  }

  /** Resolves when the pod's policies are in the kernel. Throws CniError 11 if they cannot be known. */
  async admit(endpoint: PodEndpoint): Promise<void> {
    await this.#untilKnown();
    this.#attach(endpoint);
    if (this.#hasPolicies) await this.#findPod(endpoint.pod);
    await this.settled();
    const [failure] = this.#part.failures;
    if (failure !== undefined)
      throw new CniError(CNI_ERROR.tryAgainLater, `policies are not in the kernel: ${failure}`);
  }

  /** Attached before, or attached differently now. */
  restored(endpoint: PodEndpoint): void {
    if (this.#endpoints.hasSame(endpoint)) return this.#links.renumber([this.#attach(endpoint)]);
    this.#attach(endpoint);
    void this.#carry();
  }

  /** Not attached any more: its address may be another's soon. */
  released(part: string): void {
    const key = this.#endpoints.remove(part);
    if (key === undefined) return;
    this.#changed.add(key);
    if (this.#endpoints.endpointOf(key) === undefined) this.#cluster.detach(key);
    else this.#cluster.attach(key, this.#endpoints.netsOf(key));
    void this.#carry();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#links[Symbol.dispose]();
    this.#listeners[Symbol.dispose]();
    await Promise.allSettled([this.#carrying, this.#next]);
    await this.#names?.[Symbol.asyncDispose]();
    await this.#cutter?.[Symbol.asyncDispose]();
    this.#journal[Symbol.dispose]();
  }

  /** There is something that decides, or would. */
  get #hasPolicies(): boolean {
    return this.#cluster.graph.policies.byRef.size > 0 || this.#cluster.hasLocalHosts;
  }

  /** What is known now may be carried out: there is no half of a new state in it. */
  get #isSettled(): boolean {
    return this.#source === 'disk' || (this.#source === 'api' && this.#feed.isComplete);
  }

  #sink(): PolicySink {
    const known = this.#known;
    return {
      sync: (resource, objects) => this.#hear(() => known.sync(resource, objects)),
      upsert: (resource, object) => this.#hear(() => known.upsert(resource, object)),
      remove: (resource, object) => this.#hear(() => known.remove(resource, object)),
    };
  }

  /** Kinds are told of one by one: what the disk has stays in force until the API has told of all of them. */
  #hear(take: () => boolean): void {
    let isChanged = false;
    if (this.#source === 'disk') this.#news.push(take);
    else isChanged = take();
    if (this.#feed.isComplete && this.#source !== 'api') {
      for (const each of this.#news.splice(0)) each();
      isChanged = true;
      this.#becomeKnown('api');
      this.#known.settle();
    }
    if (this.#hasPolicies) this.#feed.followContext();
    this.#isHeld ||= isChanged;
    if (!this.#isSettled) return;
    for (const wake of this.#waiting.splice(0)) wake();
    if (this.#isHeld) void this.#carry();
  }

  #becomeKnown(source: 'api' | 'disk'): void {
    this.#source = source;
    this.#options.loop.own(POLICY);
  }

  #attach(endpoint: PodEndpoint): string {
    const key = this.#endpoints.put(endpoint);
    this.#changed.add(key);
    this.#cluster.attach(key, this.#endpoints.netsOf(key));
    return key;
  }

  async #untilKnown(): Promise<void> {
    if (this.#isSettled) return;
    const { clock, signal } = this.#options;
    const known = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await Promise.race([known, delay(clock, KNOWN_WAIT_MS, signal).catch(() => undefined)]);
    if (this.#isSettled) return;
    const [reason = 'the API server has not told of them'] = this.#feed.problemTexts();
    throw new CniError(
      CNI_ERROR.tryAgainLater,
      `policies are not known yet: ${reason}`,
      'see: poplin status',
    );
  }

  /** Asks for a pod that the watch has not told of, or of which it knows an earlier one. */
  async #findPod({ namespace, name, uid }: PodEndpoint['pod']): Promise<void> {
    const { store, signal, logger } = this.#options;
    const at = { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name } };
    const isKnown = this.#cluster.hasPod(podKey(namespace, name));
    if (isKnown && (uid === undefined || this.#known.uidOf(at) === uid)) return;
    try {
      const limits = AbortSignal.any([signal, AbortSignal.timeout(POD_WAIT_MS)]);
      const object = await store.get(RESOURCES.pods, name, { namespace, signal: limits });
      if (uid !== undefined && object.metadata.uid !== uid) return;
      this.#known.upsert(RESOURCES.pods, { ...object, apiVersion: 'v1', kind: 'Pod' });
    } catch (error) {
      if (isNotFound(error)) this.#known.remove(RESOURCES.pods, at);
      logger.warn({ pod: `${namespace}/${name}`, err: error }, 'pod not known to the API server');
    }
  }

  /** All that changed until now is in the kernel when this resolves, or has failed and is tried again by the loop. */
  #carry(): Promise<void> {
    this.#next ??= this.#carryAfter(this.#carrying);
    return this.#next;
  }

  async #carryAfter(before: Promise<void> | undefined): Promise<void> {
    await before;
    this.#carrying = this.#next;
    this.#next = undefined;
    this.#isHeld = !this.#isSettled;
    if (this.#isHeld) return;
    try {
      await this.#carryNow();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'policies not carried out');
    }
  }

  async #carryNow(): Promise<void> {
    const { clock } = this.#options;
    const startMs = clock.now();
    const delta = this.#cluster.graph.takeDelta();
    this.#names?.follow();
    this.#tellEndpoints();
    this.#compiler.apply(delta);
    const isActive = this.#isActive();
    this.#listeners.follow(isActive);
    this.#compiler.tellFlows(this.#listeners.isHeard);
    const isDone = await this.#part.carryOut(this.#compiler.takeAmendment(), isActive);
    if (isDone) this.#lastChangeMs = clock.now() - startMs;
    if (isActive) this.#cutForbidden(delta);
  }

  #tellEndpoints(): void {
    const { version } = this.#cluster.graph.policies;
    if (version !== this.#version)
      for (const key of this.#endpoints.keys()) if (!this.#cluster.hasPod(key)) this.#changed.add(key);
    this.#version = version;
    for (const key of this.#changed) {
      const endpoint = this.#endpoints.endpointOf(key);
      if (endpoint === undefined) this.#compiler.removeEndpoint(key);
      else
        this.#compiler.setEndpoint(
          this.#links.numbered(endpoint),
          this.#mayBeSelected(key) ? 'closed' : 'open',
        );
    }
    this.#changed.clear();
  }

  /** Whether a policy could select the pod, whatever its labels are. */
  #mayBeSelected(key: string): boolean {
    const [namespace] = key.slice('pod '.length).split('/');
    for (const { ref, staged } of this.#cluster.graph.policies.byRef.values())
      if (staged === undefined && (ref.namespace === undefined || ref.namespace === namespace)) return true;
    return false;
  }

  #isActive(): boolean {
    if (this.#cluster.hasLocalHosts) return true;
    for (const { staged } of this.#cluster.graph.policies.byRef.values())
      if (staged === undefined) return true;
    return false;
  }

  #cutForbidden(delta: PolicyDelta): void {
    // Names that get addresses forbid nothing, and do so too often to look at all flows.
    const isOfNames = [...delta.sets.values()].every(({ set }) => set.kind === 'domains');
    if (delta.endpoints.size === 0 && isOfNames) return;
    this.#cutter?.enforce(affectedBy(delta)).then(
      ({ cut, restored, seen, durationMs }) => {
        this.#cut += cut;
        if (cut + restored > 0)
          this.#options.logger.info({ cut, restored, seen, durationMs }, 'flows judged anew');
      },
      (error: unknown) => this.#options.logger.error({ err: error }, 'flows not judged anew'),
    );
  }
}
