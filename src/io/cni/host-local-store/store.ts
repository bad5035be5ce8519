/** The AddressStore on disk: `<dataDir>/<network>/`, shared with the reference host-local plugin. Callers of one network queue. */
import { join } from 'node:path';
import {
  type AddressStore,
  type AttachmentId,
  CNI_ERROR,
  CniError,
  type ReservedAddresses,
} from '#core/cni/index.ts';
import { AddressDirectory, type Durability } from './address-directory.ts';
import { type DirectoryLock, processLock } from './directory-lock.ts';

export interface DiskAddressStoreOptions {
  /** Absent: other processes are not kept out, though no address can be given twice. */
  readonly lock?: DirectoryLock;
  /** Absent is `process`: whoever loses power loses the containers with their addresses. */
  readonly durability?: Durability;
  /** False for an owner whose container is gone; its addresses are given again. Absent: all are taken to be alive. */
  readonly isOwnerAlive?: (owner: AttachmentId, network: string) => boolean;
}

interface Network {
  readonly name: string;
  readonly dataDir: string;
}

export class DiskAddressStore implements AddressStore {
  private readonly lock: DirectoryLock;
  private readonly options: DiskAddressStoreOptions;
  private readonly directories = new Map<string, AddressDirectory>();
  private readonly queues = new Map<string, Promise<void>>();

  constructor(options: DiskAddressStoreOptions = {}) {
    this.lock = options.lock ?? processLock;
    this.options = options;
  }

  /** Rejects with CniError 5 that names the file if the disk fails; errors of the work itself come through as they are. */
  async withNetwork<T>(network: Network, work: (addresses: ReservedAddresses) => T): Promise<T> {
    const path = join(network.dataDir, network.name);
    const before = this.queues.get(path);
    const turn = Promise.withResolvers<void>();
    this.queues.set(path, turn.promise);
    try {
      await before;
      return await this.workIn(this.directoryOf(path, network.name), work);
    } catch (error) {
      throw asCniError(error, network);
    } finally {
      if (this.queues.get(path) === turn.promise) this.queues.delete(path);
      turn.resolve();
    }
  }

  private async workIn<T>(
    directory: AddressDirectory,
    work: (addresses: ReservedAddresses) => T,
  ): Promise<T> {
    directory.ensure();
    using _held = await this.lock.acquire(directory.lockFile);
    directory.open();
    try {
      return work(directory);
    } finally {
      directory.close();
    }
  }

  private directoryOf(path: string, network: string): AddressDirectory {
    const known = this.directories.get(path);
    if (known) return known;
    const { durability = 'process', isOwnerAlive } = this.options;
    const directory = new AddressDirectory(path, {
      durability,
      isLockExclusive: this.lock.excludesOtherProcesses,
      isOwnerAlive: (owner) => isOwnerAlive?.(owner, network) ?? true,
    });
    this.directories.set(path, directory);
    return directory;
  }
}

function asCniError(error: unknown, { name, dataDir }: Network): unknown {
  if (error instanceof CniError || !(error instanceof Error) || !('syscall' in error)) return error;
  return new CniError(
    CNI_ERROR.ioFailure,
    `host-local: ${error.message}`,
    `network ${name}, reservations in ${dataDir}`,
    {
      cause: error,
    },
  );
}
