/** All that core/install wants to know of this host. Looks only: what it makes to try the kernel is gone when it returns. */
import { readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { RuleTool } from '#core/cni/index.ts';
import {
  type HostFacts,
  type InstallPlan,
  type KernelFacts,
  portsOf,
  type Seen,
} from '#core/install/index.ts';
import { WIREGUARD_KEY_FILE, wireguardKeyProblem } from '#io/wireguard-key/index.ts';
import { Files } from './files.ts';
import { flannelProcesses } from './flannel-process.ts';
import { type LinkFacts, linkFacts } from './host-links.ts';
import { loadedModules, readKernelFacts } from './kernel-facts.ts';
import { tryKernel } from './kernel-trials.ts';
import { cniFiles, folderFacts } from './places.ts';
import { ruleFacts } from './rules.ts';
import {
  bootSysctls,
  firewalls,
  networkdLeaves,
  networkdMatches,
  unitsAtWork,
  unmanagedLinks,
} from './settings.ts';
import { hostSockets } from './sockets.ts';

export interface GatherOptions {
  readonly plan: InstallPlan;
  /** Prefix of files; `/` on a host. */
  readonly root: string;
  readonly rules: RuleTool;
  /** Things may be tried that load modules. */
  readonly mayLoadModules: boolean;
  /** A file of this program: it was made no later than the program. */
  readonly programFile: string;
  /** Told what is being looked at, for who waits. */
  readonly onStep?: (what: string) => void;
}

/** Bits of CapEff (capability.h). */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21 } as const;
const SYSCTLS = [
  'net/ipv4/ip_forward',
  'net/ipv4/conf/all/rp_filter',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/default/disable_ipv6',
  'net/netfilter/nf_conntrack_max',
  'net/netfilter/nf_conntrack_count',
  'net/bridge/bridge-nf-call-iptables',
  'net/bridge/bridge-nf-call-ip6tables',
];
const FOLDERS = ['/run/poplin', '/run/flannel', '/var/lib/poplin', '/var/lib/cni'];

export async function gatherHostFacts(options: GatherOptions): Promise<HostFacts> {
  const { plan, root, rules, onStep = () => undefined } = options;
  const files = new Files(root);
  const isRoot = process.geteuid?.() === 0;
  onStep('the kernel');
  const kernel = await kernelFacts(options, isRoot);
  onStep('rules of firewalls');
  const ruleSet = isRoot ? await ruleFacts(rules, kernel) : undefined;
  onStep('links, ports and files');
  const links = linkFacts();
  return {
    isRoot,
    lackingCapabilities: isRoot ? lackingCapabilities() : [],
    kernel,
    sysctls: sysctlsOf(links),
    bootSysctls: bootSysctls(files),
    ...links,
    sockets: hostSockets(portsOfPlan(plan)),
    rules: ruleSet,
    units: unitsAtWork(files),
    firewalls: firewalls(files),
    networkdLeaves: networkdLeaves(files),
    networkdMatches: networkdMatches(files),
    unmanagedLinks: unmanagedLinks(files),
    cniFiles: cniFiles(files, plan.confDir),
    flannelProcesses: seenFlannel(),
    folders: isRoot
      ? [...FOLDERS, plan.confDir, plan.binDir].map((path) => folderFacts(files, path))
      : undefined,
    wireguardKey: seenKey(root),
    clock: { today: dayOf(Date.now()), made: dayOf(statSync(options.programFile).mtimeMs) },
  };
}

async function kernelFacts({ root, mayLoadModules }: GatherOptions, isRoot: boolean): Promise<KernelFacts> {
  const kernel = readKernelFacts({ root, running: '/', release: release() });
  if (!isRoot) return { ...kernel, trials: new Map(), untried: 'that takes root' };
  const loadedNow = () => loadedModules('/');
  return { ...kernel, ...(await tryKernel({ kernel, mayLoad: mayLoadModules, loadedNow })) };
}

function lackingCapabilities(): string[] {
  const [, bits = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const held = BigInt(`0x${bits}`);
  return Object.entries(CAPABILITIES).flatMap(([name, bit]) => ((held >> BigInt(bit)) & 1n ? [] : [name]));
}

/** Those that are named, and the ones of each link. */
function sysctlsOf({ links }: LinkFacts): Map<string, string> {
  const ofLinks = links.flatMap(({ name }) => [
    `net/ipv4/conf/${name}/rp_filter`,
    `net/ipv6/conf/${name}/disable_ipv6`,
  ]);
  return new Map([...SYSCTLS, ...ofLinks].flatMap(pairOf));
}

function pairOf(path: string): [string, string][] {
  try {
    return [[path, readFileSync(join('/proc/sys', path), 'utf8').trim()]];
  } catch {
    return []; // the kernel has no such setting
  }
}

function portsOfPlan({ netConf, healthPort }: InstallPlan) {
  const udp = new Set(Object.values(portsOf(netConf.backend) ?? {}));
  return { udp, tcp: new Set(healthPort === undefined ? [] : [healthPort]) };
}

function seenFlannel(): Seen<readonly number[]> {
  const { here, hidden, isComplete } = flannelProcesses();
  if (here.length > 0) return { value: here };
  if (hidden.length > 0)
    return { unseen: `flanneld runs (pid ${hidden.join(', ')}), in which namespace only root sees` };
  return isComplete
    ? { value: [] }
    : { unseen: 'not all processes of the machine are shown (a container, or hidepid)' };
}

function seenKey(root: string): HostFacts['wireguardKey'] {
  try {
    return {
      value: wireguardKeyProblem(process.env['WIREGUARD_KEY_FILE'] ?? join(root, WIREGUARD_KEY_FILE)),
    };
  } catch (error) {
    return { unseen: (error as Error).message };
  }
}

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
