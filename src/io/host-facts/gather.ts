/** All that core/install wants to know of this host. Looks only: what it makes to try the kernel is gone when it returns. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { RuleTool } from '#core/cni/index.ts';
import type { HostFacts, InstallPlan } from '#core/install/index.ts';
import { flannelProcesses } from './flannel-process.ts';
import { linkFacts } from './host-links.ts';
import { probeKernel } from './kernel-probes.ts';
import { Places } from './places.ts';
import { ruleFacts } from './rules.ts';
import { udpSockets } from './udp-sockets.ts';

export interface GatherOptions {
  readonly plan: InstallPlan;
  /** Ports that other nodes send to. */
  readonly ports: ReadonlySet<number>;
  /** Prefix of files; `/` on a host. */
  readonly root: string;
  readonly rules: RuleTool;
  /** Told what is being looked at, for who waits. */
  readonly onStep?: (what: string) => void;
}

/** Bits of CapEff (capability.h). */
const CAPABILITIES = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21 } as const;
const SYSCTLS = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  'net/ipv6/conf/all/disable_ipv6',
  'net/ipv6/conf/default/disable_ipv6',
  'net/netfilter/nf_conntrack_max',
];
const FOLDERS = ['/run/poplin', '/var/lib/poplin', '/var/lib/cni'];

export async function gatherHostFacts(options: GatherOptions): Promise<HostFacts> {
  const { plan, ports, root, rules, onStep = () => undefined } = options;
  const places = new Places(root);
  onStep('the kernel, in a namespace of its own');
  const isRoot = process.geteuid?.() === 0;
  const probes = isRoot ? await probeKernel() : 'that takes root';
  onStep('rules of firewalls');
  const { forwardDrops, remains } = isRoot ? await ruleFacts(rules) : { forwardDrops: [], remains: [] };
  onStep('links, ports and files');
  const links = linkFacts();
  return {
    isRoot,
    release: release(),
    lackingCapabilities: isRoot ? lackingCapabilities() : [],
    probes,
    sysctls: new Map(SYSCTLS.flatMap((path) => pairOf(path))),
    bootSysctls: places.bootSysctls(),
    udpSockets: udpSockets(ports),
    ...links,
    firewalls: places.firewalls(),
    forwardDrops,
    networkd: places.networkd(),
    networkManager: places.networkManager(),
    cniFiles: places.cniFiles(plan.confDir),
    remains: [...links.remains, ...remains],
    flannelProcesses: flannelProcesses(),
    folders: isRoot ? FOLDERS.map((path) => places.folder(path)) : [],
  };
}

function lackingCapabilities(): string[] {
  const [, bits = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const held = BigInt(`0x${bits}`);
  return Object.entries(CAPABILITIES).flatMap(([name, bit]) => ((held >> BigInt(bit)) & 1n ? [] : [name]));
}

function pairOf(path: string): [string, string][] {
  const file = join('/proc/sys', path);
  return existsSync(file) ? [[path, readFileSync(file, 'utf8').trim()]] : [];
}
