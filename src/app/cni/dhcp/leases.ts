/**
 * The leases of this node's attachments: got at ADD, renewed from then on, resumed after a restart of the agent, given back at DEL and GC,
 * and forgotten when the pod's namespace is gone.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import {
  type Attachment,
  type AttachmentId,
  attachmentAlias,
  CNI_ERROR,
  CniError,
  type CniResult,
  type DhcpClient,
  type DhcpRequest,
  dhcpResult,
} from '#core/cni/index.ts';
import { namespaceId } from '#io/namespace/index.ts';
import { ClientFiles } from './client-files.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { bringUp, isPodThere } from './pod-link.ts';
import type { StoredClient } from './stored-lease.ts';

/** How long an ADD waits for a server: runtimes give up after two minutes or more. */
const ACQUIRE_LIMIT_MS = 60_000;
/** How often pods that went without a word are looked for. */
const SWEEP_MS = 60_000;

export interface DhcpLeasesOptions {
  /** Where the records lie; made if it is not there. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly acquireLimitMs?: number;
}

export class DhcpLeases implements DhcpClient, Disposable {
  private readonly options: DhcpLeasesOptions;
  private readonly files: ClientFiles;
  private readonly keepers = new Map<string, LeaseKeeper>();
  /** Records that could not be written, by attachment. */
  private readonly unsaved = new Map<string, Error>();
  private sweeping: Disposable | undefined;

  private constructor(options: DhcpLeasesOptions) {
    this.options = options;
    this.files = new ClientFiles(options.folder);
  }

  /** Goes on with all leases on disk whose pods are there. */
  static open(options: DhcpLeasesOptions): DhcpLeases {
    const leases = new DhcpLeases(options);
    const { clients, problems } = leases.files.load();
    for (const problem of problems) options.logger.warn({ problem }, 'dhcp lease record not read');
    for (const client of clients) leases.restore(client);
    leases.sweepLater();
    return leases;
  }

  async acquire({ attachment, netns, config }: DhcpRequest): Promise<CniResult> {
    const key = attachmentAlias(attachment);
    const known = this.keepers.get(key);
    const id = namespaceId(netns);
    if (id === undefined)
      throw new CniError(CNI_ERROR.unknownContainer, `CNI_NETNS: no network namespace at "${netns}"`);
    if (known?.lease !== undefined && known.client.namespaceId === id) return dhcpResult(known.lease, config);
    const previous = known?.client.lease;
    known?.[Symbol.dispose]();
    const client: StoredClient = { attachment, netns, namespaceId: id, config };
    const failures = await bringUp(client);
    if (failures.length > 0)
      throw new CniError(CNI_ERROR.internal, failures.map(({ message }) => message).join('; '));
    const keeper = this.keep(client);
    const limitMs = this.options.acquireLimitMs ?? ACQUIRE_LIMIT_MS;
    const lease = await keeper.acquire(limitMs, previous);
    const unsaved = this.unsaved.get(key);
    if (unsaved !== undefined) {
      await this.release(attachment);
      throw new CniError(
        CNI_ERROR.ioFailure,
        `the DHCP lease of ${attachment.ifName} cannot be recorded`,
        unsaved.message,
      );
    }
    if (lease !== undefined) return dhcpResult(lease, config);
    this.forget(keeper);
    const { refusal } = keeper;
    throw new CniError(
      CNI_ERROR.tryAgainLater,
      `no DHCP server gave a lease on ${attachment.ifName} within ${limitMs / 1000} s`,
      refusal === undefined ? 'nobody answered' : `the last answer was not taken: ${refusal}`,
    );
  }

  async check(attachment: Attachment): Promise<void> {
    if (this.keepers.get(attachmentAlias(attachment))?.lease !== undefined) return;
    throw new CniError(
      CNI_ERROR.checkFailed,
      `container ${attachment.containerId} is not as ADD left it`,
      `${attachment.ifName} holds no DHCP lease`,
    );
  }

  async release(attachment: Attachment): Promise<void> {
    const keeper = this.keepers.get(attachmentAlias(attachment));
    if (keeper === undefined) return this.files.remove(attachment);
    keeper.release();
    await keeper.settled();
    this.forget(keeper);
  }

  async retainOnly(network: string, owners: readonly AttachmentId[]): Promise<void> {
    const valid = new Set(owners.map(({ containerId, ifName }) => `${containerId}/${ifName}`));
    for (const { client } of [...this.keepers.values()]) {
      const { attachment } = client;
      if (attachment.network !== network || valid.has(`${attachment.containerId}/${attachment.ifName}`))
        continue;
      await this.release(attachment);
    }
  }

  /** The leases held now, for people and tests. */
  held(): StoredClient[] {
    return [...this.keepers.values()].map(({ client }) => client);
  }

  /** Stops renewing; all leases stay as they are, on disk and at their servers. */
  [Symbol.dispose](): void {
    this.sweeping?.[Symbol.dispose]();
    for (const keeper of this.keepers.values()) keeper[Symbol.dispose]();
    this.keepers.clear();
  }

  private restore(client: StoredClient): void {
    try {
      if (!isPodThere(client)) return this.files.remove(client.attachment);
      this.keep(client).resume();
    } catch (error) {
      this.options.logger.warn({ attachment: client.attachment, err: error }, 'dhcp lease not resumed');
      this.files.remove(client.attachment);
    }
  }

  private keep(client: StoredClient): LeaseKeeper {
    const { clock, random, logger } = this.options;
    const keeper: LeaseKeeper = new LeaseKeeper({
      client,
      clock,
      random,
      logger: logger.child({ dhcp: attachmentAlias(client.attachment) }),
      onChange: (changed) => this.save(changed),
      onGone: () => {
        logger.info({ attachment: client.attachment }, 'pod of a dhcp lease is gone');
        this.forget(keeper);
      },
    });
    this.keepers.set(attachmentAlias(client.attachment), keeper);
    return keeper;
  }

  /** Called from sockets and timers, where nobody catches. What a full disk does not take is written when the sweep comes by. */
  private save(client: StoredClient): void {
    const key = attachmentAlias(client.attachment);
    try {
      this.files.save(client);
      this.unsaved.delete(key);
    } catch (error) {
      this.options.logger.error({ attachment: client.attachment, err: error }, 'dhcp lease not recorded');
      this.unsaved.set(key, error instanceof Error ? error : new Error(String(error)));
    }
  }

  private forget(keeper: LeaseKeeper): void {
    const { attachment } = keeper.client;
    keeper[Symbol.dispose]();
    const key = attachmentAlias(attachment);
    // Another ADD may have put a keeper in its place.
    if (this.keepers.get(key) !== keeper) return;
    this.keepers.delete(key);
    this.unsaved.delete(key);
    this.files.remove(attachment);
  }

  private sweepLater(): void {
    this.sweeping = this.options.clock.setTimeout(SWEEP_MS, () => {
      for (const keeper of [...this.keepers.values()]) keeper.lookAtPod();
      for (const key of [...this.unsaved.keys()]) {
        const keeper = this.keepers.get(key);
        if (keeper !== undefined) this.save(keeper.client);
      }
      this.sweepLater();
    });
  }
}
