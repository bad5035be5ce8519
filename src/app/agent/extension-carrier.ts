/**
 * The backend `extension`: commands of the operator's, run in flannel's order with flannel's environment. What PreStartupCommand prints is
 * told to the other nodes and is the standard input of theirs. A command that fails is named and tried again: it must bear repeating, as
 * SubnetAddCommand must, which is run for every subnet again when the agent starts.
 */
import type { Logger } from 'pino';
import { Backoff } from '#base/backoff.ts';
import { type Clock, delay, type Random } from '#base/clock.ts';
import type { BackendData, ExtensionConfig, NetConf } from '#core/lease/index.ts';
import type { Carrier, LocalSubnet, RemoteSubnet } from '#core/overlay/index.ts';
import { runShell } from '#io/shell/index.ts';

const TIMEOUT_MS = 60_000;
const RETRY = { initialMs: 1000, maxMs: 10_000 } as const;

export interface ExtensionOptions {
  readonly config: ExtensionConfig;
  readonly netConf: NetConf;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A remote subnet as it should be; undefined: it is to go. */
interface Wish {
  readonly remote: RemoteSubnet | undefined;
  /** What was there when its removal was asked for. */
  readonly before?: RemoteSubnet;
}

/** What PreStartupCommand prints; undefined if there is no such command. Rejects with ShellError if it fails. */
export async function prepareExtension(
  config: ExtensionConfig,
  signal: AbortSignal,
): Promise<BackendData | undefined> {
  if (config.preStartupCommand === '') return undefined;
  return runShell(config.preStartupCommand, { environment: {}, timeoutMs: TIMEOUT_MS, signal });
}

export class ExtensionCarrier implements Carrier {
  private readonly options: ExtensionOptions;
  private readonly ended = new AbortController();
  private readonly wishes = new Map<string, Wish>();
  private readonly present = new Map<string, RemoteSubnet>();
  private readonly failures = new Map<string, string>();
  private readonly retries: Backoff;
  private working: Promise<void> | undefined;
  private startedFor = '';

  constructor(options: ExtensionOptions) {
    this.options = options;
    this.retries = new Backoff(RETRY, options.random);
  }

  async local(locals: readonly LocalSubnet[]): Promise<void> {
    const { config, netConf } = this.options;
    const key = JSON.stringify(locals);
    if (config.postStartupCommand === '' || key === this.startedFor) return;
    await this.run('PostStartupCommand', config.postStartupCommand, {
      ...(netConf.ipv4 && { NETWORK: netConf.ipv4.network }),
      ...(netConf.ipv6 && { IPV6NETWORK: netConf.ipv6.network }),
      ...Object.assign({}, ...locals.map(environmentOf)),
    });
    this.startedFor = key;
  }

  upsert(name: string, remote: RemoteSubnet): void {
    const pending = this.wishes.get(name);
    const known = pending === undefined ? this.present.get(name) : pending.remote;
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(remote)) return;
    this.wish(name, { remote });
  }

  remove(name: string): void {
    const before = this.wishes.get(name)?.remote ?? this.present.get(name);
    // One that is not done yet may be under way.
    if (before !== undefined) this.wish(name, { remote: undefined, before });
  }

  problemTexts(): readonly string[] {
    return [...this.failures.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ended.abort();
    await this.working;
  }

  private wish(name: string, wish: Wish): void {
    this.wishes.set(name, wish);
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
  }

  /** One command at a time, in the order they were asked for. */
  private async work(): Promise<void> {
    const { clock, config } = this.options;
    const { signal } = this.ended;
    while (this.wishes.size > 0 && !signal.aborted) {
      let hasFailed = false;
      for (const [name, wish] of [...this.wishes]) {
        const [label, command, subject] =
          wish.remote === undefined
            ? (['SubnetRemoveCommand', config.subnetRemoveCommand, wish.before] as const)
            : (['SubnetAddCommand', config.subnetAddCommand, wish.remote] as const);
        const done = subject === undefined || (await this.attempt(label, command, subject));
        hasFailed ||= !done;
        if (!done) continue;
        if (wish.remote === undefined) this.present.delete(name);
        else this.present.set(name, wish.remote);
        if (this.wishes.get(name) === wish) this.wishes.delete(name);
      }
      if (hasFailed) await delay(clock, this.retries.next(), signal).catch(() => undefined);
      else this.retries.reset();
    }
  }

  private async attempt(label: string, command: string, remote: RemoteSubnet): Promise<boolean> {
    if (command === '') return true;
    const { backendData } = remote;
    const stdin = typeof backendData === 'string' ? backendData : JSON.stringify(backendData ?? '');
    try {
      await this.run(label, command, environmentOf(remote), stdin, remote.subnet);
      return true;
    } catch {
      return false;
    }
  }

  private async run(
    label: string,
    command: string,
    environment: Readonly<Record<string, string>>,
    stdin = '',
    about = '',
  ): Promise<void> {
    const { logger } = this.options;
    const { signal } = this.ended;
    try {
      await runShell(command, { environment, stdin, timeoutMs: TIMEOUT_MS, signal });
      this.failures.delete(label + about);
      logger.info({ command: label, ...environment }, 'extension command done');
    } catch (error) {
      if (signal.aborted) throw error;
      const text = `${label}${about === '' ? '' : ` for ${about}`}: ${(error as Error).message}`;
      if (this.failures.get(label + about) !== text)
        logger.error({ reason: text }, 'extension command failed');
      this.failures.set(label + about, text);
      throw error;
    }
  }
}

/** flannel's names; each family's subnet comes by itself. */
function environmentOf({ family, subnet, publicIp }: LocalSubnet | RemoteSubnet): Record<string, string> {
  return family === 4
    ? { SUBNET: subnet, PUBLIC_IP: publicIp }
    : { IPV6SUBNET: subnet, PUBLIC_IPV6: publicIp };
}
