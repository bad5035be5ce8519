/**
 * ADD and DEL: plans of core/cni carried out. Host objects go through the agent's kernel loop, so that they are kept as they are; pod
 * objects are applied once. An ADD that fails leaves nothing behind.
 */
import type { Logger } from 'pino';
import {
  type AddPlan,
  CNI_ERROR,
  CniError,
  type CniResult,
  type DelPlan,
  type InterfacePlugin,
  type Ipam,
  type IpamChoice,
  type IpamPorts,
  isCniError,
  type LinkMove,
  type NodeFacts,
  openIpam,
  openIpamToGiveBack,
} from '#core/cni/index.ts';
import type { Kernel, KernelOp, Link, OpFailure } from '#core/kernel/index.ts';
import type { PodKernel } from '#io/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { attachmentPart, type Call, ipamTypeOf, partOf, recordOf } from './call.ts';
import type { AttachmentRecord, HostSide } from './host-side.ts';
import { isVeth } from './links.ts';
import { changeFiles, openPod, podOps, podState, podToLeave, readFiles, readFolders } from './pod.ts';

/** What planners want to know, but for what is read for each call. */
export type LeaseFacts = Omit<NodeFacts, 'host' | 'pod' | 'files' | 'folders' | 'defaultLink'>;

export interface AttacherOptions {
  readonly kernel: Kernel;
  /** The namespace of `kernel`: no pod's. */
  readonly namespace: Namespace;
  readonly host: HostSide;
  readonly ipam: IpamPorts;
  /** The link by which the host reaches the world. */
  readonly defaultLink: () => string | undefined;
  readonly logger: Logger;
}

/** Enough to take away what is there. */
const NO_LEASE: LeaseFacts = { node: '', addresses: [], defaultRanges: [], ipv6: true };

export class Attacher {
  private readonly options: AttacherOptions;

  constructor(options: AttacherOptions) {
    this.options = options;
  }

  /** Attaches, or does what a chained plugin does for what is attached. */
  async add(plugin: InterfacePlugin, call: Call, lease: LeaseFacts): Promise<CniResult> {
    const { host, namespace } = this.options;
    await host.departed(attachmentPart(call));
    using pod = openPod(call.environment.netns, namespace.id);
    const facts = this.factsOf(plugin, lease, call, pod);
    const prepared = plugin.prepareAdd({ ...call, facts });
    const record = recordOf(plugin, call, prepared.ipam);
    const isKnown = host.has(record.part);
    using attaching = host.begin(record);
    const ipam = openIpam(prepared.ipam, call.network, call.environment, this.options.ipam);
    const addresses = await this.addressesFor(prepared.ipam, ipam, isKnown);
    try {
      const made = prepared.plan(addresses);
      await this.attach(record, made, pod);
      attaching.done();
      return made.result;
    } catch (error) {
      await this.rollBack(plugin, call, pod, ipam);
      throw error;
    }
  }

  /** Takes away what ADD made, and all that later plugins of the chain did for it. Repeating it does no harm. */
  async del(plugin: InterfacePlugin, call: Call): Promise<void> {
    const { host, ipam: ports, namespace } = this.options;
    const part = partOf(plugin, call);
    using pod = podToLeave(call.environment.netns, namespace.id);
    if (plugin.chained === true) {
      await this.detach(plugin, call, pod);
      await host.dropNamed(part);
      return;
    }
    await host.departed(part);
    const links = await this.detach(plugin, call, pod);
    await host.dropChained(part);
    const ipam = openIpamToGiveBack(ipamTypeOf(plugin, call.network), call.network, call.environment, ports);
    if (links.length > 0) return host.depart(part, links, () => ipam.del());
    await ipam.del();
    await host.drop(part);
  }

