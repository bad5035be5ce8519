/**
 * The meta plugin flannel: calls another plugin with a configuration made of its own and the node's subnet, and keeps that for DEL in
 * the file where flannel's own plugin would. A delegate of ours works inside this agent, as if the runtime had called it; somebody
 * else's program is executed (specification 1.1.0, section 4).
 */
import type { Logger } from 'pino';
import {
  CNI_ERROR,
  type CniCommand,
  type CniEnvironment,
  CniError,
  type DelegateConfig,
  decodeResult,
  delegateOfCall,
  type ExecPlugin,
  encodeResult,
  encodeSavedDelegate,
  executePlugin,
  INTERFACE_PLUGINS,
  isCniError,
  type NetworkConfig,
  parseFlannelConfig,
  parseFlannelPlaces,
  parseNetworkConfig,
  planDelegate,
  planUnsavedDelegate,
  type SavedFor,
  savedPaths,
  USUAL_INTERFACE,
} from '#core/cni/index.ts';
import { removeIfExists } from '#io/files/index.ts';
import { type Call, parseNetworkToLeave } from './call.ts';
import { findSaved, placeToSave, readSubnetFacts, savedOfNetwork, writeSaved } from './saved-delegates.ts';
import { validOf } from './upkeep.ts';

/** How delegates that are not served here are found and called. */
export interface DelegateExec {
  readonly exec: ExecPlugin;
  /** True if the file of the plugin's name in CNI_PATH is somebody else's. */
  readonly isForeign: (type: string, cniPath: string) => boolean;
}

export interface FlannelOptions extends DelegateExec {
  /** Carries out a call of an interface plugin of ours; what it prints. */
  readonly own: (type: string, call: Call) => Promise<string>;
  /** The plugin of ours that made an attachment, if one did. */
  readonly madeBy: (call: Call) => string | undefined;
  /** The plugins of ours that made attachments of a network. */
  readonly madeIn: (network: string) => ReadonlySet<string>;
  readonly logger: Logger;
}

/** What plugins answer that are older than a command. */
const UNKNOWN_COMMAND: readonly number[] = [CNI_ERROR.incompatibleVersion, CNI_ERROR.invalidEnvironment];

export class FlannelDelegation {
  private readonly options: FlannelOptions;

  constructor(options: FlannelOptions) {
    this.options = options;
  }

  /** What the plugin prints; throws CniError. */
  async carryOut(call: Call): Promise<string> {
    switch (call.environment.command) {
      case 'ADD':
        return this.add(call);
      case 'DEL':
        await this.del(call);
        return '';
      case 'CHECK':
        await this.check(call);
        return '';
      case 'STATUS':
        await this.status(call);
        return '';
      case 'GC':
        await this.gc(call);
        return '';
      case 'VERSION':
        throw new RangeError('VERSION is answered before');
    }
  }

  private async add(call: Call): Promise<string> {
    const { network, environment } = call;
    const config = parseFlannelConfig(network);
    const wanted = savedFor(call);
    const paths = savedPaths(config, wanted);
    const delegate = planDelegate(network, config, readSubnetFacts(config.subnetFile));
    const before = findSaved(paths, wanted);
    const path = before?.path ?? placeToSave(paths, wanted);
    await writeSaved(path, encodeSavedDelegate(delegate, environment.ifName));
    try {
      return await this.deliver(delegate, call);
    } catch (error) {
      await this.undoAdd(call, delegate, path, before?.text).catch((failure: unknown) =>
        this.options.logger.warn({ path, err: failure }, 'failed ADD not undone'),
      );
      throw error;
    }
  }

  /** What was attached before by the same names stays so. */
  private async undoAdd(call: Call, delegate: DelegateConfig, path: string, before?: string): Promise<void> {
    if (before !== undefined) return writeSaved(path, before);
    // A plugin of ours leaves nothing; of others that is not known.
    if (this.isForeign(delegate.type, call))
      await this.deliver(delegate, withCommand(call, 'DEL')).catch((error: unknown) => {
        if (!isNoPlugin(error)) throw error;
      });
    await removeIfExists(path);
  }

  private async del(call: Call): Promise<void> {
    const { network } = call;
    const wanted = savedFor(call);
    const saved = findSaved(savedPaths(parseFlannelPlaces(network), wanted), wanted);
    const madeBy = this.options.madeBy(call);
    if (saved?.delegate !== undefined) await this.deliver(toLeave(saved.delegate, network), call);
    else if (madeBy !== undefined) await this.deliver(planUnsavedDelegate(network, madeBy), call);
    if (saved !== undefined) await removeIfExists(saved.path);
  }

  private async check(call: Call): Promise<void> {
    const { network } = call;
    const wanted = savedFor(call);
    const { dataDir } = parseFlannelPlaces(network);
    const saved = findSaved(savedPaths({ dataDir }, wanted), wanted)?.delegate;
    if (saved === undefined)
      throw new CniError(
        CNI_ERROR.checkFailed,
        `no file of ${dataDir} holds the delegate's configuration`,
        `container ${wanted.containerId}, interface ${wanted.ifName}, network "${network.name}"; DEL and ADD write it anew`,
      );
    await this.deliver(delegateOfCall(saved, network), call);
  }

