/** Ports as documents give them. */
import { type PortMatch, PROTOCOLS, type Protocol } from '../model.ts';
import { type Fields, shown } from './document.ts';

/** A protocol with some of its ports, or with all; and nothing given: any packet. */
export interface PortChoice {
  readonly protocol?: Protocol;
  readonly ports?: readonly PortMatch[];
}

/** Protocols whose packets have ports that policies may ask for, by the name that Kubernetes' documents give them. */
export const PORT_PROTOCOLS = {
  TCP: PROTOCOLS.tcp,
  UDP: PROTOCOLS.udp,
  SCTP: PROTOCOLS.sctp,
} as const;

/** The same choices, one for each protocol: what is written as a list of ports is a list in the rule, too. */
export function groupedChoices(choices: readonly PortChoice[]): PortChoice[] {
  const byProtocol = Map.groupBy(choices, ({ protocol }) => protocol);
  return [...byProtocol].map(([protocol, group]): PortChoice => {
    const isWhole = group.some(({ ports }) => ports === undefined);
    return {
      ...(protocol !== undefined && { protocol }),
      ...(!isWhole && { ports: mergedPorts(group.flatMap(({ ports = [] }) => ports)) }),
    };
  });
}

/** Fails where no port of a pod can have the name (RFC 6335 section 5.1). */
export function checkPortName(fields: Fields, name: string, key: string): void {
  if (/^(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(name)) return;
  fields.fail(`${shown(name)} is no name of a port: at most 15 of a-z, 0-9 and -, with a letter`, key);
}

/** Each once, neighbours as one range, by number and then by name: so the order in which they were written is no difference. */
export function mergedPorts(ports: readonly PortMatch[]): PortMatch[] {
  const ranges = ports.filter((port) => 'from' in port).toSorted((a, b) => a.from - b.from || a.to - b.to);
  const names = new Set(ports.filter((port) => 'name' in port).map(({ name }) => name));
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return [...merged, ...[...names].toSorted().map((name) => ({ name }))];
}
