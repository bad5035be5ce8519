/**
 * CNI inside the agent: answers the calls that the plugins on disk pass on, one at a time for each attachment. Which plugin, which
 * command, which turn is decided here; attacher.ts and upkeep.ts do the work.
 */

import type { Logger } from 'pino';
import {
  CNI_ERROR,
  type CniCommand,
  CniError,
  type CniResult,
  chooseOwnIpam,
  encodeError,
  encodeResult,
  FLANNEL_TYPE,
  HOST_LOCAL_DATA_DIR,
  INTERFACE_PLUGINS,
  type InterfacePlugin,
  type IpamPorts,
  isOwnIpam,
  type JsonObject,
  openIpam,
  openIpamToGiveBack,
  parseCniEnvironment,
  parseJsonObject,
  parseNetworkConfig,
  type RuleTool,
  requireCommand,
  requirePrevResult,
  statedVersion,
  versionReply,
} from '#core/cni/index.ts';
import type { Kernel } from '#core/kernel/index.ts';
import type { PluginAnswer, PluginCall as WireCall } from '#io/cni/server/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { Attacher, type LeaseFacts } from './attacher.ts';
import type { AttachmentJournal } from './attachment-journal.ts';
import { attachmentPart, type Call, parseNetworkToLeave } from './call.ts';
import type { EndpointPolicy } from './endpoint.ts';
import { type DelegateExec, FlannelDelegation, type FlannelOptions } from './flannel.ts';
import { type HostLoop, HostSide } from './host-side.ts';
import { turnOf } from './ipam-exec.ts';
import { KnownConfigs } from './known-configs.ts';
import { Upkeep, validOf } from './upkeep.ts';

export interface CniServiceOptions {
  readonly kernel: Kernel;
  /** The namespace of `kernel`: no pod's. */
  readonly namespace: Namespace;
  readonly loop: HostLoop;
  /** Closed with this. */
  readonly journal: AttachmentJournal;
  readonly ipam: IpamPorts;
  /** For delegates of meta plugins that are not ours. */
  readonly delegates: DelegateExec;
  /** For the rules of containers that the reference plugins attached. */
  readonly rules: RuleTool;
  /** The link by which the host reaches the world. */
  readonly defaultLink: () => string | undefined;
  /** What is so on this node now, or why no pod can be attached yet. */
  readonly facts: () => LeaseFacts | string;
  /** Absent where nothing decides what pods may send and receive. */
  readonly policy?: EndpointPolicy;
  /** DELs that were recorded while no agent answered: an ADD of the same attachment comes after them. */
  readonly recordedDels?: () => readonly RecordedDel[];
  readonly logger: Logger;
}

/** A DEL on disk. */
export interface RecordedDel {
  readonly call: WireCall;
  /** It need not be carried out any more. */
  forget(): void;
}

export class CniService implements AsyncDisposable {
  private readonly options: CniServiceOptions;
  private readonly configs = new KnownConfigs();
  private readonly host: HostSide;
  private readonly attacher: Attacher;
  private readonly upkeep: Upkeep;
  private readonly flannel: FlannelDelegation;
  /** The same for whoever has the attachment's turn already. */
  private readonly flannelInTurn: FlannelDelegation;

  constructor(options: CniServiceOptions) {
    this.options = options;
    this.host = new HostSide({
      ...options,
      addresses: options.ipam.addresses,
      forget: (flows) => this.attacher.forget(flows),
    });
    this.attacher = new Attacher({ ...options, host: this.host });
    this.upkeep = new Upkeep({ ...options, host: this.host, attacher: this.attacher });
    const delegation: Omit<FlannelOptions, 'own'> = {
      ...options.delegates,
      logger: options.logger,
      madeBy: (call) => this.host.records.get(attachmentPart(call))?.plugin,
      madeIn: (network) => new Set(this.host.recordsOf(network).flatMap(({ plugin }) => plugin ?? [])),
    };
    this.flannel = new FlannelDelegation({
      ...delegation,
      own: (type, call) => this.ownDelegate(type, call),
    });
    this.flannelInTurn = new FlannelDelegation({
      ...delegation,
      own: (type, call) => this.carryOut(type, call),
    });
  }

