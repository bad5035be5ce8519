/**
 * All that connection tracking follows, as plain data, and the bit of a flow's mark by which policy cuts it: the entry stays, since without it
 * the next packet of an answer would be taken for the first of a new flow, with its ends exchanged.
 */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import { DecodeError } from '#core/codec/index.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { AF } from '../route/scope.ts';
import { CONNTRACK_MESSAGE, conntrackMessage, type Entry, type EntryTuple } from './entry.ts';

/** Whatever has this bit in its mark of connection tracking is dropped before established flows are accepted. */
export const FLOW_CUT_MARK = 0x0080_0000;

/** One direction of a flow. Ports, or what ICMP has in their place, as its protocol has them. */
export interface FlowTuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmp?: { readonly type: number; readonly code: number; readonly id: number };
  /** Where the two directions are not in the same zone. */
  readonly zone?: number;
}

export interface TrackedFlow {
  readonly family: IpFamily;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** As its first packet came. */
  readonly original: FlowTuple;
  /** As its answers come: whatever is translated is so here. */
  readonly reply: FlowTuple;
  readonly mark: number;
  /** IPS_*. */
  readonly status: number;
  readonly id?: number;
  readonly zone?: number;
  readonly timeoutSec?: number;
  /** TCP_CONNTRACK_*. */
  readonly tcpState?: number;
  /** Of both directions; where the kernel counts. */
  readonly packets?: bigint;
  readonly bytes?: bigint;
  /** Nanoseconds; where the kernel notes it. */
  readonly durationNs?: bigint;
}

/** Dumps all flows of both families: for one of them the kernel would look at those of the other, too. */
export function trackedFlowsRequest(): Uint8Array {
  return encodeMessage(conntrackMessage, {
    type: CONNTRACK_MESSAGE.GET,
    flags: 0,
    payload: { ...header(AF.UNSPEC), attributes: {} },
  });
}

/** The flow of an answer or an event. Throws DecodeError. */
export function decodeTrackedFlow(message: Uint8Array): TrackedFlow {
  const { family, attributes } = decodeMessage(conntrackMessage, message).payload;
  const original = tupleOf(attributes.original);
  const reply = tupleOf(attributes.reply);
  const protocol = attributes.original?.protocol?.number;
  if (original === undefined || reply === undefined || protocol === undefined)
    throw new DecodeError('a flow without addresses or protocol', 0, 'attributes');
  return {
    family: family === AF.INET6 ? 6 : 4,
    protocol,
    original,
    reply,
    mark: attributes.mark ?? 0,
    status: attributes.status ?? 0,
    ...given('id', attributes.id),
    ...given('zone', attributes.zone),
    ...given('timeoutSec', attributes.timeout),
    ...given('tcpState', attributes.protocolInfo?.tcp?.state),
    ...given('packets', sum(attributes.originalCounters?.packets, attributes.replyCounters?.packets)),
    ...given('bytes', sum(attributes.originalCounters?.bytes, attributes.replyCounters?.bytes)),
    ...given('durationNs', duration(attributes.timestamp)),
  };
}

/** Sets or clears bits of a flow's mark, the others stay. ENOENT is the answer if the flow is gone. */
export function markFlowRequest(flow: TrackedFlow, bits: number, isSet: boolean): Uint8Array {
  const { family, protocol, original, zone } = flow;
  return encodeMessage(conntrackMessage, {
    type: CONNTRACK_MESSAGE.NEW,
    flags: 0,
    payload: {
      ...header(family === 4 ? AF.INET : AF.INET6),
      attributes: {
        original: entryTuple(family, protocol, original),
        mark: isSet ? bits : 0,
        markMask: bits,
        ...given('zone', zone),
      },
    },
  });
}

function header(family: number) {
  return { family, version: 0, resourceId: 0 };
}

function tupleOf(tuple: EntryTuple | undefined): FlowTuple | undefined {
  const source = tuple?.ip?.source ?? tuple?.ip?.source6;
  const destination = tuple?.ip?.destination ?? tuple?.ip?.destination6;
  if (tuple === undefined || source === undefined || destination === undefined) return undefined;
  const { sourcePort, destinationPort, icmpId, icmpType, icmpCode, icmp6Id, icmp6Type, icmp6Code } =
    tuple.protocol ?? {};
  const [type, code, id] = [icmpType ?? icmp6Type, icmpCode ?? icmp6Code, icmpId ?? icmp6Id];
  return {
    source,
    destination,
    ...given('sourcePort', sourcePort),
    ...given('destinationPort', destinationPort),
    ...(type !== undefined && code !== undefined && id !== undefined && { icmp: { type, code, id } }),
    ...given('zone', tuple.zone),
  };
}

function entryTuple(family: IpFamily, protocol: number, tuple: FlowTuple): EntryTuple {
  const { source, destination, sourcePort, destinationPort, icmp, zone } = tuple;
  return {
    ip: family === 4 ? { source, destination } : { source6: source, destination6: destination },
    protocol: {
      number: protocol,
      ...given('sourcePort', sourcePort),
      ...given('destinationPort', destinationPort),
      ...(icmp !== undefined &&
        (family === 4
          ? { icmpId: icmp.id, icmpType: icmp.type, icmpCode: icmp.code }
          : { icmp6Id: icmp.id, icmp6Type: icmp.type, icmp6Code: icmp.code })),
    },
    ...given('zone', zone),
  };
}

function given<const K extends string, T>(name: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [P in K]?: T };
}

function sum(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  return one === undefined && other === undefined ? undefined : (one ?? 0n) + (other ?? 0n);
}

function duration(timestamp: Entry['attributes']['timestamp']): bigint | undefined {
  const { start, stop } = timestamp ?? {};
  return start === undefined || stop === undefined ? undefined : stop - start;
}
