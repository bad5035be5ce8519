/** Whether a rule is about a flow. Selectors are asked about whoever has the flow's addresses, as the sets in the kernel would be. */
import type { IpAddress } from '#base/ip/index.ts';
import type { EndMatch, Flow, IcmpMatch, PolicyRule, PortMatch } from '../model.ts';
import type { Selector } from '../selector/index.ts';
import { matchesSelector } from '../selector/index.ts';
import { isHost } from './addresses.ts';
import type { Entry } from './entry.ts';
import type { PolicyGraph } from './graph.ts';
import { Address, isInNets } from './net-matcher.ts';

/** One end of a flow, and who is there. */
export interface FlowEnd {
  readonly address: Address;
  /** All members whose nets the address lies in. */
  readonly members: readonly Entry[];
  /** The pod whose address it is. */
  readonly pod: Entry | undefined;
  /** The node whose own address it is; undefined if it is a pod's. */
  readonly host: string | undefined;
  /** The node that the pod is on, or that it is. */
  readonly node: string | undefined;
}

/** A flow with what is known of its ends, found out once for all rules, and for all flows between the two. */
export interface KnownFlow {
  readonly graph: PolicyGraph;
  readonly flow: Flow;
  /** It is there already: names stand for what they stood for when it began, too. */
  readonly hasBegun?: boolean;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
}

/** Who is at an address. Throws a RangeError if it is none. */
export function flowEnd({ members }: PolicyGraph, text: IpAddress): FlowEnd {
  const address = new Address(text);
  const here = members.covering(text);
  const pod = members.at(text).find(({ member }) => member.kind === 'pod');
  const host = here.find(({ member: { kind } }) => kind === 'node' || kind === 'host-endpoint');
  const node = (pod ?? host)?.member.node;
  return { address, members: here, pod, host: pod === undefined ? node : undefined, node };
}

/** Throws a RangeError for an address that is none. */
export function knownFlow(graph: PolicyGraph, flow: Flow): KnownFlow {
  return { graph, flow, source: flowEnd(graph, flow.source), destination: flowEnd(graph, flow.destination) };
}

export function matchesRule(rule: PolicyRule, known: KnownFlow): boolean {
  const { flow, source, destination } = known;
  return (
    (rule.protocol === undefined || rule.protocol === flow.protocol) &&
    (rule.notProtocol === undefined || rule.notProtocol !== flow.protocol) &&
    (rule.family === undefined || rule.family === source.address.family) &&
    (rule.icmp === undefined || isIcmp(rule.icmp, flow)) &&
    (rule.notIcmp === undefined || !isIcmp(rule.notIcmp, flow)) &&
    isEnd(rule.source, source, flow.sourcePort, known) &&
    isEnd(rule.destination, destination, flow.destinationPort, known) &&
    isFromService(rule.source, known) &&
    isToService(rule.destination, known)
  );
}

function isIcmp({ type, code }: IcmpMatch, { icmp }: Flow): boolean {
  return icmp !== undefined && icmp.type === type && (code === undefined || icmp.code === code);
}

function isEnd(match: EndMatch, end: FlowEnd, port: number | undefined, known: KnownFlow): boolean {
  const { selector, notSelector, nets, notNets, ports, notPorts } = match;
  return (
    (nets === undefined || isInNets(nets, end.address.bytes)) &&
    (notNets === undefined || !isInNets(notNets, end.address.bytes)) &&
    (ports === undefined || isOneOfPorts(ports, match, end, port, known.flow)) &&
    (notPorts === undefined || !isOneOfPorts(notPorts, match, end, port, known.flow)) &&
    (selector === undefined || isSelected(selector, end)) &&
    (notSelector === undefined || !isSelected(notSelector, end)) &&
    isNamed(match, end, known)
  );
}

function isSelected(selector: Selector, { members }: FlowEnd): boolean {
  return members.some((entry) => matchesSelector(selector, entry));
}

function isOneOfPorts(
  ports: readonly PortMatch[],
  { selector }: EndMatch,
  end: FlowEnd,
  port: number | undefined,
  flow: Flow,
): boolean {
  if (port === undefined) return false;
  return ports.some((each) => {
    if ('from' in each) return each.from <= port && port <= each.to;
    return end.members.some(
      (entry) =>
        entry.member.ports.some(
          (named) => named.name === each.name && named.protocol === flow.protocol && named.port === port,
        ) &&
        hasAddress(entry, end.address.text) &&
        (selector === undefined || matchesSelector(selector, entry)),
    );
  });
}

/** Whether the address is the member's own, and not only in a net of it. */
function hasAddress({ member }: Entry, address: IpAddress): boolean {
  return member.nets.some((net) => isHost(net) && net.startsWith(address) && net[address.length] === '/');
}

function isNamed({ domains }: EndMatch, { address }: FlowEnd, { graph, hasBegun }: KnownFlow): boolean {
  return domains === undefined || graph.lookups.domains.isOf(domains, address.text, hasBegun);
}

function isFromService({ service }: EndMatch, { flow, graph }: KnownFlow): boolean {
  return (
    service === undefined || graph.lookups.isAddressOfService(service.namespace, service.name, flow.source)
  );
}

function isToService({ service }: EndMatch, { flow, graph }: KnownFlow): boolean {
  if (service === undefined) return true;
  const { destination: address, protocol, destinationPort: port } = flow;
  if (port === undefined) return false;
  return graph.lookups.isPortOfService(service.namespace, service.name, { address, protocol, port });
}
