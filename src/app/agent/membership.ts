/**
 * The agent's way into its cluster: configuration, underlay, backend, registry, and then a member of the overlay, whose lease it makes
 * known to the host: pods' facts, subnet.env, the rules of forwarding.
 */
import type { Logger } from 'pino';
import type { LeaseFacts } from '#app/cni/index.ts';
import type { IpFamily, IpPrefix } from '#base/ip/index.ts';
import { overlayOwner } from '#core/kernel/index.ts';
import {
  enabledFamilies,
  encodeSubnetEnv,
  expiresAtMs,
  FAMILY_KEYS,
  type FamilyKey,
  familyOfKey,
  type LeaseOffer,
  type LeaseRegistry,
  type NetConf,
  type SubnetLease,
} from '#core/lease/index.ts';
import type { LocalSubnet } from '#core/overlay/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { atomicWrite } from '#io/files/index.ts';
import type { RealKernel } from '#io/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import type { OffloadKeeper } from '#io/offload/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { endTunnel } from '#io/tunnel/index.ts';
import { type Carrying, openBackend, underlayOf } from './backend.ts';
import { ForwardAccept, forwardChain } from './forward-accept.ts';
import type { HostNetworks } from './host-networks.ts';
import type { KernelLoop } from './kernel-loop.ts';
import { loopOfNetwork } from './network-loop.ts';
import { type NetworkRules, planNetworkRules } from './network-rules.ts';
import { useOf } from './network-use.ts';
import {
  describeDrift,
  findNodeAddresses,
  type NodeAddresses,
  type NodeAddressWishes,
} from './node-addresses.ts';
import { OverlayMember } from './overlay-member.ts';
import type { AgentPaths } from './paths.ts';
import { readPreviousSubnets } from './previous-subnets.ts';
import type { RegistrySource } from './registries/source.ts';
import { untilReachable } from './retry.ts';
import type { UnderlayStatus } from './status.ts';
import { takeOverFromFlannel } from './take-over.ts';

export interface MembershipOptions {
  readonly node: string;
  readonly source: RegistrySource;
  /** Which of the host's networks this is. */
  readonly network: { readonly networks: HostNetworks; readonly number: number; readonly name: string };
  readonly wishes: NodeAddressWishes;
  readonly rules: NetworkRules;
  /** Between two looks at iptables' FORWARD chain. */
  readonly forwardResyncSec: number;
  readonly wireguardKeyFile: string;
  readonly paths: AgentPaths;
  readonly kernel: RealKernel;
  readonly namespace: Namespace;
  readonly loop: KernelLoop;
  readonly offload: OffloadKeeper;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly readSysctl: (path: string) => string | undefined;
  /** What pods get of this node's lease; undefined: nothing, until told again. */
  readonly onFacts: (facts: MemberFacts | undefined) => void;
  /** The lease is in the kernel and made known on this host. */
  readonly onReady: () => void;
}

/** What this node holds, and of which network. */
export interface MemberFacts extends Omit<LeaseFacts, 'ipv6'> {
  readonly families: readonly IpFamily[];
  readonly networks: readonly IpPrefix[];
  readonly backend: string;
}

const CLOCK = { clock: systemClock, random: systemRandom };

export class Membership implements AsyncDisposable {
  private readonly options: MembershipOptions;
  private readonly resources = new AsyncDisposableStack();
  private member: OverlayMember | undefined;
  private forward: ForwardAccept | undefined;
  private underlay: NodeAddresses | undefined;
  private carrying: Carrying | undefined;
  private podMtuBytes = 0;
  /** Why this node will not become ready until its configuration is another. */
  private reason: string | undefined;

  constructor(options: MembershipOptions) {
    this.options = options;
  }

  /** Why the node cannot become ready with the configuration it has. */
  get fatal(): string | undefined {
    return this.reason;
  }

  get lease(): SubnetLease | undefined {
    return this.member?.lease;
  }

  get connected(): boolean {
    return this.member?.connected ?? false;
  }