  /** Interfaces that are attached. */
  get attachmentCount(): number {
    return this.host.records.count;
  }

  /** Wants again what was attached before a restart, as far as it is still there. */
  async restore(): Promise<void> {
    await this.host.restore();
  }

  /** Gives back what pods had that are gone without anybody telling. */
  async sweep(): Promise<void> {
    await this.host.sweep();
  }

  /** Resolves when what DELs left behind is gone from the kernel, and its addresses are free. */
  async settled(): Promise<void> {
    await this.host.settled();
  }

  /** Answers one call; never rejects. Where `isDue` says no when the call's turn has come, nothing is done. */
  async handle(call: WireCall, isDue: () => boolean = () => true): Promise<PluginAnswer> {
    const started = performance.now();
    let version = '1.1.0';
    try {
      const json = this.configs.read(call.stdin === '' ? '{}' : call.stdin);
      version = statedVersion(json) || version;
      const stdout = await this.dispatch(call, json, isDue);
      const { CNI_COMMAND: command, CNI_CONTAINERID: container } = call.environment;
      const ms = Math.round((performance.now() - started) * 100) / 100;
      this.options.logger.info({ plugin: call.plugin, command, container, ms }, 'cni call');
      return { exitStatus: 0, stdout, stderr: '' };
    } catch (error) {
      this.options.logger.warn(
        { plugin: call.plugin, command: call.environment['CNI_COMMAND'], err: error },
        'cni call failed',
      );
      return { exitStatus: 1, stdout: `${JSON.stringify(encodeError(error, version))}\n`, stderr: '' };
    }
  }

  /** Waits for what DELs left behind, and leaves everything else as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.settled();
    this.host[Symbol.dispose]();
    this.attacher[Symbol.dispose]();
  }

  private dispatch(
    { plugin: name, environment: variables }: WireCall,
    json: JsonObject,
    isDue: () => boolean,
  ): Promise<string> {
    const environment = parseCniEnvironment(variables);
    const { command } = environment;
    if (command === 'VERSION')
      return Promise.resolve(`${JSON.stringify(versionReply(statedVersion(json)))}\n`);
    const network = command === 'DEL' ? parseNetworkToLeave(json) : parseNetworkConfig(json);
    requireCommand(command, network.cniVersion);
    const call: Call = { network, environment };
    if (command === 'GC' || command === 'STATUS') return this.carryOut(name, call);
    const part = attachmentPart(call);
    return this.host.turns.take(turnOf(name, part), async () => {
      if (!isDue()) return '';
      if (command !== 'ADD') return this.carryOut(name, call);
      return this.afterRecordedDels(name, part, () => this.carryOut(name, call));
    });
  }

  /** A meta plugin has a turn of its own: the attachment's is its delegate's, to take here. */
  private ownDelegate(type: string, call: Call): Promise<string> {
    const work = () => this.carryOut(type, call);
    const { command } = call.environment;
    if (command === 'GC' || command === 'STATUS') return work();
    const part = attachmentPart(call);
    return this.host.turns.take(part, () =>
      command === 'ADD' ? this.afterRecordedDels(type, part, work, FLANNEL_TYPE) : work(),
    );
  }

  private carryOut(name: string, call: Call): Promise<string> {
    if (name === FLANNEL_TYPE) return this.flannel.carryOut(call);
    const plugin = INTERFACE_PLUGINS.get(name);
    return plugin === undefined ? this.ipamCall(name, call) : this.pluginCall(plugin, call);
  }

