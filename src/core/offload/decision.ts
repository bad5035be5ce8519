/**
 * Whether a VXLAN device may leave inner checksums to the cards below it (feature tx-checksum-ip-generic). It saves work on every
 * packet, but goes wrong in two ways: source NAT of an outer packet does not correct the outer UDP checksum while the inner one is
 * still to be filled in (kernel), and some cards fill the inner one in wrongly (path). Facts in, a verdict with its reason out.
 */
import type { IpFamily } from '#base/ip/index.ts';
import type { FaultyDriver } from './faulty-drivers.ts';

/** What the operator wants: `auto` lets the facts decide. */
export type OffloadMode = 'auto' | 'on' | 'off';

/** What an experiment showed; `text` says what was seen, or why nothing could be. */
export type Verdict =
  | { readonly verdict: 'sound' }
  | { readonly verdict: 'broken' | 'unknown'; readonly text: string };

/** What the running kernel does to offloaded packets of one outer family where the node masquerades all it sends. */
export interface KernelFinding {
  /** With the overlay's table in place, as nodes run: outer packets bypass connection tracking. */
  readonly overlay: Verdict;
  /** Without it: outer packets meet the masquerade. Tells what would happen if somebody took the table away. */
  readonly bare: Verdict;
}

/** By outer family; a family the kernel does not have is absent. */
export type KernelFindings = Readonly<Partial<Record<IpFamily, KernelFinding>>>;

export interface OffloadFacts {
  readonly mode: OffloadMode;
  /** Of the device's outer family; absent if it was not probed. */
  readonly kernel?: KernelFinding;
  /** A card outer packets leave by whose driver is known for faults. */
  readonly suspect?: FaultyDriver & { readonly link: string };
}

/** Whether checksums are offloaded, and why. */
export interface ChecksumOffload {
  readonly offload: boolean;
  readonly reason: string;
}

/** Off only where something is known to go wrong: what is unknown stays as the kernel has it. */
export function decideChecksumOffload({ mode, kernel, suspect }: OffloadFacts): ChecksumOffload {
  if (mode !== 'auto') return { offload: mode === 'on', reason: `checksum offload is set to "${mode}"` };
  if (kernel?.overlay.verdict === 'broken')
    return { offload: false, reason: `this kernel spoils offloaded packets: ${kernel.overlay.text}` };
  if (suspect !== undefined) {
    const { driver, link, fault, source } = suspect;
    return { offload: false, reason: `link ${link} has driver ${driver}: ${fault} (${source})` };
  }
  if (kernel === undefined) return { offload: true, reason: 'nothing is known against it: not probed' };
  if (kernel.overlay.verdict === 'unknown')
    return { offload: true, reason: `nothing is known against it: ${kernel.overlay.text}` };
  if (kernel.bare.verdict !== 'broken') return { offload: true, reason: 'probed: packets arrive intact' };
  return {
    offload: true,
    reason: `probed: packets arrive intact because they bypass connection tracking; masqueraded ones would not: ${kernel.bare.text}`,
  };
}
