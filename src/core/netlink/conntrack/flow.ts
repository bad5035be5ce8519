/** Connections as the kernel follows them: asking for those to a port, and having one forgotten. */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { AF } from '../route/scope.ts';
import { conntrackMessage, type Entry, CONNTRACK_MESSAGE as MESSAGE } from './entry.ts';

/** CTA_FILTER_F_CTA_PROTO_NUM and CTA_FILTER_F_CTA_PROTO_DST_PORT. */
const BY_PROTOCOL_AND_PORT = (1 << 3) | (1 << 5);

/** Connections whose first packet went to a port. */
export interface FlowFilter {
  readonly family: IpFamily;
  /** IPPROTO_*. */
  readonly protocol: number;
  readonly port: number;
}

/** A connection: where its first packet went, and where its answers come from. */
export interface Flow {
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly port: number;
  readonly answeredFrom: IpAddress;
  /** Names the entry to the kernel. */
  readonly entry: Entry;
}

/** Dumps what a filter lets through; older kernels send all there is, so that the answers are to be compared again. */
export function flowsRequest({ family, protocol, port }: FlowFilter): Uint8Array {
  return encodeMessage(conntrackMessage, {
    type: MESSAGE.GET,
    flags: 0,
    payload: {
      family: family === 4 ? AF.INET : AF.INET6,
      version: 0,
      resourceId: 0,
      attributes: {
        original: { protocol: { number: protocol, destinationPort: port } },
        filter: { original: BY_PROTOCOL_AND_PORT },
      },
    },
  });
}

/** The connection of an answer; undefined for what has no ports or no addresses. Throws DecodeError. */
export function decodeFlow(message: Uint8Array): Flow | undefined {
  const entry = decodeMessage(conntrackMessage, message).payload;
  const { original, reply } = entry.attributes;
  const destination = original?.ip?.destination ?? original?.ip?.destination6;
  const answeredFrom = reply?.ip?.source ?? reply?.ip?.source6;
  const { number: protocol, destinationPort: port } = original?.protocol ?? {};
  if (destination === undefined || answeredFrom === undefined) return undefined;
  if (protocol === undefined || port === undefined) return undefined;
  return { destination, protocol, port, answeredFrom, entry };
}

/** ENOENT is the answer if the connection is gone, or is another of the same addresses by now. */
export function deleteFlowRequest({ entry }: Flow): Uint8Array {
  const { original, id, zone } = entry.attributes;
  return encodeMessage(conntrackMessage, {
    type: MESSAGE.DELETE,
    flags: 0,
    payload: {
      family: entry.family,
      version: 0,
      resourceId: 0,
      attributes: {
        ...(original !== undefined && { original }),
        ...(id !== undefined && { id }),
        ...(zone !== undefined && { zone }),
      },
    },
  });
}
