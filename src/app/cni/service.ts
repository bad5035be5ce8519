/**
 * CNI inside the agent: answers the calls that the plugins on disk pass on. Plans come from core/cni; host objects go through the
 * agent's kernel loop, so that they are kept as they are; pod objects are applied once. One call at a time for each attachment.
 */

import type { Logger } from 'pino';
import {
  type AddPlan,
  attachmentAlias,
  CNI_ERROR,
  type CniEnvironment,
  CniError,
  encodeError,
  encodeResult,
  HOST_LOCAL_DATA_DIR,
  INTERFACE_PLUGINS,
  type InterfacePlugin,
  type IpamPorts,
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
import {
  CNI,
  type Kernel,
  type KernelObject,
  type KernelOp,
  keyOf,
  plan,
  stateOf,
} from '#core/kernel/index.ts';
import type { PluginAnswer, PluginCall as WireCall } from '#io/cni/server/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import type { AttachmentFiles } from './attachments.ts';

/** The part of the agent's kernel loop that attaching needs. */
export interface HostLoop {
  ensure(
    part: string,
    objects: readonly KernelObject[],
  ): Promise<readonly { code: string; message: string }[]>;
  want(part: string, objects: readonly KernelObject[]): void;
}

export interface CniServiceOptions {
  readonly kernel: Kernel;
  readonly loop: HostLoop;
  readonly files: AttachmentFiles;
  readonly ipam: IpamPorts;
  /** What is so on this node now; throws CniError 11 while the node has no lease yet. */
  readonly facts: () => Omit<NodeFacts, 'host' | 'pod'>;
  readonly logger: Logger;
}

interface Call {
  readonly network: NetworkConfig;
  readonly environment: CniEnvironment;
}

export class CniService implements Disposable {
  private readonly options: CniServiceOptions;
  /** The veth of each attached pod, by part. */
  private readonly parts = new Map<string, string>();
  /** Parts whose veth is being made. */
  private readonly attaching = new Set<string>();
  private readonly busy = new Map<string, Promise<unknown>>();
  private readonly subscription: Disposable;

  constructor(options: CniServiceOptions) {
    this.options = options;
    // A pod's link that vanished took its pod with it: nothing of it is wanted any more. DEL does the rest.
    this.subscription = options.kernel.watch({
      changed: () => this.forgetVanished(),
      resynced: () => this.forgetVanished(),
    });
  }

  /** Wants again what was attached before a restart, as far as it is still there. */
  restore(): void {
    const { parts, damaged } = this.options.files.load();
    for (const reason of damaged) this.options.logger.warn({ reason }, 'attachment record dropped');
    for (const { part, objects } of parts) this.remember(part, objects);
    this.forgetVanished();
  }

  /** Answers one call; never rejects. */
  async handle(call: WireCall): Promise<PluginAnswer> {
    const started = performance.now();
    let version = '1.1.0';
    try {
      const json = parseJsonObject(call.stdin === '' ? '{}' : call.stdin, 'network config');
      version = statedVersion(json) || version;
      const stdout = await this.dispatch(call, json);
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
    this.subscription[Symbol.dispose]();
  }

  private dispatch(
    { plugin: name, environment: variables }: WireCall,
    json: ReturnType<typeof parseJsonObject>,
  ): Promise<string> {
    const environment = parseCniEnvironment(variables);
    if (environment.command === 'VERSION')
      return Promise.resolve(`${JSON.stringify(versionReply(statedVersion(json)))}\n`);
    const network = parseNetworkConfig(json);
    requireCommand(environment.command, network.cniVersion);
    const call: Call = { network, environment };
    const plugin = INTERFACE_PLUGINS.get(name);
    const { containerId, ifName } = environment;
    const work = plugin === undefined ? () => this.ipamCall(name, call) : () => this.pluginCall(plugin, call);
    return this.oneAtATime(`${network.name}/${containerId}/${ifName}/${name}`, work);
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
    const choice = { kind: 'host-local', config: parseHostLocalConfig(network, environment.args) } as const;
    const { ipam } = this.options;
    if (environment.command === 'ADD') {
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
    using pod = openPod(call.environment.netns);
    const prepared = plugin.prepareAdd({ ...call, facts: this.facts(call, pod) });
    const ipam = openIpam(prepared.ipam, call.network, call.environment, this.options.ipam);
    const addresses = prepared.ipam.kind === 'none' ? undefined : await ipam.add();
    try {
      const made = prepared.plan(addresses);
      await this.attach(call, made, pod);
      return `${JSON.stringify(encodeResult(made.result, call.network.cniVersion))}\n`;
    } catch (error) {
      // An ADD that fails leaves nothing behind.
      await this.detach(plugin, call, pod).catch((cause: unknown) =>
        this.options.logger.warn({ err: cause }, 'rollback of ADD'),
      );
      await ipam.del();
      throw error;
    }
  }

  private async attach(call: Call, made: AddPlan, pod: PodKernel): Promise<void> {
    const { kernel, files, loop } = this.options;
    const removals = made.hostRemovals.map((object): KernelOp => ({ verb: 'remove', object }));
    if (removals.length > 0) await kernel.apply(removals);
    if (made.sharedObjects.length > 0) await this.ensure(sharedPart(call), made.sharedObjects);
    if (made.hostObjects.length > 0) {
      const part = attachmentPart(call);
      const stored = { part, objects: made.hostObjects };
      this.attaching.add(part);
      try {
        files.save(stored);
        failOn(await loop.ensure(part, made.hostObjects));
        this.remember(part, made.hostObjects, false);
      } finally {
        this.attaching.delete(part);
      }
    }
    failOn(await pod.apply(podOps(made.podObjects, pod)));
  }

  private async ensure(part: string, objects: readonly KernelObject[]): Promise<void> {
    failOn(await this.options.loop.ensure(part, objects));
    this.options.files.save({ part, objects });
  }

  private async del(plugin: InterfacePlugin, call: Call): Promise<void> {
    const pod = call.environment.netns === '' ? undefined : tryOpenPod(call.environment.netns);
    try {
      await this.detach(plugin, call, pod);
    } finally {
      pod?.[Symbol.dispose]();
    }
    await openIpamToGiveBack(
      ipamTypeOf(plugin, call.network),
      call.network,
      call.environment,
      this.options.ipam,
    ).del();
  }

  private async detach(plugin: InterfacePlugin, call: Call, pod: PodKernel | undefined): Promise<void> {
    const part = attachmentPart(call);
    const { hostRemovals, podRemovals, podObjects } = plugin.planDel({
      ...call,
      facts: this.facts(call, pod),
    });
    this.parts.delete(part);
    this.options.loop.want(part, []);
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
    this.options.files.remove(part);
  }

  private facts(call: Call, pod: PodKernel | undefined): NodeFacts {
    const links = [...new Set([call.environment.ifName, 'lo'])].flatMap((name) => {
      const link = pod?.link(name);
      return link === undefined ? [] : [link];
    });
    return { ...this.options.facts(), host: this.options.kernel.state(), pod: stateOf(links) };
  }

  private remember(part: string, objects: readonly KernelObject[], want = true): void {
    const link = objects.find((object) => object.kind === 'link' && object.detail.type === 'veth');
    if (link !== undefined) this.parts.set(part, keyOf(link));
    if (want) this.options.loop.want(part, objects);
  }

  private forgetVanished(): void {
    const state = this.options.kernel.state();
    for (const [part, link] of this.parts) {
      if (state.has(link) || this.attaching.has(part)) continue;
      this.parts.delete(part);
      this.options.loop.want(part, []);
      this.options.files.remove(part);
    }
  }

  /** Runs calls of one key one after the other. */
  private async oneAtATime<T>(key: string, work: () => Promise<T>): Promise<T> {
    const run = (this.busy.get(key) ?? Promise.resolve()).then(work, work);
    const settled = run.catch(() => undefined);
    this.busy.set(key, settled);
    try {
      return await run;
    } finally {
      if (this.busy.get(key) === settled) this.busy.delete(key);
    }
  }
}

/** host-local's reservations for a network that names no folder lie below the agent's own root. */
export function rootedAddresses(addresses: IpamPorts['addresses'], folder: string): IpamPorts['addresses'] {
  return {
    withNetwork: ({ name, dataDir }, work) =>
      addresses.withNetwork({ name, dataDir: dataDir === HOST_LOCAL_DATA_DIR ? folder : dataDir }, work),
  };
}

function attachmentPart({ network, environment }: Call): string {
  return attachmentAlias({
    network: network.name,
    containerId: environment.containerId,
    ifName: environment.ifName,
  });
}

function sharedPart({ network }: Call): string {
  return `${CNI.alias}:shared ${network.name}`;
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

function openPod(netns: string): PodKernel {
  const pod = tryOpenPod(netns);
  if (pod === undefined) {
    throw new CniError(CNI_ERROR.unknownContainer, `CNI_NETNS: no network namespace at "${netns}"`);
  }
  return pod;
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
