/**
 * What the CNI core needs from the world: a way to run other people's plugins, a store of reserved addresses, leases from servers, and
 * for a runtime its configuration folder and the records of what it attached.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { DhcpConfig } from './plugins/dhcp/index.ts';
import type { Attachment } from './plugins/identity.ts';
import type { AttachmentId } from './spec/network-config.ts';
import type { CniResult } from './spec/result.ts';

/** One execution of a plugin. */
export interface PluginExecution {
  /** The plugin's name, to be looked up in CNI_PATH. */
  readonly type: string;
  /** The CNI_ variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** The request configuration. */
  readonly stdin: string;
}

export interface PluginOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecPlugin {
  /** Runs a plugin to its end. Rejects with CniError 2 if CNI_PATH holds no such plugin. */
  run(execution: PluginExecution, signal?: AbortSignal): Promise<PluginOutput>;
}

/** The addresses one network has given out, while its lock is held. All methods are synchronous: hold the lock briefly. */
export interface ReservedAddresses {
  isTaken(address: IpAddress): boolean;
  /** Every taken address, in no order. */
  taken(): Iterable<IpAddress>;
  addressesOf(owner: AttachmentId): readonly IpAddress[];
  /** The address last reserved from a range set; undefined if none is known. */
  lastReserved(rangeSetIndex: number): IpAddress | undefined;
  /** Reserves an address and remembers it as the last of its range set; false if it is taken after all. */
  reserve(address: IpAddress, owner: AttachmentId, rangeSetIndex: number): boolean;
  /** Gives one address back, whoever holds it. */
  releaseAddress(address: IpAddress): void;
  /** Gives back all that the owner holds, and returns it. */
  release(owner: AttachmentId): readonly IpAddress[];
  /** Gives back what nobody alive holds, and returns it. Looks at the store anew. */
  reclaim(): readonly IpAddress[];
  /** Gives back all that is held by others than these, and returns it. */
  retainOnly(owners: readonly AttachmentId[]): readonly IpAddress[];
}

export interface AddressStore {
  /** Runs the work while holding the network's lock; one caller at a time for each network and directory. */
  withNetwork<T>(
    network: { readonly name: string; readonly dataDir: string },
    work: (addresses: ReservedAddresses) => T,
  ): Promise<T>;
}

/** Where network configurations lie. */
export interface ConfigFiles {
  /** The names of the files (not the folders) in a folder; none if it is not there. */
  names(folder: string): Promise<readonly string[]>;
  /** A file's text; rejects if it cannot be read. */
  read(path: string): Promise<string>;
}

/** A runtime's records: texts below `results/`, each under the name that cachePath gives it. */
export interface AttachmentCache {
  /** The text of a record, undefined if there is none. */
  load(path: string): Promise<string | undefined>;
  /** Writes a record whole. */
  save(path: string, text: string): Promise<void>;
  /** No error if there is none. */
  remove(path: string): Promise<void>;
  /** Every record's text with its path, in the order of the paths. */
  all(): Promise<readonly { readonly path: string; readonly text: string }[]>;
}

/** Whose lease, and on which link: it is there, and up. */
export interface DhcpRequest {
  readonly attachment: Attachment;
  /** The path of the namespace that holds the link `attachment.ifName`. */
  readonly netns: string;
  readonly config: DhcpConfig;
}

/** Leases of DHCP servers, kept for as long as the attachment lives. */
export interface DhcpClient {
  /** Gets a lease, and renews it from then on. Rejects with CniError 11 if no server gives one in time. */
  acquire(request: DhcpRequest): Promise<CniResult>;
  /** Rejects with CniError 114 if the attachment holds no lease. */
  check(attachment: Attachment): Promise<void>;
  /** Gives the lease back while the link is there still; without one it does nothing. */
  release(attachment: Attachment): Promise<void>;
  /** Gives back what others than these hold of a network. */
  retainOnly(network: string, owners: readonly AttachmentId[]): Promise<void>;
}

/** The programs with which the reference plugins make rules, in the host's namespace. */
export interface RuleTool {
  has(program: RuleProgram): boolean;
  /** False if the kernel has nothing there, neither in nf_tables nor in the older iptables; no program is run to know. */
  mayHold(place: RulePlace): boolean;
  /** What the program printed. Rejects with an Error that names the program and tells what it said. */
  run(program: RuleProgram, args: readonly string[]): Promise<string>;
}

/** Where rules would be: in one of these chains of a table, or anywhere in it. */
export interface RulePlace {
  readonly family: 'ip' | 'ip6' | 'inet';
  readonly table: string;
  readonly chains?: readonly string[];
}

export type RuleProgram = 'iptables' | 'ip6tables' | 'nft';
