/**
 * One attachment's DHCP client at work: the state machine of core/dhcp with a socket in the pod's namespace, a clock, and a record on
 * disk. A socket is open only while an answer is awaited, and holds no namespace of a pod that is gone for long.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import type { IpAddress, MacAddress } from '#base/ip/index.ts';
import { optionsOfClient } from '#core/cni/index.ts';
import {
  type DhcpAction,
  type DhcpEvent,
  type DhcpLease,
  type DhcpMessage,
  type DhcpState,
  newDhcpClient,
  stepDhcp,
} from '#core/dhcp/index.ts';
import { DhcpSocket } from '#io/dhcp/index.ts';
import { isPodThere, putOn, takeOff, withPodLink } from './pod-link.ts';
import type { StoredClient } from './stored-lease.ts';

export interface LeaseKeeperOptions {
  readonly client: StoredClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The record has changed. */
  readonly onChange: (client: StoredClient) => void;
  /** The pod, or its link, is gone. */
  readonly onGone: () => void;
}

export class LeaseKeeper implements Disposable {
  client: StoredClient;
  private readonly options: LeaseKeeperOptions;
  private state: DhcpState;
  private socket: DhcpSocket | undefined;
  private timer: Disposable | undefined;
  private isClosed = false;
  /** Where the last message came from, while it is looked at. */
  private sender: MacAddress | undefined;
  private lastRefusal: string | undefined;
  /** An ADD that waits for its lease. */
  private waiting: ((lease: DhcpLease) => void) | undefined;
  /** Changes of the link, one after the other. */
  private changes: Promise<void> = Promise.resolve();

  /** Throws if the pod or its link is not there. */
  constructor(options: LeaseKeeperOptions) {
    this.options = options;
    this.client = options.client;
    const link = withPodLink(options.client, (_pod, found) => found);
    if (link?.mac === undefined)
      throw new Error(`no link "${options.client.attachment.ifName}" in ${options.client.netns}`);
    this.state = newDhcpClient({
      mac: link.mac,
      // Its links share one MAC address, and are told apart by the IP address that this one has yet to get.
      broadcast: link.detail.type === 'ipvlan',
      provide: optionsOfClient(options.client.config, options.client.attachment),
      request: options.client.config.request,
    });
  }

  get lease(): DhcpLease | undefined {
    return this.state.lease;
  }

  /** What the last server that was not heeded did wrong. */
  get refusal(): string | undefined {
    return this.lastRefusal;
  }

  /** Resolves with a lease; undefined if none is given in time. Its address is for the caller to put on the link. */
  acquire(limitMs: number, previous?: DhcpLease): Promise<DhcpLease | undefined> {
    return new Promise((resolve) => {
      const limit = this.options.clock.setTimeout(limitMs, () => {
        this.waiting = undefined;
        resolve(undefined);
      });
      this.waiting = (lease) => {
        limit[Symbol.dispose]();
        this.waiting = undefined;
        resolve(lease);
      };
      this.step({ type: 'start', atMs: this.now(), ...(previous && { lease: previous }) });
    });
  }

  /** Goes on where another agent stopped. */
  resume(): void {
    const { lease } = this.client;
    this.step(
      lease === undefined ? { type: 'start', atMs: this.now() } : { type: 'resume', atMs: this.now(), lease },
    );
  }

  /** Tells the server that the address is free. */
  release(): void {
    this.step({ type: 'release', atMs: this.now() });
    this[Symbol.dispose]();
  }

  /** Tells the owner if the pod is gone. */
  lookAtPod(): void {
    if (!this.isClosed && !isPodThere(this.client)) this.options.onGone();
  }

  /** Resolves when the link is as the last message wants it. */
  settled(): Promise<void> {
    return this.changes;
  }

  /** Stops, and leaves the lease as it is. */
  [Symbol.dispose](): void {
    this.isClosed = true;
    this.timer?.[Symbol.dispose]();
    this.socket?.close();
    this.socket = undefined;
  }

  private now(): number {
    return this.options.clock.now();
  }

  private step(event: DhcpEvent): void {
    if (this.isClosed) return;
    const { state, actions } = stepDhcp(this.state, event, this.options.random);
    this.state = state;
    for (const action of actions) this.carryOut(action);
    if (this.isClosed) return;
    this.timer?.[Symbol.dispose]();
    this.timer = undefined;
    if (state.wakeAtMs !== undefined) {
      const ms = Math.max(0, state.wakeAtMs - this.now());
      this.timer = this.options.clock.setTimeout(ms, () => this.step({ type: 'time', atMs: this.now() }));
    }
    if (state.phase === 'bound' || state.phase === 'released') {
      this.socket?.close();
      this.socket = undefined;
    }
  }

  private carryOut(action: DhcpAction): void {
    const { logger } = this.options;
    switch (action.type) {
      case 'send':
        return this.send(action.message, action.from, action.to);
      case 'refused':
        this.lastRefusal = action.reason;
        logger.warn({ reason: action.reason }, 'dhcp answer not taken');
        return;
      case 'granted':
        return this.granted(action.lease, action.previous);
      case 'lost':
        return this.lost(action.lease, action.reason);
    }
  }

  private send(message: DhcpMessage, from: IpAddress, to: IpAddress): void {
    const isBroadcast = to === '255.255.255.255';
    try {
      this.socket ??= this.openSocket();
      if (this.socket === undefined) return this.options.onGone();
      this.socket.send(message, from, to, isBroadcast ? undefined : this.client.neighbour);
    } catch (error) {
      // It is sent again in its time.
      this.options.logger.warn({ err: error }, 'dhcp message not sent');
    }
  }

  private openSocket(): DhcpSocket | undefined {
    return withPodLink(this.client, (pod, link) =>
      DhcpSocket.open({
        namespace: pod.namespace,
        linkIndex: link.index,
        onMessage: ({ message, mac }) => {
          this.sender = mac;
          this.step({ type: 'message', atMs: this.now(), message });
        },
        onRefused: (error) => this.options.logger.warn({ err: error }, 'dhcp message not readable'),
      }),
    );
  }

  private granted(lease: DhcpLease, previous: DhcpLease | undefined): void {
    const { logger } = this.options;
    const { sender, waiting } = this;
    this.change({ ...this.client, lease, ...(sender !== undefined && { neighbour: sender }) });
    const { address, expiresAtMs } = lease;
    logger.info(
      { address, expiresAtMs },
      previous === undefined ? 'dhcp lease granted' : 'dhcp lease renewed',
    );
    if (waiting !== undefined) return waiting(lease);
    if (previous !== undefined) return;
    logger.warn({ address }, 'dhcp address back on the link; the runtime knows the one that ADD reported');
    this.onLink('dhcp address not put on', () => putOn(this.client, lease));
  }

  private lost(lease: DhcpLease, reason: string): void {
    const { client } = this;
    const { lease: _lost, ...left } = client;
    this.change(left);
    if (this.waiting !== undefined) return;
    this.options.logger.error(
      { address: lease.address, reason },
      'dhcp lease lost: its address is taken off the link',
    );
    this.onLink('dhcp address not taken off', () => takeOff(client, lease));
  }

  private change(client: StoredClient): void {
    this.client = client;
    this.options.onChange(client);
  }

  private onLink(what: string, work: () => Promise<readonly { readonly message: string }[]>): void {
    this.changes = this.changes.then(async () => {
      try {
        for (const { message } of await work()) this.options.logger.warn({ message }, what);
      } catch (error) {
        this.options.logger.warn({ err: error }, what);
      }
    });
  }
}