  /** What planners are told, with what the plugin wants to know beside. */
  factsOf(plugin: InterfacePlugin, lease: LeaseFacts, call: Call, pod: PodKernel | undefined): NodeFacts {
    const wanted = plugin.wants?.(call) ?? {};
    const { kernel, defaultLink } = this.options;
    const link = wanted.defaultLink === true ? defaultLink() : undefined;
    return {
      ...lease,
      host: kernel.state(),
      pod: podState(pod, call.environment.ifName, wanted),
      files: readFiles(wanted.files),
      folders: readFolders(wanted.folders),
      ...(link !== undefined && { defaultLink: link }),
    };
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
      // Addresses of pods that are about to be gone will do.
      if (isCniError(error, CNI_ERROR.addressesExhausted) && (await this.options.host.settled()))
        return ipam.add();
      const isEarliers = isKnown || isCniError(error, CNI_ERROR.duplicateAllocation);
      if (kind !== 'delegate' && !isEarliers)
        await ipam.del().catch((cause: unknown) => this.noteRollback(cause));
      throw error;
    }
  }

  private async attach(record: AttachmentRecord, made: AddPlan, pod: PodKernel): Promise<void> {
    const { host, kernel } = this.options;
    if (made.hostRemovals.length > 0) {
      host.withdraw(made.hostRemovals);
      await kernel.apply(removalsOf(made.hostRemovals));
    }
    failOn(await host.attach(record, made.sharedObjects, made.hostObjects));
    const podLinks = (made.podLinks ?? []).map((object): KernelOp => ({ verb: 'add', object }));
    const moves = (made.movesIn ?? []).map((move) => moveOp(move, pod.namespace.path));
    if (podLinks.length + moves.length > 0) failOn((await kernel.apply([...podLinks, ...moves])).failures);
    failOn(await pod.apply(podOps(made.podRemovals ?? [], made.podObjects, pod)));
    await changeFiles(made.files);
  }

  private async rollBack(
    plugin: InterfacePlugin,
    call: Call,
    pod: PodKernel | undefined,
    ipam: Ipam,
  ): Promise<void> {
    const { host, kernel } = this.options;
    try {
      const links = await this.detach(plugin, call, pod);
      await kernel.apply(removalsOf(links));
      await ipam.del();
      await host.drop(partOf(plugin, call));
    } catch (cause) {
      this.noteRollback(cause);
    }
  }

  /**
   * Stops the attachment's packets and takes away all but the host's ends of its pairs, which are returned: they are down, alone, and
   * take long to remove.
   */
  private async detach(
    plugin: InterfacePlugin,
    call: Call,
    pod: PodKernel | undefined,
  ): Promise<readonly Link[]> {
    const { host, kernel } = this.options;
    const facts = this.factsOf(plugin, NO_LEASE, call, pod);
    const {
      hostRemovals,
      podRemovals,
      podObjects,
      movesOut = [],
      files,
    }: DelPlan = plugin.planDel({
      ...call,
      facts,
    });
    const links = hostRemovals.filter(isVeth);
    const others = hostRemovals.filter((object) => !isVeth(object));
    const ops = [...links.map(quietenOp), ...removalsOf(others)];
    if (plugin.chained !== true && links.length > 0) failOn(unlessGone((await kernel.apply(ops)).failures));
    failOn(await host.release(partOf(plugin, call)));
    if (plugin.chained === true || links.length === 0) failOn(unlessGone((await kernel.apply(ops)).failures));
    if (pod !== undefined) {
      const moves = movesOut.map((move) => moveOp(move, this.options.namespace.path));
      failOn(unlessGone(await pod.apply([...podOps(podRemovals, podObjects, pod), ...moves])));
    }
    await changeFiles(files);
    return links;
  }

  private noteRollback(cause: unknown): void {
    this.options.logger.warn({ err: cause }, 'rollback of ADD');
  }
}

function moveOp({ link, name }: LinkMove, netns: string): KernelOp {
  return { verb: 'replace', object: { ...link, name, netns }, previous: link };
}

/** The pair carries nothing once its host's end is down and in no bridge. */
function quietenOp(link: Link): KernelOp {
  return { verb: 'replace', object: { ...link, up: false, master: '' }, previous: { ...link, up: true } };
}

function removalsOf(objects: AddPlan['hostRemovals']): KernelOp[] {
  return objects.map((object) => ({ verb: 'remove', object }));
}

function unlessGone(failures: readonly OpFailure[]): OpFailure[] {
  return failures.filter(({ code }) => code !== 'ENODEV');
}

function failOn(failures: readonly { message: string }[]): void {
  if (failures.length === 0) return;
  throw new CniError(CNI_ERROR.internal, failures.map((failure) => failure.message).join('; '));
}
