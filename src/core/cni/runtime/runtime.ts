/**
 * A runtime's operations on a network, with the record of each attachment in libcni's form. What ADD made is written down when all
 * of it is made; a caller whose ADD failed runs DEL, which needs no record.
 */
import type { AttachmentCache, ExecPlugin } from '../ports.ts';
import { encodeCniArgs } from '../spec/args.ts';
import { checkContainerId, checkInterfaceName } from '../spec/environment.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import { isJsonObject, type JsonObject } from '../spec/json.ts';
import type { AttachmentId } from '../spec/network-config.ts';
import { isAtLeast } from '../spec/version.ts';
import {
  type CachedAttachment,
  cachePath,
  decodeCachedAttachment,
  decodeCachedResult,
  encodeCachedAttachment,
} from './cache.ts';
import { executePlugin, type PluginRequest } from './execute.ts';
import { encodeNetworkList, type NetworkList } from './network-list.ts';
import {
  type AttachmentParameters,
  addNetwork,
  checkNetwork,
  delNetwork,
  planNetworkGc,
  planNetworkStatus,
} from './sequence.ts';

export interface NetworkRuntimeOptions {
  readonly exec: ExecPlugin;
  readonly cache: AttachmentCache;
  /** CNI_PATH: directories, separated by colons. */
  readonly path: string;
}

/** What a caller says about one attachment. */
export interface AttachmentWish extends AttachmentId {
  readonly netns: string;
  /** CNI_ARGS as pairs; absent takes those of the record, where there is one. */
  readonly args?: readonly (readonly [string, string])[];
  /** As args. */
  readonly capabilityArgs?: JsonObject;
}

export class NetworkRuntime {
  private readonly options: NetworkRuntimeOptions;

  constructor(options: NetworkRuntimeOptions) {
    this.options = options;
  }

  /** Attaches and records; rejects with the error of the plugin that failed, and then whatever was made is still there. */
  async add(list: NetworkList, wish: AttachmentWish, signal?: AbortSignal): Promise<JsonObject> {
    requireId(wish);
    const { exec, cache } = this.options;
    const result = await addNetwork(list, this.parameters(wish), exec, signal);
    const { containerId, ifName, netns, args = [], capabilityArgs = {} } = wish;
    const record: CachedAttachment = {
      network: list.name,
      containerId,
      ifName,
      netns,
      config: encodeNetworkList(list),
      cniArgs: args,
      capabilityArgs,
      result,
    };
    await cache.save(cachePath(list.name, wish), encodeCachedAttachment(record));
    return result;
  }

  /** Takes away; an absent or unreadable record hinders nothing, and is removed when every plugin has done its part. */
  async del(list: NetworkList, wish: AttachmentWish, signal?: AbortSignal): Promise<void> {
    requireId(wish);
    const { exec, cache } = this.options;
    const path = cachePath(list.name, wish);
    const record = await this.record(list.name, wish);
    const result = await this.result(list, wish).catch(() => undefined);
    await delNetwork(list, this.parameters(wish, record), result, exec, signal);
    await cache.remove(path);
  }

  /** Asks every plugin; rejects with CniError 1 for a list before 0.4.0, with 3 if there is no record of the attachment. */
  async check(list: NetworkList, wish: AttachmentWish, signal?: AbortSignal): Promise<void> {
    if (!isAtLeast(list.cniVersion, '0.4.0')) {
      throw new CniError(
        CNI_ERROR.incompatibleVersion,
        `configuration version "${list.cniVersion}" does not support the CHECK command`,
        'it came with 0.4.0',
      );
    }
    requireId(wish);
    const result = await this.result(list, wish);
    if (result === undefined) {
      throw new CniError(
        CNI_ERROR.unknownContainer,
        `no record of container ${wish.containerId}, interface ${wish.ifName} on network ${list.name}`,
        'it was not attached, was attached by a runtime that keeps its records elsewhere, or under another container id',
      );
    }
    const record = await this.record(list.name, wish);
    await checkNetwork(list, this.parameters(wish, record), result, this.options.exec, signal);
  }

