/** What `poplin flows` is asked for, from words to values. */
import { InvalidArgumentError } from 'commander';
import type { LineFilter } from '#core/policy/flows/index.ts';
import { PROTOCOLS, type Protocol } from '#core/policy/index.ts';

export interface FlowFlags {
  readonly from?: readonly string[];
  readonly kubeconfig?: string;
  readonly pod?: string;
  readonly namespace?: string;
  readonly verdict?: 'allow' | 'deny';
  readonly port?: number;
  readonly protocol?: readonly Protocol[];
  readonly ended?: boolean;
  readonly json?: boolean;
  readonly count?: number;
  /** Seconds. */
  readonly for?: number;
}

export function filterOf({ pod, namespace, verdict, port, protocol }: FlowFlags): LineFilter {
  return {
    ...(pod !== undefined && { pod }),
    ...(namespace !== undefined && { namespace }),
    ...(verdict !== undefined && { verdict }),
    ...(port !== undefined && { port }),
    ...(protocol !== undefined && { protocols: protocol }),
  };
}

/** Throws InvalidArgumentError, as all of these do. */
export function portOf(text: string): number {
  return wholeNumber(text, 'a port', 1, 65_535);
}

export function countOf(text: string): number {
  return wholeNumber(text, 'a number of lines', 1, Number.MAX_SAFE_INTEGER);
}

export function secondsOf(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > MOST_SECONDS)
    throw new InvalidArgumentError(`"${text}" is no number of seconds above 0`);
  return value;
}

/** `icmp` is both families'. */
export function protocolsOf(text: string): readonly Protocol[] {
  if (text === 'icmp') return [PROTOCOLS.icmp, PROTOCOLS.icmpv6];
  const named: number | undefined = Object.hasOwn(PROTOCOLS, text)
    ? PROTOCOLS[text as keyof typeof PROTOCOLS]
    : undefined;
  return [
    named ?? wholeNumber(text, 'a protocol: tcp, udp, sctp, udplite, icmp, icmpv6 or a number', 0, 255),
  ];
}

/** What a timer takes: some 24 days. */
const MOST_SECONDS = 2_000_000;

function wholeNumber(text: string, what: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || value < least || value > most)
    throw new InvalidArgumentError(`"${text}" is not ${what}`);
  return value;
}
