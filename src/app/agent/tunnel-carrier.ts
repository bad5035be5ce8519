/**
 * The carrier of the backend `udp`: keeps poplin-tunnel running, which carries the packets, and tells it who the other nodes are. The
 * process outlives this agent, and the next one finds it again by its socket; one that ended, or was started for other addresses or
 * by another release, is replaced. What it knows is replaced by our list as a whole, so that no packet is lost meanwhile.
 */
import type { Logger } from 'pino';
import { type BackoffOptions, backoffMs } from '#base/backoff.ts';
import { type Clock, delay, type Random } from '#base/clock.ts';
import { type Carrier, type LocalSubnet, type RemoteSubnet, tunnelLinkName } from '#core/overlay/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import {
  type CountersByFamily,
  configurationOf,
  isOfThisRelease,
  startTunnel,
  TunnelConnection,
  type TunnelEnd,
} from '#io/tunnel/index.ts';
import { TunnelPeers } from './tunnel-peers.ts';

export interface TunnelCarrierOptions {
  /** Where the devices and the UDP ports are. */
  readonly namespace: Namespace;
  /** The process listens here for us; at most 107 bytes. */
  readonly socketPath: string;
  /** UDP port of every node. */
  readonly port: number;
  /** The host's number of the network; absent: its first. */
  readonly network?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const RETRY: BackoffOptions = { initialMs: 100, maxMs: 5000 };

export class TunnelCarrier implements Carrier {
  private readonly options: TunnelCarrierOptions;
  private readonly peers = new TunnelPeers();
  private readonly disposal = new AbortController();
  private locals: readonly LocalSubnet[] = [];
  private connection: TunnelConnection | undefined;
  private keeping: Promise<void> | undefined;
  private carrying = Promise.withResolvers<void>();
  private problem: string | undefined;
  private hasRun = false;
  private restartCount = 0;

  constructor(options: TunnelCarrierOptions) {
    this.options = options;
  }

  /**
   * Resolves once packets are carried, which it goes on trying for. All remote subnets known were told by upsert before: what the
   * process knows beyond those is from before, and forgotten.
   */
  async local(locals: readonly LocalSubnet[]): Promise<void> {
    if (locals.length === 0 || this.disposal.signal.aborted) return;
    const before = configurationOf(this.ends());
    this.locals = locals;
    if (configurationOf(this.ends()) !== before) {
      this.carrying.resolve();
      this.carrying = Promise.withResolvers();
      this.disconnect();
    }
    this.keeping ??= this.keep();
    await this.carrying.promise;
  }

  upsert(name: string, remote: RemoteSubnet): void {
    const orders = this.peers.upsert(name, remote);
    this.connection?.order(...orders);
  }

  remove(name: string): void {
    const orders = this.peers.remove(name);
    this.connection?.order(...orders);
  }

  problemTexts(): readonly string[] {
    return this.problem === undefined ? [] : [`packets are not carried: ${this.problem}`];
  }

  /** How often the process was found to have ended, and was started again. */
  get restarts(): number {
    return this.restartCount;
  }

  /** What the process counted since it started; undefined while there is none. */
  async counters(): Promise<CountersByFamily | undefined> {
    return this.connection?.counters().catch(() => undefined);
  }

  /** The process goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.disposal.abort();
    this.disconnect();
    this.carrying.resolve();
    await this.keeping;
  }

  private ends(): readonly TunnelEnd[] {
    return this.locals.map(({ family, publicIp, localIp }) => ({
      link: tunnelLinkName(family, this.options.network),
      address: localIp ?? publicIp,
      port: this.options.port,
    }));
  }

  private disconnect(): void {
    this.connection?.[Symbol.dispose]();
    this.connection = undefined;
  }

  /** Until disposal: a process, told everything, and another when it ends. */
  private async keep(): Promise<void> {
    const { clock, random, logger } = this.options;
    const { signal } = this.disposal;
    for (let failures = 0; !signal.aborted; ) {
      try {
        using connection = await this.attach();
        if (signal.aborted) return;
        await this.tell(connection);
        [failures, this.problem] = [0, undefined];
        if (connection.configuration !== configurationOf(this.ends())) continue;
        this.carrying.resolve();
        await connection.ended;
      } catch (error) {
        if (signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        if (this.problem !== message) logger.error({ reason: message }, 'tunnel not running');
        this.problem = message;
        await delay(clock, backoffMs(failures++, RETRY, random), signal).catch(() => undefined);
      } finally {
        this.connection = undefined;
      }
    }
  }

  /** The process that runs, if it is as wanted; else a new one. */
  private async attach(): Promise<TunnelConnection> {
    const { namespace, socketPath, logger } = this.options;
    const ends = this.ends();
    const found = await TunnelConnection.open(socketPath);
    if (found !== undefined) {
      if (found.configuration === configurationOf(ends) && isOfThisRelease(found.pid)) return found;
      logger.info({ pid: found.pid, was: found.configuration }, 'tunnel replaced');
      await found.stop();
    } else if (this.hasRun) {
      this.restartCount++;
      logger.warn({ restarts: this.restartCount }, 'tunnel ended: started again');
    }
    await startTunnel(namespace, socketPath, ends);
    const started = await TunnelConnection.open(socketPath);
    if (started === undefined) throw new Error('poplin-tunnel ended as soon as it ran');
    logger.info({ pid: started.pid, ends: started.configuration }, 'tunnel started');
    return started;
  }

  private async tell(connection: TunnelConnection): Promise<void> {
    connection.order('begin', ...this.peers.orders());
    this.connection = connection;
    await connection.commit();
    this.hasRun = true;
  }
}
