/**
 * CNI inside the agent: answers the calls that the plugins on disk pass on. Plans come from core/cni; host objects go through the
 * agent's kernel loop, so that they are kept as they are; pod objects are applied once. One call at a time for each attachment.
 */

import type { Logger } from 'pino';
import {
  type AddPlan,
  type Attachment,
  attachmentAlias,
  CNI_ERROR,
  type CniEnvironment,
  CniError,
  type CniResult,
  encodeError,
  encodeResult,
  HOST_LOCAL_DATA_DIR,
  INTERFACE_PLUGINS,
  type InterfacePlugin,
  type Ipam,
  type IpamChoice,
  type IpamPorts,
  type JsonObject,
  type NetworkConfig,
  type NodeFacts,
  openIpam,
  openIpamToGiveBack,
  parseCniEnvironment,
  parseHostLocalConfig,
  parseJsonObject,
  parseNetworkConfig,
  requireCommand,
  statedVersion,
  versionReply,
} from '#core/cni/index.ts';
import { CNI, type Kernel, type KernelObject, type KernelOp, plan, stateOf } from '#core/kernel/index.ts';
import type { PluginAnswer, PluginCall as WireCall } from '#io/cni/server/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import type { NamespaceId } from '#io/namespace/index.ts';
import type { AttachmentFiles } from './attachments.ts';
import { type AttachmentRecord, type HostLoop, HostSide } from './host-side.ts';
import { turnOf } from './ipam-exec.ts';

export interface CniServiceOptions {
  readonly kernel: Kernel;
  /** The namespace of `kernel`: no pod's. */
  readonly namespace: NamespaceId;
  readonly loop: HostLoop;
  readonly files: AttachmentFiles;
  readonly ipam: IpamPorts;
  /** What is so on this node now, or why no pod can be attached yet. */
  readonly facts: () => LeaseFacts | string;
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

/** What planners want to know, but for what lies in the namespaces. */
export type LeaseFacts = Omit<NodeFacts, 'host' | 'pod'>;

interface Call {
  readonly network: NetworkConfig;
  readonly environment: CniEnvironment;
}

/** Enough to take away what is there. */
const NO_LEASE: LeaseFacts = { node: '', addresses: [], defaultRanges: [], ipv6: true };

export class CniService implements Disposable {
  private readonly options: CniServiceOptions;
  private readonly host: HostSide;

  constructor(options: CniServiceOptions) {
    this.options = options;
    this.host = new HostSide({ ...options, addresses: options.ipam.addresses });
  }

  /** Wants again what was attached before a restart, as far as it is still there. */
  async restore(): Promise<void> {
    await this.host.restore();
  }

