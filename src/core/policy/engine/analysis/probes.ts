/** Which ports to ask about so that every rule of some policies gets its turn: those they speak of, and one of which none does. */
import { type NamedPort, type Policy, PROTOCOLS, type Protocol } from '../../model.ts';
import type { PolicyGraph } from '../graph.ts';
import type { Probe } from './prober.ts';

const WITH_PORTS: readonly Protocol[] = [PROTOCOLS.tcp, PROTOCOLS.udp, PROTOCOLS.sctp, PROTOCOLS.udplite];
/** Tried first for the port that no rule speaks of. */
const SOME_PORT = 47_808;

/** Both ends of each range, every number that a named port has, and for TCP a port of which no rule speaks. */
export function probesOf(graph: PolicyGraph, policies: Iterable<Policy>): Probe[] {
  const found = new Map<string, Probe>();
  const add = (probe: Probe): unknown => found.set(`${probe.protocol} ${probe.port}`, probe);
  for (const { ingress = [], egress = [] } of policies) {
    for (const { protocol, destination } of [...ingress, ...egress]) {
      if (protocol !== undefined && !WITH_PORTS.includes(protocol)) add({ protocol });
      for (const port of [...(destination.ports ?? []), ...(destination.notPorts ?? [])]) {
        const numbers = 'name' in port ? numbersOf(graph, port.name, protocol) : [port.from, port.to];
        for (const number of numbers) add({ protocol: protocol ?? PROTOCOLS.tcp, port: number });
      }
      if (protocol !== undefined && WITH_PORTS.includes(protocol)) add({ protocol, port: SOME_PORT });
    }
  }
  add({ protocol: PROTOCOLS.tcp, port: SOME_PORT });
  return [...found.values()];
}

function numbersOf(graph: PolicyGraph, name: string, protocol: Protocol | undefined): number[] {
  const isIt = (port: NamedPort): boolean => port.name === name && port.protocol === protocol;
  const ports = [...graph.members.entries.values()].flatMap(({ member }) => member.ports.filter(isIt));
  return [...new Set(ports.map(({ port }) => port))];
}
