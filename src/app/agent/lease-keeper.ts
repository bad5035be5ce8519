/**
 * Runs the lease state machine (core/lease) against the store: carries out its actions, feeds back the answers, keeps its timer, and
 * tells the agent what it holds. Losing the store loses nothing.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import {
  type AcquirerConfig,
  callFailure,
  type FamilyKey,
  initialLeaseState,
  LEASE_NAMESPACE,
  LEASE_SELECTOR,
  type LeaseAction,
  type LeaseEvent,
  type LeaseState,
  type SubnetLease,
  stepLease,
} from '#core/lease/index.ts';
import { type KubeObject, type ObjectStore, RESOURCES } from '#core/store/index.ts';

export interface LeaseKeeperOptions {
  readonly store: ObjectStore;
  readonly config: AcquirerConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** All families are held, or were renewed. */
  readonly onLease: (lease: SubnetLease) => void;
  /** A family's subnet is another node's now: it must not be used any more. */
  readonly onLost: (family: FamilyKey) => void;
}

type Unstamped<E> = E extends unknown ? Omit<E, 'nowMs' | 'random'> : never;

export class LeaseKeeper implements AsyncDisposable {
  private readonly options: LeaseKeeperOptions;
  private readonly calls = new AbortController();
  private state: LeaseState;
  private timer: Disposable | undefined;
  /** When the timer is due, milliseconds since 1970; it is set with every event, mostly to the same. */
  private wakeAtMs: number | undefined;
  private current: SubnetLease | undefined;
  /** What has happened to subnets since all families were last held. */
  private losses: string[] = [];
  private stopped: (() => void) | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.options = options;
    this.state = initialLeaseState(options.config);
  }

  get lease(): SubnetLease | undefined {
    return this.current;
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    const told = this.state.told.map((problem) => problem.slice(problem.indexOf(' ') + 1));
    return [...this.losses, ...told];
  }

  start(): void {
    this.send({ type: 'start' });
  }

  /** A lease object as the watch shows it. */
  changed(object: KubeObject): void {
    this.send({ type: 'changed', object });
  }

  removed(name: string): void {
    this.send({ type: 'removed', name });
  }

  /** Keeps the lease in the store: the node comes back to it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const done = new Promise<void>((resolve) => {
      this.stopped = resolve;
    });
    this.send({ type: 'stop', release: false });
    this.calls.abort();
    this.timer?.[Symbol.dispose]();
    await done;
  }

  private send(event: Unstamped<LeaseEvent>): void {
    const { clock, random } = this.options;
    const stamped = { ...event, nowMs: clock.now(), random: random() } as LeaseEvent;
    const { state, actions } = stepLease(this.state, stamped);
    this.state = state;
    for (const action of actions) this.carryOut(action);
  }

  private carryOut(action: LeaseAction): void {
    const { store, logger, onLease, onLost } = this.options;
    const scope = { namespace: LEASE_NAMESPACE, signal: this.calls.signal };
    switch (action.type) {
      case 'list':
        this.call(action.call, async () => {
          const { items } = await store.list(RESOURCES.leases, { ...scope, labelSelector: LEASE_SELECTOR });
          return { type: 'listed', call: action.call, items };
        });
        break;
      case 'create':
      case 'replace':
        this.call(action.call, async () => {
          const object = await store[action.type](RESOURCES.leases, action.object, scope);
          return { type: 'stored', call: action.call, object };
        });
        break;
      case 'delete':
        this.call(action.call, async () => {
          const { resourceVersion } = action;
          await store.delete(RESOURCES.leases, action.name, { ...scope, resourceVersion });
          return { type: 'deleted', call: action.call };
        });
        break;
      case 'wake':
        this.wakeAt(action.atMs);
        break;
      case 'held':
      case 'renewed':
        this.losses = [];
        this.current = action.lease;
        if (action.type === 'held')
          logger.info({ ipv4: action.lease.ipv4?.subnet, ipv6: action.lease.ipv6?.subnet }, 'lease held');
        onLease(action.lease);
        break;
      case 'lost':
      case 'expired':
        this.losses.push(action.message);
        logger.error({ subnet: action.subnet, reason: action.message }, `lease ${action.type}`);
        if (action.type === 'lost') onLost(action.family);
        break;
      case 'problem':
        logger.warn({ code: action.code, leases: action.names, reason: action.message }, 'lease problem');
        break;
      case 'stopped':
        this.stopped?.();
        break;
    }
  }

  private wakeAt(atMs: number): void {
    const { clock } = this.options;
    const leftMs = atMs - clock.now();
    // Where the clock was set forward the timer may still have long to go.
    if (this.wakeAtMs === atMs && leftMs > 0) return;
    this.timer?.[Symbol.dispose]();
    this.wakeAtMs = atMs;
    this.timer = clock.setTimeout(Math.max(0, leftMs), () => {
      this.wakeAtMs = undefined;
      this.send({ type: 'wake' });
    });
  }

  private call(id: number, work: () => Promise<Unstamped<LeaseEvent>>): void {
    work().then(
      (event) => this.send(event),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        this.send({ type: 'failed', call: id, failure: callFailure(error), message });
      },
    );
  }
}
