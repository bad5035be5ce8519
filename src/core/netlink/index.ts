/** The wire layer of rtnetlink and generic netlink, and its mapping to core/kernel. nf_tables: core/netlink/nftables. */
import { type RegisteredCodec, registry } from '#core/codec/index.ts';
import { cappedErrorMessage, extendedAck } from './errors.ts';
import { messageHeader } from './message.ts';
import { addressMessage } from './route/address.ts';
import { linkMessage } from './route/link.ts';
import { neighbourMessage } from './route/neighbour.ts';
import { routeMessage } from './route/route.ts';
import { ruleMessage } from './route/rule.ts';

export {
  type Attribute,
  type AttributesValue,
  type AttributeTable,
  attribute,
  attributeList,
  attributes,
  dependentNest,
  MAX_ATTRIBUTE_BYTES,
  nest,
  type RawAttribute,
} from './attribute.ts';
export {
  decodeErrorMessage,
  type ExtendedAck,
  errnoName,
  errnoNumber,
  errnoText,
  type KernelVerdict,
} from './errors.ts';
export {
  decodeMessage,
  encodeMessage,
  HEADER_BYTES,
  type Message,
  messageType,
  NLM_F,
  NLMSG,
} from './message.ts';
export { decodeLink } from './route/decode.ts';
export { DUMP_KINDS, type DumpKind, dumpRequests, linkRequest, ROUTE_GROUPS } from './route/dump.ts';
export { encodeOp } from './route/encode.ts';
export { isMissingLink, type LinkIndex, MissingLinkError } from './route/link-index.ts';
export { RouteMirror } from './route/mirror.ts';

/** Every codec of rtnetlink and generic netlink, by name. */
export const NETLINK_CODECS: readonly RegisteredCodec[] = [
  ...registry('netlink', { header: messageHeader, error: cappedErrorMessage, extendedAck }),
  ...registry('route', {
    link: linkMessage,
    address: addressMessage,
    route: routeMessage,
    neighbour: neighbourMessage,
    rule: ruleMessage,
  }),
];