  /** Answers one call; never rejects. Where `isDue` says no when the call's turn has come, nothing is done. */
  async handle(call: WireCall, isDue: () => boolean = () => true): Promise<PluginAnswer> {
    const started = performance.now();
    let version = '1.1.0';
    try {
      const json = parseJsonObject(call.stdin === '' ? '{}' : call.stdin, 'network config');
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

  [Symbol.dispose](): void {
    this.host[Symbol.dispose]();
  }

  private dispatch(
    { plugin: name, environment: variables }: WireCall,
    json: JsonObject,
    isDue: () => boolean,
  ): Promise<string> {
    const environment = parseCniEnvironment(variables);
    if (environment.command === 'VERSION')
      return Promise.resolve(`${JSON.stringify(versionReply(statedVersion(json)))}\n`);
    const network = environment.command === 'DEL' ? parseNetworkToLeave(json) : parseNetworkConfig(json);
    requireCommand(environment.command, network.cniVersion);
    const call: Call = { network, environment };
    return this.host.turns.take(turnOf(name, attachmentPart(call)), async () => {
      if (!isDue()) return '';
      if (environment.command === 'ADD')
        return this.afterRecordedDels(name, attachmentPart(call), () => this.carryOut(name, call));
      return this.carryOut(name, call);
    });
  }

  private carryOut(name: string, call: Call): Promise<string> {
    const plugin = INTERFACE_PLUGINS.get(name);
    return plugin === undefined ? this.ipamCall(name, call) : this.pluginCall(plugin, call);
  }

  /** Carries out what was recorded of an attachment before it is made anew: later, it would take the new one. */
  private async afterRecordedDels(plugin: string, part: string, add: () => Promise<string>): Promise<string> {
    const failed: RecordedDel[] = [];
    for (const recorded of this.options.recordedDels?.() ?? []) {
      try {
        const environment = parseCniEnvironment(recorded.call.environment);
        const network = parseNetworkToLeave(parseJsonObject(recorded.call.stdin, 'network config'));
        const call: Call = { network, environment };
        if (environment.command !== 'DEL' || attachmentPart(call) !== part) continue;
        // An IPAM call may be part of an interface plugin's, whose turn it is: that has seen to its own.
        if (!INTERFACE_PLUGINS.has(plugin) && INTERFACE_PLUGINS.has(recorded.call.plugin)) continue;
        failed.push(recorded);
        await this.carryOut(recorded.call.plugin, call);
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
    const { command } = call.environment;
    if (command === 'ADD') return this.add(plugin, call);
    if (command === 'DEL') await this.del(plugin, call);
    else
      throw new CniError(
        CNI_ERROR.invalidEnvironment,
        `${plugin.type}: CNI_COMMAND ${command} is not served by this release`,
      );
    return '';
  }

  /** host-local called by itself, as somebody else's bridge does. */
  private async ipamCall(name: string, { network, environment }: Call): Promise<string> {
    if (name !== 'host-local')
      throw new CniError(CNI_ERROR.invalidEnvironment, `this agent has no plugin "${name}"`);
    const { ipam } = this.options;
    if (environment.command === 'ADD') {
      const choice = { kind: 'host-local', config: parseHostLocalConfig(network, environment.args) } as const;
      const result = await openIpam(choice, network, environment, ipam).add();
      return `${JSON.stringify(encodeResult(result, network.cniVersion))}\n`;
    }
    if (environment.command === 'DEL')
      await openIpamToGiveBack('host-local', network, environment, ipam).del();
    else
      throw new CniError(
        CNI_ERROR.invalidEnvironment,
        `host-local: CNI_COMMAND ${environment.command} is not served by this release`,
      );
    return '';
  }

  private async add(plugin: InterfacePlugin, call: Call): Promise<string> {
    const facts = this.options.facts();
    if (typeof facts === 'string') throw new CniError(CNI_ERROR.tryAgainLater, facts, 'see: poplin status');
    using pod = this.openPod(call.environment.netns);
    const prepared = plugin.prepareAdd({ ...call, facts: this.withKernel(facts, call, pod) });
    const record = attachmentRecord(call, prepared.ipam);
    const isKnown = this.host.has(record.part);
    using _attaching = this.host.begin(record);
    const ipam = openIpam(prepared.ipam, call.network, call.environment, this.options.ipam);
    const addresses = await this.addressesFor(prepared.ipam, ipam, isKnown);
    try {
      const made = prepared.plan(addresses);
      await this.attach(record, made, pod);
      return `${JSON.stringify(encodeResult(made.result, call.network.cniVersion))}\n`;
    } catch (error) {
      // An ADD that fails leaves nothing behind.
      await this.detach(plugin, call, pod).catch((cause: unknown) =>
        this.options.logger.warn({ err: cause }, 'rollback of ADD'),
      );
      await ipam
        .del()
        .then(() => this.host.drop(record.part))
        .catch((cause: unknown) => this.options.logger.warn({ err: cause }, 'rollback of ADD'));
      throw error;
    }
  }

  /** What a store that failed half-way has given is given back, unless it may be an earlier ADD's. */
  private async addressesFor(
    { kind }: IpamChoice,
    ipam: Ipam,
    isKnown: boolean,
  ): Promise<CniResult | undefined> {
    if (kind === 'none') return undefined;
    try {
      return await ipam.add();
    } catch (error) {
      const isEarliers =
        isKnown || (error instanceof CniError && error.code === CNI_ERROR.duplicateAllocation);
      if (kind === 'host-local' && !isEarliers) {
        await ipam
          .del()
          .catch((cause: unknown) => this.options.logger.warn({ err: cause }, 'rollback of ADD'));
      }
      throw error;
    }
  }

  private async attach(record: AttachmentRecord, made: AddPlan, pod: PodKernel): Promise<void> {
    const removals = made.hostRemovals.map((object): KernelOp => ({ verb: 'remove', object }));
    if (removals.length > 0) {
      this.host.withdraw(made.hostRemovals);
      await this.options.kernel.apply(removals);
    }
    if (made.sharedObjects.length + made.hostObjects.length > 0)
      failOn(await this.host.attach(record, made.sharedObjects, made.hostObjects));
    failOn(await pod.apply(podOps(made.podObjects, pod)));
  }

  private async del(plugin: InterfacePlugin, call: Call): Promise<void> {
    const { network, environment } = call;
    using pod = environment.netns === '' ? undefined : this.podToLeave(environment.netns);
    await this.detach(plugin, call, pod);
    await openIpamToGiveBack(ipamTypeOf(plugin, network), network, environment, this.options.ipam).del();
    await this.host.drop(attachmentPart(call));
  }

  private async detach(plugin: InterfacePlugin, call: Call, pod: PodKernel | undefined): Promise<void> {
    const facts = this.withKernel(NO_LEASE, call, pod);
    const { hostRemovals, podRemovals, podObjects } = plugin.planDel({ ...call, facts });
    this.host.release(attachmentPart(call));
    const gone = (failures: readonly { code: string; message: string }[]) =>
      failures.filter(({ code }) => code !== 'ENODEV');
    if (hostRemovals.length > 0) {
      const outcome = await this.options.kernel.apply(
        hostRemovals.map((object) => ({ verb: 'remove', object })),
      );
      failOn(gone(outcome.failures));
    }
    if (pod !== undefined) {
      const removals = podRemovals.map((object): KernelOp => ({ verb: 'remove', object }));
      failOn(gone(await pod.apply([...removals, ...podOps(podObjects, pod)])));
    }
  }

  private withKernel(facts: LeaseFacts, call: Call, pod: PodKernel | undefined): NodeFacts {
    const links = [...new Set([call.environment.ifName, 'lo'])].flatMap((name) => {
      const link = pod?.link(name);
      return link === undefined ? [] : [link];
    });
    return { ...facts, host: this.options.kernel.state(), pod: stateOf(links) };
  }

  /** A pod's namespace, if it is there still: a path below /proc may have become the agent's own. */
  private podToLeave(netns: string): PodKernel | undefined {
    const pod = tryOpenPod(netns);
    if (pod?.namespace.id !== this.options.namespace) return pod;
    pod?.[Symbol.dispose]();
    return undefined;
  }

  private openPod(netns: string): PodKernel {
    const pod = tryOpenPod(netns);
    if (pod === undefined)
      throw new CniError(CNI_ERROR.unknownContainer, `CNI_NETNS: no network namespace at "${netns}"`);
    if (pod.namespace.id !== this.options.namespace) return pod;
    pod[Symbol.dispose]();
    throw new CniError(
      CNI_ERROR.invalidNetworkNamespace,
      `CNI_NETNS: "${netns}" is the host's own network namespace`,
    );
  }
}

/** host-local's reservations for a network that names no folder lie below the agent's own root. */
export function rootedAddresses(addresses: IpamPorts['addresses'], folder: string): IpamPorts['addresses'] {
  return {
    withNetwork: ({ name, dataDir }, work) =>
      addresses.withNetwork({ name, dataDir: dataDir === HOST_LOCAL_DATA_DIR ? folder : dataDir }, work),
  };
}

/** What DEL needs, whatever has become of the rest: the name, and what `ipam` says if it can be read. Throws CniError 6, 7 or 1. */
function parseNetworkToLeave(json: JsonObject): NetworkConfig {
  const { prevResult: _unused, dns: _unneeded, ipam, ...rest } = json;
  const isTyped =
    typeof ipam === 'object' && ipam !== null && 'type' in ipam && typeof ipam.type === 'string';
  const readable = { ...rest, ...(isTyped && { ipam }) };
  return { ...parseNetworkConfig(readable), json };
}

function attachmentOf({ network, environment }: Call): Attachment {
  return { network: network.name, containerId: environment.containerId, ifName: environment.ifName };
}

function attachmentPart(call: Call): string {
  return attachmentAlias(attachmentOf(call));
}

function attachmentRecord(call: Call, ipam: IpamChoice): AttachmentRecord {
  const attachment = attachmentOf(call);
  const dataDir = ipam.kind === 'host-local' ? { dataDir: ipam.config.dataDir } : {};
  return { part: attachmentAlias(attachment), attachment, ...dataDir };
}

/** poplin's addresses come from host-local even where the configuration does not say so. */
function ipamTypeOf(plugin: InterfacePlugin, network: NetworkConfig): string | undefined {
  return network.ipamType ?? (plugin.type === 'poplin' ? 'host-local' : undefined);
}

/** The pod's objects as operations: what the veth's making already brought is changed, the rest is added. */
function podOps(objects: readonly KernelObject[], pod: PodKernel): KernelOp[] {
  const present = objects.flatMap((object) => {
    const link = object.kind === 'link' ? pod.link(object.name) : undefined;
    return link === undefined ? [] : [link];
  });
  const actual = stateOf(present.map((link) => ({ ...link, alias: CNI.alias })));
  return [...plan(stateOf(objects), actual, { owners: [CNI] }).ops];
}

function tryOpenPod(netns: string): PodKernel | undefined {
  try {
    return PodKernel.open(netns);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EINVAL') return undefined;
    throw error;
  }
}

function failOn(failures: readonly { message: string }[]): void {
  if (failures.length === 0) return;
  throw new CniError(CNI_ERROR.internal, failures.map((failure) => failure.message).join('; '));
}
