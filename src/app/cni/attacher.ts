/**
 * ADD and DEL: plans of core/cni carried out. Host objects go through the agent's kernel loop, so that they are kept as they are; pod
 * objects are applied once. An ADD that fails leaves nothing behind.
 */
import type { Logger } from 'pino';
import { prefixParts } from '#base/ip/index.ts';
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
  type PreparedAdd,
  type RuleTool,
  removeReferenceRules,
} from '#core/cni/index.ts';
import {
  addressesIn,
  type Kernel,
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  type Link,
  type OpFailure,
} from '#core/kernel/index.ts';
import { forgetFlows } from '#io/conntrack/index.ts';
import { PodKernel } from '#io/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { attachmentPart, type Call, ipamTypeOf, partOf, recordOf } from './call.ts';
import { addressesOf, podOf } from './endpoint.ts';
import type { AttachmentRecord, HostSide } from './host-side.ts';
import { isVeth } from './links.ts';
import { changeFiles, openPod, podOps, podState, podToLeave, readFiles, readFolders } from './pod.ts';
import { baseOf } from './records.ts';
import { settle } from './settle.ts';

/** What planners want to know, but for what is read for each call. */
export type LeaseFacts = Omit<NodeFacts, 'host' | 'pod' | 'files' | 'folders' | 'defaultLink'>;

export interface AttacherOptions {
  readonly kernel: Kernel;
  /** The namespace of `kernel`: no pod's. */
  readonly namespace: Namespace;
  readonly host: HostSide;
  readonly ipam: IpamPorts;
  readonly rules: RuleTool;
  /** The link by which the host reaches the world. */
  readonly defaultLink: () => string | undefined;
  readonly logger: Logger;
}

/** Somebody who renames a link at each attempt wants it to stay. */
const RENAME_ATTEMPTS = 4;

/** Enough to take away what is there. */
const NO_LEASE: LeaseFacts = { node: '', addresses: [], defaultRanges: [], ipv6: true };

export class Attacher implements Disposable {
  private readonly options: AttacherOptions;
  /** The host's namespace beside its mirror: for what only the kernel can tell at this moment. */
  private readonly hostKernel: PodKernel;

  constructor(options: AttacherOptions) {
    this.options = options;
    this.hostKernel = PodKernel.open(options.namespace.path);
  }

  [Symbol.dispose](): void {
    this.hostKernel[Symbol.dispose]();
  }

