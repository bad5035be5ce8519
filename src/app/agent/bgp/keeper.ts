/**
 * BGP on this node: what the API server says and what the agent knows become a speaker; what the speaker learns becomes routes in the kernel.
 * Routes of an earlier run stay in place until the peers have told theirs anew, or had the time to (RFC 4724).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { answerControl, BgpService, type ServiceEvent, type StationConfig } from '#app/bgp/service/index.ts';
import type { Clock, Random } from '#base/clock.ts';
import { familyOf, type IpAddress, type IpPrefix, prefixContains } from '#base/ip/index.ts';
import { formatRouterId } from '#core/bgp/calico/index.ts';
import { KernelRoutes } from '#core/bgp/kernel/index.ts';
import {
  type Amendment,
  BGP,
  type Kernel,
  type KernelObject,
  type NextHop,
  ownerOf,
} from '#core/kernel/index.ts';
import { LEASE_NAMESPACE } from '#core/lease/index.ts';
import type { ObjectStore } from '#core/store/index.ts';
import type { KernelLoop } from '../kernel-loop.ts';
import { KindsFeed } from '../kinds-feed.ts';
import { EventLog } from './event-log.ts';
import { BGP_KINDS, BGP_SIGNS, SERVICE_KINDS, storedKind } from './kinds.ts';
import { KnownObjects } from './known-objects.ts';
import { Passwords } from './passwords.ts';
import type { BgpPlace } from './place.ts';
import type { PodAddresses } from './pod-addresses.ts';
import { stationsOf } from './stations.ts';
import type { BgpStatus } from './status.ts';
import { forwarding, hasNoWay } from './ways.ts';
import { type BgpWish, bgpWish, type HeldPeer, tellsServices } from './wish.ts';

export interface BgpKeeperOptions {
  readonly node: string;
  readonly store: ObjectStore;
  readonly loop: KernelLoop;
  readonly kernel: Kernel & { wayTo(address: IpAddress, link?: string): NextHop | undefined };
  /** Absent: none are attached by this agent. */
  readonly pods?: PodAddresses;
  /** Without any of Calico's objects too. */
  readonly isForced: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** What is learned; what an earlier run learned comes behind it in the alphabet, and so counts less. */
const PART = 'bgp';
const STALE_PART = 'bgp stale';
const BASE_PART = 'bgp base';
/** Changes of objects that come together are looked at together. */
const COLLECT_MS = 100;
/** After a link or an address has changed, others may follow. */
const RELOOK_MS = 50;
/** Routes of others that next hops are reached by change without a word. */
const WAYS_MS = 15_000;
const RETRY_MS = 5_000;

type Timer = 'wish' | 'relook' | 'ways' | 'pods';

export class BgpKeeper implements AsyncDisposable {
  readonly #options: BgpKeeperOptions;
  readonly #known = new KnownObjects();
  readonly #feed: KindsFeed;
  readonly #passwords: Passwords;
  readonly #log: EventLog;
  readonly #watch: Disposable;
  readonly #timers = new Map<Timer, Disposable>();
  #place: BgpPlace | undefined;
  #wish: BgpWish | undefined;
  #service: BgpService | undefined;
  #monitor: readonly StationConfig[] = [];
  #listening = '';
  #routes: KernelRoutes | undefined;
  #isConverged = true;
  #followsServices = false;
  #problems: readonly string[] = [];
  #failure: string | undefined;
  #work: Promise<void> = Promise.resolve();