  /** Carries out what was recorded of an attachment before it is made anew: later, it would take the new one. */
  private async afterRecordedDels(
    plugin: string,
    part: string,
    add: () => Promise<string>,
    /** The plugin that delegates to this one, and has seen to its own. */
    delegating?: string,
  ): Promise<string> {
    const failed: RecordedDel[] = [];
    for (const recorded of this.options.recordedDels?.() ?? []) {
      try {
        const environment = parseCniEnvironment(recorded.call.environment);
        const network = parseNetworkToLeave(parseJsonObject(recorded.call.stdin, 'network config'));
        const call: Call = { network, environment };
        if (environment.command !== 'DEL' || attachmentPart(call) !== part) continue;
        if (recorded.call.plugin === delegating) continue;
        // An IPAM call may be part of an interface plugin's, whose turn it is: that has seen to its own.
        if (!INTERFACE_PLUGINS.has(plugin) && INTERFACE_PLUGINS.has(recorded.call.plugin)) continue;
        failed.push(recorded);
        const isInTurn = INTERFACE_PLUGINS.has(plugin) && recorded.call.plugin === FLANNEL_TYPE;
        if (isInTurn) await this.flannelInTurn.carryOut(call);
        else await this.carryOut(recorded.call.plugin, call);
        recorded.forget();
        failed.pop();
      } catch (error) {
        this.options.logger.warn({ part, err: error }, 'recorded DEL before ADD');
      }
    }
    const answer = await add();
    for (const recorded of failed) recorded.forget();
    return answer;
  }

  private async pluginCall(plugin: InterfacePlugin, call: Call): Promise<string> {
    const { attacher, upkeep } = this;
    const { command } = call.environment;
    if (plugin.chained === true && (command === 'ADD' || command === 'CHECK'))
      requirePrevResult(call.network);
    switch (command) {
      case 'ADD':
        return printed(await attacher.add(plugin, call, this.lease(command)), call);
      case 'DEL':
        await attacher.del(plugin, call);
        return '';
      case 'CHECK':
        await upkeep.check(plugin, call, this.lease(command));
        return '';
      case 'STATUS':
        await upkeep.status(plugin, call, this.lease(command));
        return '';
      case 'GC':
        await upkeep.gc(plugin, call);
        return '';
      case 'VERSION':
        throw new RangeError('VERSION is answered before');
    }
  }

  /** What is known of this node. Without a lease pods that are there can be looked at, and taken away, but none be made. */
  private lease(command: CniCommand): LeaseFacts {
    const facts = this.options.facts();
    if (typeof facts !== 'string') return facts;
    if (command === 'CHECK') return { node: '', addresses: [], defaultRanges: [], ipv6: true };
    const code = command === 'STATUS' ? CNI_ERROR.notAvailable : CNI_ERROR.tryAgainLater;
    throw new CniError(code, facts, 'see: poplin status');
  }

  /** An IPAM plugin called by itself, as somebody else's bridge does. */
  private async ipamCall(name: string, call: Call): Promise<string> {
    if (!isOwnIpam(name))
      throw new CniError(CNI_ERROR.invalidEnvironment, `this agent has no plugin "${name}"`);
    const { network, environment } = call;
    const { ipam: ports } = this.options;
    const open = () => openIpam(chooseOwnIpam(name, network, environment.args), network, environment, ports);
    switch (environment.command) {
      case 'ADD':
        return printed(await open().add(), call);
      case 'DEL':
        await openIpamToGiveBack(name, network, environment, ports).del();
        return '';
      case 'GC':
        validOf(network);
        await openIpamToGiveBack(name, network, environment, ports).gc();
        return '';
      case 'CHECK':
        await open().check();
        return '';
      case 'STATUS':
        await open().status();
        return '';
      case 'VERSION':
        throw new RangeError('VERSION is answered before');
    }
  }
}

function printed(result: CniResult, { network }: Call): string {
  return `${JSON.stringify(encodeResult(result, network.cniVersion))}\n`;
}

/** host-local's reservations for a network that names no folder lie below the agent's own root. */
export function rootedAddresses(addresses: IpamPorts['addresses'], folder: string): IpamPorts['addresses'] {
  return {
    withNetwork: ({ name, dataDir }, work) =>
      addresses.withNetwork({ name, dataDir: dataDir === HOST_LOCAL_DATA_DIR ? folder : dataDir }, work),
  };
}
