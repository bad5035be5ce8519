/** CHECK, STATUS and GC: is an attachment as ADD left it, could another be made, and what is left of those that are gone. */
import {
  CNI_ERROR,
  CniError,
  checkAttachment,
  checkReferenceRules,
  chooseIpam,
  collectReferenceRules,
  type InterfacePlugin,
  type IpamPorts,
  linksToCollect,
  type NetworkConfig,
  openIpam,
  openIpamToGiveBack,
  type RuleTool,
} from '#core/cni/index.ts';
import type { Kernel } from '#core/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import type { Attacher, LeaseFacts } from './attacher.ts';
import { type Call, ipamTypeOf, partOf } from './call.ts';
import type { HostSide } from './host-side.ts';
import { openPod } from './pod.ts';

export interface UpkeepOptions {
  readonly kernel: Kernel;
  readonly namespace: Namespace;
  readonly host: HostSide;
  readonly attacher: Attacher;
  readonly ipam: IpamPorts;
  readonly rules: RuleTool;
}

export class Upkeep {
  private readonly options: UpkeepOptions;

  constructor(options: UpkeepOptions) {
    this.options = options;
  }

  /** Throws CniError 114 that lists all that is not as ADD left it. */
  async check(plugin: InterfacePlugin, call: Call, lease: LeaseFacts): Promise<void> {
    const { attacher, host, namespace } = this.options;
    using pod = openPod(call.environment.netns, namespace.id);
    const wholePod: InterfacePlugin = {
      ...plugin,
      wants: (wanting) => ({ ...plugin.wants?.(wanting), podState: true }),
    };
    const facts = attacher.factsOf(wholePod, lease, call, pod);
    const recorded = host.problemsOf(partOf(plugin, call));
    checkAttachment({ ...call, facts }, recorded ?? []);
    plugin.check?.({ ...call, facts }, recorded !== undefined);
    const rules = recorded === undefined ? plugin.referenceRules?.(call) : undefined;
    if (rules !== undefined) await checkReferenceRules(this.options.rules, rules);
    if (plugin.chained === true) return;
    const { network, environment } = call;
    await openIpamToGiveBack(ipamTypeOf(plugin, network), network, environment, this.options.ipam).check();
  }

  /** Throws CniError 50 where ADD could not be served. */
  async status(plugin: InterfacePlugin, call: Call, lease: LeaseFacts): Promise<void> {
    const { attacher } = this.options;
    plugin.status?.({ network: call.network, facts: attacher.factsOf(plugin, lease, call, undefined) });
    if (plugin.chained === true) return;
    await openIpam(chooseIpam(call.network, ''), call.network, call.environment, this.options.ipam).status();
  }

  /** Ends every attachment of the network that is not among the valid ones. Goes on after a failure; throws the first. */
  async gc(plugin: InterfacePlugin, call: Call): Promise<void> {
    const { network } = call;
    const { host } = this.options;
    const valid = new Set(validOf(network).map(({ containerId, ifName }) => `${containerId}/${ifName}`));
    const failures: unknown[] = [];
    const isChained = plugin.chained === true;
    const records = host.recordsOf(network.name, isChained ? plugin.type : undefined);
    for (const { part, attachment, netns = '' } of records) {
      if (valid.has(`${attachment.containerId}/${attachment.ifName}`)) continue;
      // Links in the pod are told by their alias; settings are not, and the path may lead to another pod by now.
      const environment = {
        ...call.environment,
        command: 'DEL' as const,
        ...attachment,
        netns: isChained ? '' : netns,
      };
      await this.end(plugin, { network, environment }, part).catch((error: unknown) => failures.push(error));
    }
    if (plugin.chained !== true)
      await this.collectRest(plugin, call).catch((error: unknown) => failures.push(error));
    await this.collectOthers(plugin, call).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  private async end(plugin: InterfacePlugin, call: Call, part: string): Promise<void> {
    await this.options.host.turns.take(part, () => this.options.attacher.del(plugin, call));
  }

  /** Rules that the reference plugin made for containers of the network that are not valid, and not ours. */
  private async collectOthers(plugin: InterfacePlugin, call: Call): Promise<void> {
    const { network } = call;
    const rules = plugin.referenceRules?.(call);
    if (rules === undefined) return;
    const records = this.options.host.recordsOf(network.name).map(({ attachment }) => attachment);
    const valid = validOf(network).map((each) => ({ ...each, network: network.name }));
    await collectReferenceRules(this.options.rules, rules, [...valid, ...records]);
  }

  /** Links without a record, and addresses without an attachment. */
  private async collectRest(plugin: InterfacePlugin, { network, environment }: Call): Promise<void> {
    const { host, kernel, ipam } = this.options;
    await host.settled();
    const links = linksToCollect(network, kernel.state());
    if (links.length > 0) await kernel.apply(links.map((object) => ({ verb: 'remove', object })));
    await openIpamToGiveBack(ipamTypeOf(plugin, network), network, environment, ipam).gc();
    await host.tidyBridges();
  }
}

/** Throws CniError 7 if the runtime does not say which attachments are valid: all would be ended. */
export function validOf(network: NetworkConfig): NonNullable<NetworkConfig['validAttachments']> {
  if (network.validAttachments !== undefined) return network.validAttachments;
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'required "cni.dev/valid-attachments" missing',
    'GC ends every attachment that is not among them',
  );
}
