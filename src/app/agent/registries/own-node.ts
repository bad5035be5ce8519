/**
 * This node's own Node object: keeps flannel's annotations there as they have to be, and says which subnets the node holds. A node
 * that is gone from the store, or has no pod cidr any more, keeps what it uses until another node has it.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import type { IpPrefix } from '#base/ip/index.ts';
import { createReconciler, type Reconciler } from '#base/work-queue.ts';
import {
  enabledFamilies,
  type FamilyKey,
  type LeaseOffer,
  leaseOf,
  type NetConf,
  type RegistryEntry,
  type SubnetLease,
} from '#core/lease/index.ts';
import {
  entryName,
  factsText,
  type NodeAnnotations,
  type NodeFacts,
  nodeFacts,
  planOwnNode,
} from '#core/lease/kube-nodes/index.ts';
import { type KubeObject, type ObjectStore, RESOURCES } from '#core/store/index.ts';

/** Between two writes: where another program writes the same annotations, the store is not to be flooded. */
const WRITE_INTERVAL_MS = 10_000;
/** How long a dispute is worth a sentence. */
const DISPUTE_MS = 600_000;

export interface OwnNodeOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly node: string;
  readonly names: NodeAnnotations;
  readonly netConf: NetConf;
  readonly offer: LeaseOffer;
  readonly onHeld: (lease: SubnetLease) => void;
  readonly onLost: (family: FamilyKey) => void;
  readonly onEntries: (entries: readonly RegistryEntry[]) => void;
  /** Another node that claims addresses of a subnet. */
  readonly claimantOf: (subnet: IpPrefix) => string | undefined;
}

export class OwnNodeKeeper implements AsyncDisposable {
  private readonly options: OwnNodeOptions;
  private readonly writes: Reconciler;
  private facts: NodeFacts | undefined;
  /** The version of the last object seen; older ones are late news. */
  private version = '';
  private isListed = false;
  private readonly using = new Map<FamilyKey, IpPrefix>();
  private entries: readonly RegistryEntry[] = [];
  private heldText = '';
  private problems: readonly string[] = [];
  private losses: readonly string[] = [];
  private writeProblem: string | undefined;
  private hasWritten = false;
  private dispute: { readonly text: string; readonly atMs: number } | undefined;

