/** Whether a rule is about a flow. Selectors are asked about whoever has the flow's addresses, as the sets in the kernel would be. */
import type { IpAddress } from '#base/ip/index.ts';
import type { EndMatch, Flow, IcmpMatch, PolicyRule, PortMatch } from '../model.ts';
import type { Selector } from '../selector/index.ts';
import { matchesSelector } from '../selector/index.ts';
import { isHost } from './addresses.ts';
import type { Lookups } from './elements.ts';
import type { Entry } from './entry.ts';
import type { PolicyGraph } from './graph.ts';
import { Address, isInNets } from './net-matcher.ts';

/** One end of a flow, and who is there. */
export interface FlowEnd {
  readonly address: Address;
  readonly port: number | undefined;
  /** All members whose nets the address lies in. */
  readonly members: readonly Entry[];
}

/** A flow with what is known of its ends, found out once for all rules. */
export interface KnownFlow {
  readonly flow: Flow;
  readonly source: FlowEnd;
  readonly destination: FlowEnd;
  readonly lookups: Lookups;
}

/** Throws a RangeError for an address that is none. */
export function knownFlow({ members, lookups }: PolicyGraph, flow: Flow): KnownFlow {
  const end = (text: IpAddress, port: number | undefined): FlowEnd => ({
    address: new Address(text),
    port,
    members: members.covering(text),
  });
  return {
    flow,
    source: end(flow.source, flow.sourcePort),
    destination: end(flow.destination, flow.destinationPort),
    lookups,
  };
}

export function matchesRule(rule: PolicyRule, known: KnownFlow): boolean {
  const { flow, source, destination } = known;
  return (
    (rule.protocol === undefined || rule.protocol === flow.protocol) &&
    (rule.notProtocol === undefined || rule.notProtocol !== flow.protocol) &&
    (rule.family === undefined || rule.family === source.address.family) &&
    (rule.icmp === undefined || isIcmp(rule.icmp, flow)) &&
    (rule.notIcmp === undefined || !isIcmp(rule.notIcmp, flow)) &&
    isEnd(rule.source, source, known) &&
    isEnd(rule.destination, destination, known)
  );
}

function isIcmp({ type, code }: IcmpMatch, { icmp }: Flow): boolean {
  return icmp !== undefined && icmp.type === type && (code === undefined || icmp.code === code);
}

function isEnd(match: EndMatch, end: FlowEnd, known: KnownFlow): boolean {
  const { selector, notSelector, nets, notNets, ports, notPorts } = match;
  return (
    (nets === undefined || isInNets(nets, end.address.bytes)) &&
    (notNets === undefined || !isInNets(notNets, end.address.bytes)) &&
    (ports === undefined || isOneOfPorts(ports, match, end, known.flow)) &&
    (notPorts === undefined || !isOneOfPorts(notPorts, match, end, known.flow)) &&
    (selector === undefined || isSelected(selector, end)) &&
    (notSelector === undefined || !isSelected(notSelector, end)) &&
    isLookedUp(match, end, known)
  );
}

function isSelected(selector: Selector, { members }: FlowEnd): boolean {
  return members.some((entry) => matchesSelector(selector, entry));
}

function isOneOfPorts(
  ports: readonly PortMatch[],
  { selector }: EndMatch,
  end: FlowEnd,
  flow: Flow,
): boolean {
  const { port } = end;
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

function isLookedUp({ domains, service }: EndMatch, end: FlowEnd, { flow, lookups }: KnownFlow): boolean {
  const { text: address } = end.address;
  if (domains !== undefined && !lookups.isOfDomain(domains, address)) return false;
  if (service === undefined) return true;
  if (end.port === undefined) return false;
  return lookups.isOfService(service.namespace, service.name, {
    address,
    protocol: flow.protocol,
    port: end.port,
  });
}
