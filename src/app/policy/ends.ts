/** The ends of a flow as people write them: `shop/web`, `10.0.0.7`, `shop/db:5432/tcp`, `[fd00::1]:53/udp`, `shop/db/icmp`. */
import { canonicalIp, familyOf, type IpAddress, type IpFamily, prefixParts } from '#base/ip/index.ts';
import {
  type Flow,
  type Member,
  type PolicyGraph,
  PROTOCOLS,
  type Protocol,
  podKey,
} from '#core/policy/index.ts';
import { PolicyUsageError } from './objects.ts';

/** A pod with its addresses, or an address that may be anybody's. */
export interface End {
  readonly text: string;
  readonly member?: Member;
  readonly addresses: readonly IpAddress[];
}

/** What is sent to the destination. */
export interface Target {
  readonly end: End;
  readonly protocol: Protocol;
  readonly port?: number;
}

const WITH_PORT = { tcp: PROTOCOLS.tcp, udp: PROTOCOLS.udp, sctp: PROTOCOLS.sctp } as const;
/** Where connections come from when nobody says: above the ports that services have. */
const SOURCE_PORT = 50_000;
/** Echo requests. */
const ECHO: Readonly<Record<IpFamily, { readonly type: number; readonly code: number }>> = {
  4: { type: 8, code: 0 },
  6: { type: 128, code: 0 },
};

/** Throws PolicyUsageError for a pod that is not there, or what is neither a pod nor an address. */
export function parseEnd(text: string, graph: PolicyGraph): End {
  const bare = text.replace(/^\[(.*)\]$/, '$1');
  const address = canonicalIp(bare);
  if (address !== undefined) return { text: address, addresses: [address] };
  const [, namespace = 'default', name] = /^(?:([^/:\s]+)\/)?([^/:\s]+)$/.exec(bare) ?? [];
  if (name === undefined)
    throw new PolicyUsageError(`${JSON.stringify(text)} is neither NAMESPACE/POD nor an address`);
  const member = graph.members.entries.get(podKey(namespace, name))?.member;
  if (member === undefined)
    throw new PolicyUsageError(
      `there is no pod ${namespace}/${name} in the network: it is not there, has ended, or is in the host's network`,
    );
  const addresses = member.nets.map((net) => prefixParts(net).address);
  if (addresses.length === 0) throw new PolicyUsageError(`pod ${namespace}/${name} has no address yet`);
  return { text: `${namespace}/${name}`, member, addresses };
}

/** Throws PolicyUsageError, as parseEnd does, and for a port or protocol that is none. */
export function parseTarget(text: string, graph: PolicyGraph): Target {
  const [, ping] = /^(.*)\/icmp$/.exec(text) ?? [];
  if (ping !== undefined) return { end: parseEnd(ping, graph), protocol: PROTOCOLS.icmp };
  const [, place, label, word = 'tcp'] = /^(.+):([^:/\s]+)(?:\/(\w+))?$/.exec(text) ?? [];
  const protocol = WITH_PORT[word as keyof typeof WITH_PORT];
  if (place === undefined || label === undefined || protocol === undefined)
    throw new PolicyUsageError(
      `${JSON.stringify(text)} is no destination: NAMESPACE/POD:PORT/PROTOCOL with tcp, udp or sctp, or NAMESPACE/POD/icmp; addresses of IPv6 in brackets`,
    );
  const end = parseEnd(place, graph);
  const named = end.member?.ports.find((each) => each.name === label && each.protocol === protocol)?.port;
  const port = named ?? Number(label);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new PolicyUsageError(
      `${JSON.stringify(label)} is no port, and ${end.text} has none of that name for ${word}`,
    );
  return { end, protocol, port };
}

/** One flow for each family that both ends have. Throws PolicyUsageError if there is none. */
export function flowsBetween(source: End, { end, protocol, port }: Target): Flow[] {
  const flows = ([4, 6] as const).flatMap((family): Flow[] => {
    const [from, to] = [source, end].map(({ addresses }) =>
      addresses.find((each) => familyOf(each) === family),
    );
    if (from === undefined || to === undefined) return [];
    const ends = { source: from, destination: to };
    if (protocol === PROTOCOLS.icmp)
      return [{ ...ends, protocol: family === 4 ? PROTOCOLS.icmp : PROTOCOLS.icmpv6, icmp: ECHO[family] }];
    return [
      { ...ends, protocol, sourcePort: SOURCE_PORT, ...(port !== undefined && { destinationPort: port }) },
    ];
  });
  if (flows.length === 0)
    throw new PolicyUsageError(`${source.text} and ${end.text} have no family of addresses in common`);
  return flows;
}