  /** Throws CniError 50 where there is no subnet, or the delegate could not serve. */
  private async status(call: Call): Promise<void> {
    const { network } = call;
    const config = parseFlannelConfig(network);
    try {
      await this.deliver(planDelegate(network, config, readSubnetFacts(config.subnetFile)), call);
    } catch (error) {
      if (!isCniError(error)) throw error;
      if (this.isForeign(config.delegate.type, call) && UNKNOWN_COMMAND.includes(error.code)) return;
      const codes: readonly number[] = [CNI_ERROR.notAvailable, CNI_ERROR.limitedConnectivity];
      if (codes.includes(error.code)) throw error;
      throw new CniError(CNI_ERROR.notAvailable, error.msg, error.details, { cause: error });
    }
  }

  /** Has every delegate of the network collect, and takes away the files of containers that are gone. Throws the first failure. */
  private async gc(call: Call): Promise<void> {
    const { network } = call;
    const valid = new Set(
      validOf(network).flatMap(({ containerId, ifName }) => [containerId, nameOf(containerId, ifName)]),
    );
    const files = savedOfNetwork(parseFlannelPlaces(network).dataDir, network.name);
    const { type } = parseFlannelConfig(network).delegate;
    const delegates = new Map<string, DelegateConfig>(
      [type, ...this.options.madeIn(network.name)].map((each) => [each, planUnsavedDelegate(network, each)]),
    );
    for (const { delegate } of files) delegates.set(delegate.type, delegate);
    const failures: unknown[] = [];
    const failed = new Set<string>();
    for (const delegate of delegates.values()) {
      await this.collect(delegateOfCall(delegate, network), call).catch((error: unknown) => {
        failures.push(error);
        failed.add(delegate.type);
      });
    }
    for (const file of files) {
      const { containerId, ifName, delegate } = file;
      // A file of flannel's own plugin tells of no interface: the container's is meant.
      const isValid = valid.has(ifName === undefined ? containerId : nameOf(containerId, ifName));
      if (isValid || failed.has(delegate.type)) continue;
      await this.forget(call, file).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  private async collect(delegate: DelegateConfig, call: Call): Promise<void> {
    const { own, madeIn } = this.options;
    const isForeign = this.isForeign(delegate.type, call);
    const network = parseNetworkConfig(delegate);
    if (isForeign && madeIn(network.name).has(delegate.type))
      await own(delegate.type, { network, environment: call.environment });
    await this.deliver(delegate, call).catch((error: unknown) => {
      const isOld = isCniError(error) && UNKNOWN_COMMAND.includes(error.code);
      if (!isForeign || !(isOld || isNoPlugin(error))) throw error;
    });
  }

  /** A container that is gone: plugins of others may know no GC, but all of them know DEL. */
  private async forget(
    call: Call,
    { containerId, ifName, path, delegate }: ReturnType<typeof savedOfNetwork>[number],
  ): Promise<void> {
    if (this.isForeign(delegate.type, call)) {
      const gone = { ...call.environment, containerId, ifName: ifName ?? USUAL_INTERFACE, netns: '' };
      await this.deliver(delegate, withCommand({ ...call, environment: gone }, 'DEL'));
    }
    await removeIfExists(path);
  }

  /** Calls the delegate; what it prints. */
  private async deliver(delegate: DelegateConfig, call: Call): Promise<string> {
    const { environment } = call;
    const { command } = environment;
    const { type } = delegate;
    const isRecorded = command !== 'ADD' && command !== 'GC' && this.options.madeBy(call) === type;
    if (isRecorded || !this.isForeign(type, call)) {
      const network = command === 'DEL' ? parseNetworkToLeave(delegate) : parseNetworkConfig(delegate);
      return this.options.own(type, { network, environment });
    }
    const answer = await executePlugin(this.options.exec, { type, environment, request: delegate });
    if (command !== 'ADD') return '';
    const { cniVersion } = call.network;
    const result = decodeResult(answer, cniVersion, `result of plugin ${type}`);
    return `${JSON.stringify(encodeResult(result, cniVersion))}\n`;
  }

  private isForeign(type: string, { environment }: Call): boolean {
    return !INTERFACE_PLUGINS.has(type) || this.options.isForeign(type, environment.path);
  }
}

function savedFor({ network, environment: { containerId, ifName } }: Call): SavedFor {
  return { containerId, network: network.name, ifName };
}

/** In no container's id there is a blank. */
function nameOf(containerId: string, ifName: string): string {
  return `${containerId} ${ifName}`;
}

function withCommand({ network, environment }: Call, command: CniCommand): Call {
  const changed: CniEnvironment = { ...environment, command };
  return { network, environment: changed };
}

/** The configuration as it was kept, with the result where both are of one version. */
function toLeave(saved: DelegateConfig, { json }: NetworkConfig): DelegateConfig {
  const { prevResult } = json;
  const isSame = json['cniVersion'] === saved['cniVersion'] && prevResult !== undefined;
  return isSame ? { ...saved, prevResult } : saved;
}

/** True for what the search in CNI_PATH says: the plugin was never run. */
function isNoPlugin(error: unknown): boolean {
  return isCniError(error) && error.msg.startsWith('failed to find plugin ');
}
