/**
 * Takes off a host what Poplin made there, or what flannel left; each step may be repeated, and what breaks off is gone on with by the next
 * call. While it works it holds the place of the agent, so that none begins.
 */
import { existsSync } from 'node:fs';
import { type AgentPaths, agentPaths, fetchStatus, HostNetworks, lockNode } from '#app/agent/index.ts';
import { AttachmentJournal, rootedAddresses, type StoredPart } from '#app/cni/index.ts';
import type { IpPrefix } from '#base/ip/index.ts';
import {
  BGP,
  CNI,
  FURTHER_NETWORKS,
  type KernelState,
  OWNERS,
  overlayOwner,
  POLICY,
} from '#core/kernel/index.ts';
import { DiskAddressStore } from '#io/cni/host-local-store/index.ts';
import { flannelProcesses } from '#io/host-facts/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { currentNamespace } from '#io/namespace/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { endTunnel } from '#io/tunnel/index.ts';
import { removeFiles, removeFlannelEnv, removeNetworkFiles, removePath, removeSubnetEnv } from './files.ts';
import { removeFlannelRules } from './flannel-rules.ts';
import { removeForwardRules } from './forward-rules.ts';
import { attachedIn, attachedLinks, planFlannelLinks, planOwn, removeObjects } from './kernel.ts';
import { CleanupRefused, messageOf, type Row } from './report.ts';

export interface CleanupOptions {
  /** Prefix of all files; `/` on a host. */
  readonly root: string;
  /** Where subnet.env is, if not at flannel's place. */
  readonly subnetFile?: string;
  /** Of several networks the one to take off; absent: all of them, CNI and policy. */
  readonly network?: string;
  /** Only says what would be done. */
  readonly isDry: boolean;
  /** Also while pods are attached, or flanneld runs. */
  readonly isForced: boolean;
  /** `too`: also what flannel left; `only`: that alone, beside an agent that may run. */
  readonly flannel?: 'too' | 'only';
}

/** What was done. Throws CleanupRefused before anything is touched. */
export async function cleanUp(options: CleanupOptions): Promise<Row[]> {
  if (process.geteuid?.() !== 0) throw new CleanupRefused('only root may: try sudo');
  const isOwn = options.flannel !== 'only';
  const scope = scopeOf(options);
  await using _place = isOwn && !options.isDry ? await agentsPlaces(scope) : undefined;
  refuseBesideFlannel(options);
  using namespace = currentNamespace();
  using kernel = RealKernel.open(namespace, { owners: OWNERS });
  const rows: Row[] = [];
  if (isOwn) rows.push(...(await removeOwn(kernel, options, scope)));
  if (options.flannel !== undefined) {
    rows.push(...(await removeObjects(kernel, planFlannelLinks(kernel.state()), options.isDry)));
    rows.push(...(await removeFlannelRules(createRuleTool(), options.isDry)));
    // Beside an agent the file is the agent's.
    if (isOwn) rows.push(...removeFlannelEnv(agentPaths(options.root, options.subnetFile), options.isDry));
  }
  return rows;
}

/** The networks to take off: their numbers and files, and whether CNI and policy go too. */
interface Scope {
  readonly networks: readonly { readonly number: number; readonly paths: AgentPaths }[];
  readonly isWhole: boolean;
  /** Of a network that goes alone, the addresses of its pods. */
  readonly prefixes: readonly IpPrefix[];
}

/** Without a name all networks that a host may have: also those whose claim is lost. */
function scopeOf({ root, network, subnetFile }: CleanupOptions): Scope {
  const claims = new HostNetworks(agentPaths(root).networks).list();
  if (network === undefined) {
    const numbers = Array.from({ length: FURTHER_NETWORKS + 1 }, (_, number) => number);
    const networks = numbers.map((number) => {
      const claim = claims.find((each) => each.number === number);
      const name = number === 0 ? undefined : (claim?.name ?? String(number));
      return {
        number,
        paths: agentPaths(root, (number === 0 ? subnetFile : undefined) ?? claim?.subnetFile, name),
      };
    });
    return { networks, isWhole: true, prefixes: [] };
  }
  const claim = claims.find(({ name }) => name === network);
  if (claim === undefined)
    throw new CleanupRefused(
      `this host is no node of a network ${network}; it is of: ${claims.map(({ name }) => name).join(', ') || 'none'}`,
    );
  const paths = agentPaths(root, subnetFile ?? claim.subnetFile, claim.number === 0 ? undefined : network);
  return { networks: [{ number: claim.number, paths }], isWhole: false, prefixes: claim.prefixes };
}