  /** To be made before anything is removed from the kernel. */
  constructor(options: BgpKeeperOptions) {
    this.#options = options;
    this.#log = new EventLog(options.logger);
    const { store, clock, signal, kernel, loop } = options;
    this.#passwords = new Passwords({
      store,
      clock,
      signal,
      namespace: LEASE_NAMESPACE,
      onChange: () => this.#wishSoon(),
    });
    const heard = (isChanged: boolean): void => {
      if (isChanged) this.#wishSoon();
    };
    this.#feed = new KindsFeed({
      ...options,
      elsewhere: storedKind,
      subject: 'BGP is',
      sink: {
        sync: (resource, objects) => {
          this.#known.sync(resource, objects);
          this.#wishSoon();
        },
        upsert: (resource, object) => heard(this.#known.upsert(resource, object)),
        remove: (resource, object) => heard(this.#known.remove(resource, object)),
      },
    });
    this.#adopt();
    loop.own(BGP);
    this.#watch = kernel.watch({
      changed: (keys) => {
        if ([...keys].some((key) => key.startsWith('link ') || key.startsWith('address ')))
          this.#relookSoon();
      },
      resynced: () => this.#relookSoon(),
    });
    options.pods?.watch(() => this.#after('pods', COLLECT_MS, () => this.#lookAtPods()));
    for (const resource of BGP_KINDS) this.#feed.follow(resource);
    this.#lookAtWays();
  }

  /** What is known of this node; undefined: it has no lease, and so nothing to tell. */
  settle(place: BgpPlace | undefined): void {
    this.#place = place ?? (this.#place && { ...this.#place, subnets: [] });
    this.#lookAtPods();
    this.#wishSoon();
  }

  status(): BgpStatus {
    const { speaker, listen } = this.#wish ?? {};
    return {
      ...(speaker === undefined ? {} : { asn: speaker.asn, routerId: formatRouterId(speaker.routerId) }),
      port: listen?.port ?? 0,
      isRestarting: !this.#isConverged,
      routes: this.#routes?.size ?? 0,
      neighbors: this.#service?.neighbors() ?? [],
    };
  }

  /** Answers what is asked below `/bgp/`. */
  answer(incoming: IncomingMessage, response: ServerResponse): void {
    const service = this.#service;
    if (service === undefined)
      return answerControl(incoming, response, 'BGP has not begun: "poplin status" says why');
    answerControl(incoming, response, {
      service,
      reload: () =>
        Promise.reject(
          new Error('the agent follows the objects of the API server: there is no file to be read again'),
        ),
    });
  }

  /** What pools' tunnels put around a packet of a pod, at most. */
  get overheadBytes(): number {
    return this.#wish?.overheadBytes ?? 0;
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    const unreachable = [...(this.#routes?.unreachable ?? [])];
    return [
      ...this.#feed.problemTexts(),
      ...this.#problems,
      ...(this.#wish?.lateProblems() ?? []),
      ...(this.#failure === undefined ? [] : [this.#failure]),
      ...(unreachable.length === 0
        ? []
        : [
            `BGP: no next hop of ${unreachable.length} routes is reached: ${unreachable.slice(0, 3).join(', ')}`,
          ]),
    ];
  }

  /** Leaves kernel and peers as they are. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    this.#passwords[Symbol.dispose]();
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    await this.#work;
    for (const timer of this.#timers.values()) timer[Symbol.dispose]();
    await this.#service?.drop();
  }

  /** What is in the kernel stays wanted for now. */
  #adopt(): void {
    const { kernel, loop } = this.#options;
    const found: KernelObject[] = [];
    for (const object of kernel.state().values())
      if (ownerOf(object, kernel.state()) === BGP) found.push(object);
    loop.want(STALE_PART, found);
    this.#isConverged = found.length === 0;
  }

  #after(name: Timer, ms: number, work: () => void): void {
    if (this.#timers.has(name) || this.#options.signal.aborted) return;
    const expire = (): void => {
      this.#timers.delete(name);
      work();
    };
    this.#timers.set(name, this.#options.clock.setTimeout(ms, expire));
  }

  #wishSoon(): void {
    this.#after('wish', COLLECT_MS, () => {
      this.#work = this.#work.then(() => this.#carryOut());
    });
  }

  /** Pods outside the node's subnets are few. */
  #lookAtPods(): void {
    const { pods } = this.#options;
    if (this.#place === undefined || pods === undefined) return;
    const { subnets, singles: before = [] } = this.#place;
    const singles = [...pods.all()].filter((address) => !subnets.some((each) => isIn(each, address)));
    this.#place = { ...this.#place, singles };
    if (singles.join() !== before.join()) this.#wishSoon();
  }

  #relookSoon(): void {
    this.#after('relook', RELOOK_MS, () => this.#relook());
  }

  #lookAtWays(): void {
    this.#after('ways', WAYS_MS, () => {
      this.#relook();
      this.#lookAtWays();
    });
  }

  #relook(): void {
    if (this.#routes === undefined) return;
    this.#amend(this.#routes.refresh());
    this.#service?.refreshMetrics();
  }

  /** They are asked for where blocks of them are told. What the server does not let us see holds up nothing: that is told. */
  #knowsServices(): boolean {
    if (!this.#followsServices && tellsServices(this.#known)) {
      this.#followsServices = true;
      for (const kind of SERVICE_KINDS) this.#feed.follow(kind);
    }
    return (
      !this.#followsServices ||
      SERVICE_KINDS.every((kind) => this.#feed.isTold(kind)) ||
      this.#feed.problemTexts().length > 0
    );
  }

  get #isWanted(): boolean {
    return this.#options.isForced || BGP_SIGNS.some(({ kind }) => this.#known.of(kind).length > 0);
  }

  async #carryOut(): Promise<void> {
    const { node, signal, logger } = this.#options;
    if (signal.aborted || this.#place === undefined) return;
    if (!BGP_KINDS.every((kind) => this.#feed.isTold(kind)) || !this.#knowsServices()) return;
    try {
      if (!this.#isWanted) return await this.#end();
      const wish = bgpWish(node, this.#place, this.#known, this.#held());
      const problems = [...wish.problems];
      const { speaker } = wish;
      this.#wish =
        speaker === undefined
          ? wish
          : {
              ...wish,
              speaker: { ...speaker, neighbors: this.#passwords.resolve(speaker.neighbors, problems) },
            };
      this.#monitor = stationsOf(this.#known, problems);
      this.#problems = problems;
      await this.#run(this.#wish);
      this.#failure = undefined;
    } catch (error) {
      const text = `BGP: ${(error as Error).message}`;
      if (this.#failure !== text) logger.error({ err: error }, 'BGP not carried out');
      this.#failure = text;
      this.#after('wish', RETRY_MS, () => {
        this.#work = this.#work.then(() => this.#carryOut());
      });
    }
  }

  async #run({ speaker, listen, rules, isBare, objects }: BgpWish): Promise<void> {
    if (speaker === undefined) return;
    const { loop } = this.#options;
    loop.want(BASE_PART, [...(isBare ? forwarding(speaker.neighbors) : []), ...objects]);
    loop.trigger();
    const listening = JSON.stringify(listen);
    const announced = this.#service?.announced ?? [];
    if (this.#service !== undefined && listening !== this.#listening) {
      await this.#service.drop();
      this.#service = undefined;
      this.#adopt();
      this.#options.loop.want(PART, []);
    }
    if (this.#service !== undefined) {
      this.#amend(this.#routes?.configure(rules) ?? { put: [], removed: [] });
      this.#service.configure({ speaker, listen, monitor: this.#monitor });
    } else {
      const service = this.#begin({ speaker, listen, rules });
      for (const route of announced) service.announce(route);
    }
    this.#listening = listening;
  }

  #begin({ speaker, listen, rules }: Pick<Required<BgpWish>, 'speaker' | 'listen' | 'rules'>): BgpService {
    const { logger, kernel } = this.#options;
    const routes = new KernelRoutes(rules, (nextHop, link) => kernel.wayTo(nextHop, link));
    const isRestarting = !this.#isConverged;
    logger.info(
      { ...listen, asn: speaker.asn, neighbors: speaker.neighbors.length, isRestarting },
      'BGP speaks',
    );
    const service = new BgpService(
      { speaker, listen, monitor: this.#monitor },
      {
        ...this.#options,
        isRestarting,
        metricOf: (nextHop, linkLocal) =>
          hasNoWay(nextHop) || kernel.wayTo(nextHop) !== undefined || this.#isNeighbor(linkLocal)
            ? 0
            : undefined,
        isAdjacent: (address) => kernel.wayTo(address)?.via === undefined,
        onBest: (changes) => this.#amend(routes.apply(changes)),
        onConverged: () => this.#converge(),
      },
    );
    service.watch((event) => this.#hear(event));
    this.#service = service;
    this.#routes = routes;
    return service;
  }

  /** Whether a link-local address is one that we have a session with: then its link is known. */
  #isNeighbor(linkLocal: IpAddress | undefined): boolean {
    return (
      linkLocal !== undefined &&
      this.#service?.neighbors().some(({ address }) => address?.startsWith(`${linkLocal}%`)) === true
    );
  }

  #hear(event: ServiceEvent): void {
    this.#log.hear(event);
    if (event.type === 'session') this.#wishSoon();
  }

  #amend(amendment: Amendment): void {
    if (amendment.put.length === 0 && amendment.removed.length === 0) return;
    const { loop } = this.#options;
    loop.desired.amend(PART, amendment);
    loop.trigger();
  }

  #converge(): void {
    if (!this.#isConverged) this.#options.logger.info('BGP has learned anew what it knew before');
    this.#isConverged = true;
    this.#options.loop.want(STALE_PART, []);
    this.#options.loop.trigger();
  }

  /** Nobody wants BGP any more. */
  async #end(): Promise<void> {
    const { loop } = this.#options;
    await this.#service?.[Symbol.asyncDispose]();
    this.#service = undefined;
    this.#routes = undefined;
    this.#wish = undefined;
    this.#problems = [];
    for (const part of [PART, STALE_PART, BASE_PART]) loop.want(part, []);
    this.#isConverged = true;
    loop.trigger();
  }

  #held(): readonly HeldPeer[] {
    const service = this.#service;
    if (service === undefined) return [];
    const neighbors = new Map(this.#wish?.speaker?.neighbors.map((each) => [each.key, each]));
    return service.neighbors().map(({ key, isUp }) => ({
      key,
      isClient: neighbors.get(key)?.policy.isReflectorClient === true,
      isEstablished: isUp,
      isComplete: service.isComplete(key),
    }));
  }
}

function isIn(subnet: IpPrefix, address: IpAddress): boolean {
  return familyOf(subnet) === familyOf(address) && prefixContains(subnet, address);
}