  constructor(options: OwnNodeOptions) {
    this.options = options;
    const { clock, random, logger, node } = options;
    this.writes = createReconciler({
      clock,
      random,
      minIntervalMs: WRITE_INTERVAL_MS,
      run: (signal) => this.write(signal),
      onError: (error, failures, retryInMs) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.writeProblem = `annotations of node "${node}" could not be written: ${reason}`;
        if (failures === 1) logger.warn({ err: error, retryInMs }, 'node annotations not written');
      },
    });
  }

  problemTexts(): readonly string[] {
    const isDisputed =
      this.dispute !== undefined && this.options.clock.now() - this.dispute.atMs < DISPUTE_MS;
    return [
      ...this.losses,
      ...this.problems,
      ...(this.writeProblem === undefined ? [] : [this.writeProblem]),
      ...(isDisputed && this.dispute !== undefined ? [this.dispute.text] : []),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.writes.stop();
  }

  /** From a whole list, which counts whatever its version: a store that was restored begins anew. */
  listed(object: KubeObject | undefined): void {
    this.isListed = true;
    this.version = '';
    if (object === undefined) this.gone();
    else this.changed(object);
  }

  changed(object: KubeObject): void {
    const { resourceVersion = '' } = object.metadata;
    if (isOlder(resourceVersion, this.version)) return;
    this.version = resourceVersion;
    const facts = nodeFacts(object, this.options.names);
    const before = this.facts;
    if (before !== undefined && factsText(before) === factsText(facts)) return;
    this.facts = facts;
    if (before !== undefined) this.findDispute(before, facts);
    this.settle();
  }

  gone(): void {
    this.facts = undefined;
    this.settle();
  }

  /** Another node may have been given what this one uses. */
  othersChanged(): void {
    if (this.using.size > 0) this.giveUpTaken();
  }

  private settle(): void {
    const { node, netConf, names, offer, logger } = this.options;
    const before = this.problems;
    if (this.facts === undefined) {
      this.problems = this.isListed ? [`there is no node "${node}" in the API server`] : [];
      this.giveUpTaken();
    } else {
      const plan = planOwnNode(this.facts, names, netConf, offer);
      this.problems = plan.problems;
      this.giveUpChanged(plan.records);
      this.giveUpTaken();
      const entries = enabledFamilies(netConf).flatMap((key): readonly RegistryEntry[] => {
        const record = plan.records[key];
        return record === undefined ? [] : [{ name: entryName(node, key), own: true, record }];
      });
      // Without a pod cidr in the store, what is in use stays this node's.
      if (this.facts.podCidrs.length > 0) this.tellEntries(entries);
      if (Object.keys(plan.patch).length > 0) this.writes.trigger();
      else if (enabledFamilies(netConf).every((key) => plan.records[key] !== undefined))
        this.hold(leaseOf(plan.records.ipv4, plan.records.ipv6));
    }
    for (const reason of this.problems)
      if (!before.includes(reason)) logger.warn({ reason }, 'node cannot be used as it is');
  }

  private hold(lease: SubnetLease | undefined): void {
    if (lease === undefined) return;
    this.hasWritten = true;
    const text = JSON.stringify(lease);
    if (text === this.heldText) return;
    this.heldText = text;
    this.losses = [];
    for (const key of enabledFamilies(this.options.netConf)) {
      const subnet = lease[key]?.subnet;
      if (subnet !== undefined) this.using.set(key, subnet);
    }
    this.options.logger.info({ ipv4: lease.ipv4?.subnet, ipv6: lease.ipv6?.subnet }, 'pod cidr held');
    this.options.onHeld(lease);
  }

  private giveUpChanged(records: { readonly [K in FamilyKey]?: { readonly subnet: IpPrefix } }): void {
    for (const [key, subnet] of this.using) {
      const now = records[key]?.subnet;
      if (now === undefined || now === subnet) continue;
      this.lose(
        key,
        `pod cidr ${subnet} of this node was changed to ${now}: pods that have addresses of the old one must be made anew`,
      );
    }
  }

  /** While the store says that this node has a subnet, another's claim is refused; where it does not, the other is right. */
  private giveUpTaken(): void {
    for (const [key, subnet] of this.using) {
      if (this.facts !== undefined && this.facts.podCidrs.length > 0) continue;
      const claimant = this.options.claimantOf(subnet);
      if (claimant !== undefined)
        this.lose(key, `pod cidr ${subnet} of this node is node "${claimant}"'s now`);
    }
  }

  private lose(key: FamilyKey, reason: string): void {
    const { logger, node, onLost } = this.options;
    const subnet = this.using.get(key);
    this.using.delete(key);
    this.heldText = '';
    this.losses = [...this.losses, reason];
    logger.error({ node, subnet, reason }, 'pod cidr lost');
    this.tellEntries(this.entries.filter(({ name }) => name !== entryName(node, key)));
    onLost(key);
  }

  private tellEntries(entries: readonly RegistryEntry[]): void {
    this.entries = entries;
    this.options.onEntries(entries);
  }

  private async write(signal: AbortSignal): Promise<void> {
    const { store, node, names, netConf, offer, logger } = this.options;
    if (this.facts === undefined) return;
    const { patch: annotations } = planOwnNode(this.facts, names, netConf, offer);
    if (Object.keys(annotations).length > 0) {
      const { uid } = this.facts;
      // With another node's uid the server refuses: this one was deleted, and made anew, meanwhile.
      const patch = { metadata: { ...(uid !== '' && { uid }), annotations } };
      const written = await store.patch(RESOURCES.nodes, node, 'strategic', patch, {
        subresource: 'status',
        signal,
      });
      logger.info({ annotations }, 'node annotated');
      this.hasWritten = true;
      this.writeProblem = undefined;
      this.changed(written);
    }
    this.writeProblem = undefined;
  }

  private findDispute(before: NodeFacts, after: NodeFacts): void {
    const { node, names, netConf, offer, logger, clock } = this.options;
    if (!this.hasWritten || before.uid !== after.uid) return;
    const changed = Object.keys(planOwnNode(after, names, netConf, offer).patch).find(
      (key) => before.annotations[key] !== after.annotations[key],
    );
    // An overwrite that came or went is an operator's, and calls for a new public address.
    const isOverwrite = [names.ipv4, names.ipv6].some(
      ({ publicIpOverwrite, nodePublicIp }) =>
        before.annotations[publicIpOverwrite] !== after.annotations[publicIpOverwrite] ||
        before.annotations[nodePublicIp] !== after.annotations[nodePublicIp],
    );
    if (changed === undefined || isOverwrite) return;
    const value = after.annotations[changed];
    const did = value === undefined ? 'took away' : `wrote "${value}" into`;
    const text = `another program ${did} annotation ${changed} of node "${node}": stop the flannel that still runs here, or give the machines different names`;
    this.dispute = { text, atMs: clock.now() };
    logger.warn({ reason: text }, 'node annotations disputed');
  }
}

/** Versions are compared as numbers, which the API server allows; where one is none, nothing is older. */
function isOlder(version: string, than: string): boolean {
  const isNumber = (text: string) => /^\d+$/.test(text);
  return isNumber(version) && isNumber(than) && BigInt(version) < BigInt(than);
}