async function removeOwn(kernel: RealKernel, options: CleanupOptions, scope: Scope): Promise<Row[]> {
  const { root, isDry } = options;
  const { networks, isWhole } = scope;
  const parts = isWhole ? attachedParts(kernel, options) : [];
  if (!isWhole) refusePodsOf(kernel.state(), scope, options);
  const rows: Row[] = [];
  for (const { paths } of networks) rows.push(...(await removeTunnel(paths.tunnelSocket, isDry)));
  const owners = [
    ...networks.map(({ number }) => overlayOwner(number)),
    ...(isWhole ? [CNI, POLICY, BGP] : []),
  ];
  rows.push(...(await removeObjects(kernel, planOwn(kernel.state(), owners), isDry)));
  const numbers = networks.map(({ number }) => number);
  rows.push(...(await removeForwardRules(createRuleTool(), numbers, isDry)));
  for (const part of parts) rows.push(...(await releaseOf(part, root, isDry)));
  for (const { number, paths } of networks)
    rows.push(...(isWhole ? removeSubnetEnv(paths, isDry) : removeNetworkFiles(number, paths, isDry)));
  return isWhole ? [...rows, ...removeFiles(root, isDry)] : rows;
}

/** What is attached here. Throws CleanupRefused where pods would be cut off and nobody said that they may be. */
function attachedParts(kernel: RealKernel, { root, isDry, isForced }: CleanupOptions): readonly StoredPart[] {
  const parts = new AttachmentJournal(agentPaths(root).attachments).load().parts;
  const attached = attachedNames(parts, kernel.state());
  if (attached.length > 0 && !isForced && !isDry) {
    throw new CleanupRefused(
      `${attached.length} interfaces of pods are attached (${some(attached)}): ` +
        'remove the pods first, or cut them off with --force',
    );
  }
  return parts;
}

/**
 * Pods of a network that goes alone stay attached, for they may be in others too; but they reach nobody by its addresses any more. Throws
 * CleanupRefused where nobody said that they may be cut off.
 */
function refusePodsOf(
  state: KernelState,
  { prefixes }: Scope,
  { network, isDry, isForced }: CleanupOptions,
): void {
  if (isForced || isDry) return;
  const attached = attachedIn(state, prefixes);
  if (attached.length > 0)
    throw new CleanupRefused(
      `${attached.length} interfaces of pods have addresses of network ${network} (${some(attached)}): ` +
        'remove the pods first, or cut them off from it with --force',
    );
}

const some = (names: readonly string[]) => `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;

/** The process that carries the packets of the backend `udp`, which no agent ends. */
async function removeTunnel(socket: string, isDry: boolean): Promise<Row[]> {
  if (!existsSync(socket)) return [];
  const what = `poplin-tunnel at ${socket}`;
  if (isDry) return [{ what, done: 'would be removed' }];
  try {
    return (await endTunnel(socket)) ? [{ what, done: 'removed' }] : [];
  } catch (error) {
    return [{ what, done: 'failed', reason: messageOf(error) }];
  }
}

/** The addresses of a pod that is cut off, and the files its ADD wrote: nobody else would give them back. */
async function releaseOf(
  { attachment, dataDir, files = [] }: StoredPart,
  root: string,
  isDry: boolean,
): Promise<Row[]> {
  const rows = files.map((path) => removePath(path, isDry));
  if (dataDir === undefined) return rows;
  const store = rootedAddresses(new DiskAddressStore(), agentPaths(root).hostLocal);
  const what = (addresses: readonly string[]) => `addresses ${addresses.join(', ')} of ${attachment.network}`;
  try {
    const released = await store.withNetwork({ name: attachment.network, dataDir }, (addresses) =>
      isDry ? addresses.addressesOf(attachment) : addresses.release(attachment),
    );
    if (released.length > 0)
      rows.push({ what: what(released), done: isDry ? 'would be removed' : 'removed' });
  } catch (error) {
    rows.push({ what: what([]), done: 'failed', reason: messageOf(error) });
  }
  return rows;
}

/** Attachments by their links on the host, and those that have none by their records. */
function attachedNames(parts: readonly StoredPart[], state: KernelState): string[] {
  const recorded = parts
    .filter(({ part, leaving }) => leaving !== true && !part.includes('+'))
    .map(({ part }) => part);
  return [...new Set([...attachedLinks(state), ...recorded])];
}

/** Nobody else can be this host's agent while it is held. */
async function agentsPlaces({ networks }: Scope): Promise<AsyncDisposable> {
  await using places = new AsyncDisposableStack();
  for (const { number, paths } of networks) {
    const status = await fetchStatus(paths.statusSocket).catch(() => undefined);
    if (status !== undefined)
      throw new CleanupRefused(`an agent runs (pid ${status.pid}, ${paths.statusSocket}): stop it first`);
    try {
      places.use(await lockNode(number));
    } catch (error) {
      throw new CleanupRefused(messageOf(error), { cause: error });
    }
  }
  return places.move();
}

function refuseBesideFlannel({ flannel, isForced, isDry }: CleanupOptions): void {
  if (flannel === undefined || isForced || isDry) return;
  const [pid] = flannelProcesses().here;
  if (pid !== undefined)
    throw new CleanupRefused(`flanneld runs (pid ${pid}): stop it first, or it puts everything back`);
}