  /** For metrics. */
  figures(): {
    readonly leases: readonly { family: IpFamily; subnet: string; expiresAtMs: number }[];
    readonly remoteLeases: number;
    readonly refusedLeases: number;
    readonly backend?: { readonly type: string; readonly link: string; readonly mtuBytes: number };
  } {
    const { member, carrying, underlay, lease } = this;
    return {
      leases: FAMILY_KEYS.flatMap((key) => {
        const subnet = lease?.[key]?.subnet;
        if (lease === undefined || subnet === undefined) return [];
        return [{ family: familyOfKey(key), subnet, expiresAtMs: expiresAtMs(lease) }];
      }),
      remoteLeases: member?.remoteCount ?? 0,
      refusedLeases: member?.refusedCount ?? 0,
      ...(carrying !== undefined &&
        underlay !== undefined && {
          backend: { type: carrying.backend.type, link: underlay.link.name, mtuBytes: this.podMtuBytes },
        }),
    };
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    const { kernel } = this.options;
    return [
      ...(this.reason === undefined ? [] : [this.reason]),
      ...(this.underlay === undefined ? [] : describeDrift(kernel.state(), this.underlay)),
      ...(this.carrying?.problemTexts?.() ?? []),
      ...(this.member?.problemTexts() ?? []),
      ...(this.forward?.problemTexts() ?? []),
    ];
  }

