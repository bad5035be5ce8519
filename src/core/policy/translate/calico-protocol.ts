/** Protocols and ports as projectcalico.org/v3 gives them: by name, by number, or as a number in quotes. */
import { type PortMatch, PROTOCOLS, type Protocol } from '../model.ts';

const NUMBERS: Readonly<Record<string, Protocol>> = {
  TCP: PROTOCOLS.tcp,
  UDP: PROTOCOLS.udp,
  SCTP: PROTOCOLS.sctp,
  ICMP: PROTOCOLS.icmp,
  ICMPv6: PROTOCOLS.icmpv6,
  UDPLite: PROTOCOLS.udplite,
};
const BY_LOWER_CASE = new Map(Object.entries(NUMBERS).map(([name, number]) => [name.toLowerCase(), number]));
const WITH_PORTS: ReadonlySet<Protocol> = new Set([PROTOCOLS.tcp, PROTOCOLS.udp, PROTOCOLS.sctp]);

export const PROTOCOL_NAMES: readonly string[] = Object.keys(NUMBERS);

/** Whether Calico lets rules ask for ports of the protocol. */
export function hasPorts(protocol: Protocol): boolean {
  return WITH_PORTS.has(protocol);
}

/** The protocol of a name, whose case does not matter, or of a number from 1 to 255. */
export function calicoProtocol(value: string | number): Protocol | undefined {
  const number =
    typeof value === 'number' ? value : (BY_LOWER_CASE.get(value.toLowerCase()) ?? wholeNumber(value));
  return number !== undefined && Number.isInteger(number) && number >= 1 && number <= 255
    ? number
    : undefined;
}

/** `80`, `"80"`, `"80:90"` or a name. */
export function calicoPort(value: string | number): PortMatch | undefined {
  const [first, last, ...rest] = String(value).split(':');
  const [from, to] = [wholeNumber(first ?? ''), wholeNumber(last ?? first ?? '')];
  if (from !== undefined && to !== undefined && rest.length === 0)
    return from <= to && to <= 65_535 ? { from, to } : undefined;
  return typeof value === 'string' && /^[a-zA-Z0-9_.-]{1,128}$/.test(value) ? { name: value } : undefined;
}

function wholeNumber(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