  /** Attaches, or does what a chained plugin does for what is attached. */
  async add(plugin: InterfacePlugin, call: Call, lease: LeaseFacts): Promise<CniResult> {
    const { host, namespace } = this.options;
    await host.departed(attachmentPart(call));
    using pod = openPod(call.environment.netns, namespace.id);
    const facts = this.factsOf(plugin, lease, call, pod);
    const prepared = plugin.prepareAdd({ ...call, facts });
    const record = this.recordFor(plugin, call, prepared.ipam);
    const isKnown = host.has(record.part);
    using attaching = host.begin(record);
    const ipam = openIpam(prepared.ipam, call.network, call.environment, this.options.ipam);
    const addresses =
      ipam.needsLink === true ? undefined : await this.addressesFor(prepared.ipam, ipam, isKnown);
    try {
      if (ipam.needsLink === true) {
        const result = await this.overLink(record, prepared, ipam, pod);
        attaching.done();
        return result;
      }
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
    const isOurs = host.has(part);
    using pod = podToLeave(call.environment.netns, namespace.id);
    if (plugin.chained === true) {
      await this.detach(plugin, call, pod);
      await host.dropNamed(part);
      if (!isOurs) await this.removeOthers(plugin, call);
      return;
    }
    await host.departed(part);
    const ipam = openIpamToGiveBack(ipamTypeOf(plugin, call.network), call.network, call.environment, ports);
    if (ipam.needsLink === true) await ipam.del();
    const links = await this.detach(plugin, call, pod);
    await host.dropChained(part);
    if (!isOurs) await this.removeOthers(plugin, call);
    if (links.length === 0) {
      await ipam.del();
      await host.drop(part);
      return;
    }
    if (ipam.isDelegated !== true) return host.depart(part, links, () => ipam.del());
    host.depart(part, links, () => Promise.resolve());
    await ipam.del();
  }

  /** Takes away the rules of the reference plugin, if that is who attached the container. */
  private async removeOthers(plugin: InterfacePlugin, call: Call): Promise<void> {
    const rules = plugin.referenceRules?.(call);
    if (rules !== undefined) await removeReferenceRules(this.options.rules, rules);
  }

  /** What planners are told, with what the plugin wants to know beside. */
  factsOf(plugin: InterfacePlugin, lease: LeaseFacts, call: Call, pod: PodKernel | undefined): NodeFacts {
    const wanted = plugin.wants?.(call) ?? {};
    const { kernel, defaultLink } = this.options;
    const link = wanted.defaultLink === true ? defaultLink() : undefined;
    let found: KernelState | undefined;
    return {
      ...lease,
      host: kernel.state(),
      // Read when it is looked at: not all planners do.
      get pod() {
        found ??= podState(pod, call.environment.ifName, wanted);
        return found;
      },
      files: readFiles(wanted.files),
      folders: readFolders(wanted.folders),
      ...(link !== undefined && { defaultLink: link }),
    };
  }

  private recordFor(plugin: InterfacePlugin, call: Call, ipam: IpamChoice): AttachmentRecord {
    const { host } = this.options;
    const hostLink =
      plugin.chained === true ? host.foreignLink(attachmentPart(call), call.network.prevResult) : undefined;
    const pod = plugin.chained === true ? undefined : podOf(call.environment);
    return { ...recordOf(plugin, call, ipam), ...(pod && { pod }), ...(hostLink && { hostLink }) };
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

  /** The link first, without addresses: the IPAM plugin asks over it. */
  private async overLink(
    record: AttachmentRecord,
    prepared: PreparedAdd,
    ipam: Ipam,
    pod: PodKernel,
  ): Promise<CniResult> {
    await this.attach(record, prepared.plan(), pod);
    const made = prepared.plan(await ipam.add());
    await this.attach(record, { ...made, podLinks: [], movesIn: [] }, pod);
    return made.result;
  }

  private async attach(record: AttachmentRecord, made: AddPlan, pod: PodKernel): Promise<void> {
    const { host, kernel } = this.options;
    if (made.hostRemovals.length > 0) {
      host.withdraw(made.hostRemovals);
      await kernel.apply(removalsOf(made.hostRemovals));
    }
    const changes = (made.hostChanges ?? []).map((change): KernelOp => ({ verb: 'replace', ...change }));
    if (changes.length > 0) failOn((await kernel.apply(changes)).failures);
    const files = (made.files ?? []).flatMap(({ path, text }) => (text === undefined ? [] : [path]));
    const { staleFlows = [] } = made;
    const addresses = record.pod === undefined ? [] : addressesOf(made.result);
    const whole = {
      ...record,
      ...(addresses.length > 0 && { addresses }),
      ...(files.length > 0 && { files }),
      ...(staleFlows.length > 0 && { staleFlows }),
    };
    const newOnHost = missingOf([...made.sharedObjects, ...made.hostObjects], kernel);
    if (isWorthRecording(whole, made)) failOn(await host.attach(whole, made.sharedObjects, made.hostObjects));
    const podLinks = (made.podLinks ?? []).map((object): KernelOp => ({ verb: 'add', object }));
    const moves = (made.movesIn ?? []).map((move) => moveOp(move, pod.namespace.path));
    if (podLinks.length + moves.length > 0) failOn((await kernel.apply([...podLinks, ...moves])).failures);
    failOn(unlessRouted(await pod.apply(podOps(made.podRemovals ?? [], made.podObjects, pod))));
    await settle(this.hostKernel, made, newOnHost, pod);
    await changeFiles(made.files);
    await this.forget(staleFlows);
  }

  private async rollBack(
    plugin: InterfacePlugin,
    call: Call,
    pod: PodKernel | undefined,
    ipam: Ipam,
  ): Promise<void> {
    const { host, kernel } = this.options;
    try {
      if (ipam.needsLink === true) await ipam.del();
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
    const plan = () => plugin.planDel({ ...call, facts: this.factsOf(plugin, NO_LEASE, call, pod) });
    const planned = plugin.chained === true ? plan() : await this.quieten(plan);
    const { hostRemovals, podRemovals, podObjects, movesOut = [], files, staleFlows } = planned;
    const links = hostRemovals.filter(isVeth);
    failOn(await host.release(partOf(plugin, call)));
    const others = hostRemovals.filter((object) => !isVeth(object));
    if (others.length > 0) failOn(unlessGone((await kernel.apply(removalsOf(others))).failures));
    if (pod !== undefined) {
      const moves = movesOut.map((move) => moveOp(move, this.options.namespace.path));
      failOn(unlessGone(await pod.apply([...podOps(podRemovals, podObjects, pod), ...moves])));
    }
    await changeFiles(files);
    await this.forget(staleFlows);
    return links;
  }

  /** Sets the host's ends of the plan down; one that got another name on the way is looked for under that. */
  private async quieten(plan: () => DelPlan): Promise<DelPlan> {
    for (let attempt = 1; ; attempt++) {
      const planned = plan();
      const links = planned.hostRemovals.filter(isVeth);
      if (links.length === 0) return planned;
      const { failures } = await this.options.kernel.apply(links.map(quietenOp));
      failOn(unlessGone(failures));
      if (failures.length === 0 || attempt === RENAME_ATTEMPTS) return planned;
    }
  }

  /** Has connections to the host's ports looked at anew. The pod is as it should be without: what fails is logged. */
  async forget(flows: AddPlan['staleFlows'] = []): Promise<void> {
    if (flows.length === 0) return;
    const { kernel, logger, namespace } = this.options;
    const own = new Set<string>(['127.0.0.1', '::1']);
    for (const { address } of addressesIn(kernel.state())) own.add(prefixParts(address).address);
    try {
      const count = await forgetFlows(namespace, flows, (address) => own.has(address));
      if (count > 0) logger.debug({ count }, 'connections to mapped ports forgotten');
    } catch (error) {
      logger.warn({ err: error }, 'connections to mapped ports not forgotten');
    }
  }

  private noteRollback(cause: unknown): void {
    this.options.logger.warn({ err: cause }, 'rollback of ADD');
  }
}

/** False for what is set in the pod alone and goes with it, as loopback does: another implementation's DEL would leave the record. */
function isWorthRecording(record: AttachmentRecord, made: AddPlan): boolean {
  if (baseOf(record) !== undefined || record.dataDir !== undefined) return true;
  const { sharedObjects, hostObjects, podLinks = [], movesIn = [], files = [] } = made;
  return [sharedObjects, hostObjects, podLinks, movesIn, files].some((list) => list.length > 0);
}

function moveOp({ link, name }: LinkMove, netns: string): KernelOp {
  return { verb: 'replace', object: { ...link, name, netns }, previous: link };
}

/** The pair carries nothing once its host's end is down and in no bridge. */
function quietenOp(link: Link): KernelOp {
  return { verb: 'replace', object: { ...link, up: false, master: '' }, previous: { ...link, up: true } };
}

function missingOf(objects: readonly KernelObject[], kernel: Kernel): KernelObject[] {
  const state = kernel.state();
  return objects.filter((object) => !state.has(keyOf(object)));
}

function removalsOf(objects: AddPlan['hostRemovals']): KernelOp[] {
  return objects.map((object) => ({ verb: 'remove', object }));
}

function unlessGone(failures: readonly OpFailure[]): OpFailure[] {
  return failures.filter(({ code }) => code !== 'ENODEV' && code !== 'ENOENT');
}

/** Of several networks with a route to the same destination the first has it, as with the reference plugins. */
function unlessRouted(failures: readonly OpFailure[]): OpFailure[] {
  return failures.filter(
    ({ op, code }) => op.verb !== 'add' || op.object.kind !== 'route' || code !== 'EEXIST',
  );
}

function failOn(failures: readonly { message: string }[]): void {
  if (failures.length === 0) return;
  throw new CniError(CNI_ERROR.internal, failures.map((failure) => failure.message).join('; '));
}