  /** How the underlay was chosen. */
  get underlayStatus(): UnderlayStatus | undefined {
    if (this.underlay === undefined) return undefined;
    const { link, ipv4, ipv6, reason } = this.underlay;
    return {
      link: link.name,
      ...(ipv4 !== undefined && { ipv4 }),
      ...(ipv6 !== undefined && { ipv6 }),
      reason,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resources.disposeAsync();
  }

  /** Resolves once the registry is asked for a lease; rejects on configuration that cannot work. */
  async join(): Promise<void> {
    const { source, logger, signal, wishes, kernel, node, paths } = this.options;
    const retry = { ...CLOCK, logger, signal };
    const netConf = await untilReachable('network configuration', () => source.netConf(signal), retry);
    const families = enabledFamilies(netConf).map(familyOfKey);
    const wished = (await source.wishedPublicIps?.(node, signal)) ?? {};
    const addresses = await findNodeAddresses(kernel.state(), families, {
      ...(wished.ipv4 !== undefined && { publicIp: wished.ipv4 }),
      ...(wished.ipv6 !== undefined && { publicIpv6: wished.ipv6 }),
      ...wishes,
    });
    this.underlay = addresses;
    logger.info(
      { link: addresses.link.name, ipv4: addresses.ipv4, ipv6: addresses.ipv6, reason: addresses.reason },
      'underlay',
    );
    const carrying = await this.openBackend(netConf, addresses);
    await this.claimUse(netConf, addresses, carrying);
    const previous = await readPreviousSubnets(paths);
    const request = {
      node,
      netConf,
      offer: offerOf(node, netConf, addresses, carrying),
      publicIps: addresses,
      ...(previous !== undefined && { previous }),
    };
    const registry = await source.open(request, signal);
    this.beMember(registry, netConf, addresses);
  }

  private async openBackend(netConf: NetConf, addresses: NodeAddresses): Promise<Carrying | undefined> {
    const { kernel, readSysctl, namespace, paths, wireguardKeyFile, logger, signal } = this.options;
    const own = {
      ...(addresses.localIpv4 !== undefined && { ipv4: addresses.localIpv4 }),
      ...(addresses.localIpv6 !== undefined && { ipv6: addresses.localIpv6 }),
    };
    const carrying = await openBackend(netConf, {
      ...CLOCK,
      state: kernel.state(),
      underlay: {
        ...underlayOf(kernel.state(), addresses, readSysctl),
        network: this.options.network.number,
      },
      own,
      namespace,
      tunnelSocket: paths.tunnelSocket,
      wireguardKeyFile,
      logger,
      signal,
    });
    // The process of an earlier run's backend would go on carrying packets.
    if (netConf.backend.type !== 'udp') await endTunnel(paths.tunnelSocket);
    if (typeof carrying !== 'string') {
      this.carrying = carrying;
      return carrying;
    }
    this.reason = carrying;
    logger.error({ reason: carrying }, 'backend not carried');
    return undefined;
  }

  /** Other networks of this host may use neither its addresses nor its devices. Rejects with HostNetworkError, which names the other. */
  private async claimUse(
    netConf: NetConf,
    addresses: NodeAddresses,
    carrying: Carrying | undefined,
  ): Promise<void> {
    const { node, network, paths } = this.options;
    const { networks, number, name } = network;
    const locals = FAMILY_KEYS.flatMap((key): LocalSubnet[] => {
      const [pool, publicIp] = [netConf[key], addresses[key]];
      if (pool === undefined || publicIp === undefined) return [];
      return [{ node, family: familyOfKey(key), subnet: pool.network, publicIp }];
    });
    const devices = (carrying?.backend.planLocal(locals) ?? []).flatMap((object) =>
      object.kind === 'link' ? [object.name] : [],
    );
    await networks.use(number, name, useOf(netConf, paths.subnetFile, devices));
  }

  private beMember(registry: LeaseRegistry, netConf: NetConf, addresses: NodeAddresses): void {
    const { logger, node, rules, onFacts, network } = this.options;
    const loop = loopOfNetwork(this.options.loop, network.number);
    const { carrying } = this;
    const families = enabledFamilies(netConf).map(familyOfKey);
    const mtuBytes = carrying?.backend.podMtuBytes(families) ?? 0;
    this.podMtuBytes = mtuBytes;
    const networks = FAMILY_KEYS.flatMap((key) => netConf[key]?.network ?? []);
    const facts = { families, networks, backend: netConf.backend.type };
    this.member = this.resources.use(
      new OverlayMember({
        registry,
        loop,
        logger,
        node,
        netConf,
        publicIps: addresses,
        ...carrying,
        takeOver: takeOverFromFlannel({ ...this.options, owner: overlayOwner(network.number) }),
        besides: (locals) =>
          carrying === undefined ? [] : planNetworkRules(rules, netConf, carrying.backend, locals),
        held: (locals) => onFacts(locals && { ...factsOf(node, locals, mtuBytes), ...facts }),
        inPlace: (lease) => this.makeKnown(lease, netConf, mtuBytes, addresses),
      }),
    );
    this.member.start();
  }

  /** Tells the host, and the registry where it wants to know, what this node holds. */
  private async makeKnown(
    lease: SubnetLease,
    netConf: NetConf,
    mtuBytes: number,
    addresses: NodeAddresses,
  ): Promise<void> {
    const { paths, rules, offload, source, signal, onReady } = this.options;
    const families = enabledFamilies(netConf).map(familyOfKey);
    await offload.keep(this.carrying?.backend.probedLinks(families) ?? []);
    await this.acceptForwarded(netConf);
    const subnets = { ipv4: lease.ipv4?.subnet, ipv6: lease.ipv6?.subnet };
    await atomicWrite(paths.lease, JSON.stringify(subnets));
    await atomicWrite(
      paths.subnetEnv,
      encodeSubnetEnv(netConf, lease, mtuBytes, rules.masquerade !== undefined),
    );
    onReady();
    await source.announce?.(lease, addresses, signal);
  }

  private async acceptForwarded(netConf: NetConf): Promise<void> {
    if (this.forward !== undefined) return;
    const { rules, forwardResyncSec, logger, network } = this.options;
    const networks = FAMILY_KEYS.flatMap((key) => netConf[key]?.network ?? []);
    this.forward = this.resources.use(
      new ForwardAccept({
        tool: createRuleTool(),
        chain: forwardChain(network.number),
        networks,
        isWanted: rules.forward,
        periodMs: forwardResyncSec * 1000,
        clock: systemClock,
        logger,
      }),
    );
    await this.forward.start();
  }
}

function factsOf(
  node: string,
  locals: readonly LocalSubnet[],
  overlayMtuBytes: number,
): Omit<LeaseFacts, 'ipv6'> {
  return {
    node,
    addresses: locals.map((local) => local.localIp ?? local.publicIp),
    defaultRanges: locals.map((local) => local.subnet),
    overlayMtuBytes,
  };
}

function offerOf(
  node: string,
  netConf: NetConf,
  publicIps: NodeAddresses,
  carrying: Carrying | undefined,
): LeaseOffer {
  const offer = (key: FamilyKey) => {
    const publicIp = publicIps[key];
    const told = carrying?.backend.offer(node, familyOfKey(key));
    return {
      ...(publicIp !== undefined && { publicIp }),
      ...(told !== undefined && { backendData: told }),
    };
  };
  return { backendType: netConf.backend.type, ipv4: offer('ipv4'), ipv6: offer('ipv6') };
}