  /**
   * Takes away what is recorded of the network and not valid, then tells every plugin what is. All errors are collected: the
   * rejection is one CniError with the first one's code. Nothing is done for a list that disables it.
   */
  async gc(list: NetworkList, valid: readonly AttachmentId[], signal?: AbortSignal): Promise<AttachmentId[]> {
    if (list.disableGc) return [];
    const failures: CniError[] = [];
    const removed: AttachmentId[] = [];
    const attempt = async (work: () => Promise<unknown>) => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof CniError)) throw error;
        failures.push(error);
      }
    };
    for (const record of await this.attachments(list.name)) {
      if (valid.some(({ containerId, ifName }) => isSame(record, { containerId, ifName }))) continue;
      const { containerId, ifName, netns } = record;
      await attempt(async () => {
        await this.del(list, { containerId, ifName, netns }, signal);
        removed.push({ containerId, ifName });
      });
    }
    for (const request of planNetworkGc(list, this.options.path, valid))
      await attempt(() => this.ask(request, signal));
    const [first] = failures;
    if (first === undefined) return removed;
    const texts = failures.map((failure) => failure.message).join('; ');
    throw new CniError(first.code, `gc of network ${list.name}: ${failures.length} failed`, texts);
  }

  /** Asks every plugin whether it can serve ADD; rejects with the first that cannot. False if the list's version cannot ask. */
  async status(list: NetworkList, signal?: AbortSignal): Promise<boolean> {
    const requests = planNetworkStatus(list, this.options.path);
    for (const request of requests) await this.ask(request, signal);
    return requests.length > 0;
  }

  /** The versions each plugin of the list says it speaks, in the list's order. */
  async versions(list: NetworkList, signal?: AbortSignal): Promise<readonly PluginVersions[]> {
    const types = [...new Set(list.plugins.map((plugin) => String(plugin['type'])))];
    return Promise.all(types.map((type) => this.versionsOf(type, list.cniVersion, signal)));
  }

  /** The records of a network, or of all; those that cannot be read are passed over. */
  async attachments(network?: string): Promise<readonly CachedAttachment[]> {
    const records: CachedAttachment[] = [];
    for (const { text } of await this.options.cache.all()) {
      const record = tryDecode(text);
      if (record !== undefined && (network === undefined || record.network === network)) records.push(record);
    }
    return records;
  }

  /** The record of an attachment, undefined if there is none that can be read. */
  async record(network: string, id: AttachmentId): Promise<CachedAttachment | undefined> {
    requireId(id);
    const text = await this.options.cache.load(cachePath(network, id));
    return text === undefined ? undefined : tryDecode(text);
  }

  private async result(list: NetworkList, id: AttachmentId): Promise<JsonObject | undefined> {
    const text = await this.options.cache.load(cachePath(list.name, id));
    return text === undefined ? undefined : decodeCachedResult(text, list.cniVersion);
  }

  private parameters(wish: AttachmentWish, record?: CachedAttachment): AttachmentParameters {
    const args = wish.args ?? record?.cniArgs ?? [];
    return {
      containerId: wish.containerId,
      ifName: wish.ifName,
      netns: wish.netns,
      args: encodeCniArgs(args),
      path: this.options.path,
      capabilityArgs: wish.capabilityArgs ?? record?.capabilityArgs ?? {},
    };
  }

  private async ask(request: PluginRequest, signal?: AbortSignal): Promise<void> {
    try {
      await executePlugin(this.options.exec, request, signal);
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      const msg = `plugin ${request.type} failed (${request.environment.command}): ${error.msg}`;
      throw new CniError(error.code, msg, error.details, { cause: error });
    }
  }

  private async versionsOf(type: string, cniVersion: string, signal?: AbortSignal): Promise<PluginVersions> {
    // Plugins of early releases demand variables that VERSION does not need.
    const dummy = { containerId: 'dummy', netns: 'dummy', ifName: 'dummy', args: '', netnsOverride: false };
    const environment = { command: 'VERSION', path: this.options.path, ...dummy } as const;
    const request = { type, environment, request: { cniVersion } };
    const reply = await executePlugin(this.options.exec, request, signal);
    const versions = isJsonObject(reply) ? reply['supportedVersions'] : undefined;
    if (Array.isArray(versions) && versions.every((version) => typeof version === 'string'))
      return { type, versions, isUsable: versions.includes(cniVersion) };
    throw new CniError(
      CNI_ERROR.decodingFailure,
      `plugin ${type} failed (VERSION): it lists no supportedVersions`,
    );
  }
}

/** What a plugin answers to VERSION. */
export interface PluginVersions {
  readonly type: string;
  readonly versions: readonly string[];
  /** The network's version is one of them. */
  readonly isUsable: boolean;
}

/** A record's path is made of these: throws CniError 3 or 4 where they are no names. */
function requireId({ containerId, ifName }: AttachmentId): void {
  const error = checkContainerId(containerId) ?? checkInterfaceName(ifName);
  if (error) throw error;
}

function isSame(a: AttachmentId, b: AttachmentId): boolean {
  return a.containerId === b.containerId && a.ifName === b.ifName;
}

function tryDecode(text: string): CachedAttachment | undefined {
  try {
    return decodeCachedAttachment(text);
  } catch {
    return undefined;
  }
}
