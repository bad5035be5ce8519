/** From operations of the vocabulary to rtnetlink messages. Sysctls and nf_tables objects are not made of these. */
import type { KernelObject, KernelOp } from '#core/kernel/index.ts';
import { encodeFilter, encodeQdisc } from '../traffic/encode.ts';
import { encodeAddAddress, encodeRemoveAddress } from './encode-address.ts';
import { encodeAddLink, encodeRemoveLink, encodeReplaceLink } from './encode-link.ts';
import { encodeFdb, encodeNeighbour, encodeReplaceNeighbour } from './encode-neighbour.ts';
import { encodePlainFdb, encodePlainNeighbour, encodePlainRoute } from './encode-plain.ts';
import { encodeRoute } from './encode-route.ts';
import { encodeRule } from './encode-rule.ts';
import type { LinkIndex } from './link-index.ts';

/**
 * The messages that carry an operation out, to be sent together and in this order; none if nothing differs. Throws
 * MissingLinkError if a link it names does not exist, RangeError if the object cannot be made by rtnetlink.
 */
export function encodeOp(op: KernelOp, links: LinkIndex): Uint8Array[] {
  const { object } = op;
  switch (object.kind) {
    case 'link':
      if (op.verb === 'add') return encodeAddLink(object, links);
      if (op.verb === 'remove') return encodeRemoveLink(object, links);
      return encodeReplaceLink(object, sameKind(object, op.previous), links);
    case 'route':
      return [
        (op.verb === 'add' ? encodePlainRoute(object, links) : undefined) ??
          encodeRoute(op.verb, object, links),
      ];
    case 'neighbour':
      if (op.verb === 'replace') return encodeReplaceNeighbour(object, sameKind(object, op.previous), links);
      return [
        (op.verb === 'add' ? encodePlainNeighbour(object, links) : undefined) ??
          encodeNeighbour(op.verb, object, links),
      ];
    case 'fdb':
      return [
        (op.verb === 'add' ? encodePlainFdb(object, links) : undefined) ?? encodeFdb(op.verb, object, links),
      ];
    case 'address':
      if (op.verb === 'add') return encodeAddAddress(object, links);
      if (op.verb === 'remove') return encodeRemoveAddress(object, links);
      // IPv4 changes neither scope nor flags of an address that exists (inet_rtm_newaddr), so it is made anew.
      return [
        ...encodeRemoveAddress(sameKind(object, op.previous), links),
        ...encodeAddAddress(object, links),
      ];
    case 'rule':
      if (op.verb !== 'replace') return [encodeRule(op.verb, object)];
      // fib_rules know no replacement. The new one first, so that the policy has no gap: they differ, so both may exist.
      return [encodeRule('add', object), encodeRule('remove', sameKind(object, op.previous))];
    case 'qdisc':
      return [encodeQdisc(op.verb, object, links)];
    case 'filter':
      return encodeFilter(op.verb, object, links);
    case 'wireguard-device':
    case 'wireguard-peer':
    case 'wireguard-allowed-ip':
    case 'sysctl':
    case 'nft-table':
    case 'nft-chain':
    case 'nft-set':
    case 'nft-element':
      throw new RangeError(`a ${object.kind} is not made by rtnetlink`);
  }
}

/**
 * A link's operation as the steps to encode and send one after the other. The VLANs of a new link are set by its number, which it gets
 * when it is made; until they are, it stays down.
 */
export function linkSteps(op: KernelOp): readonly KernelOp[] {
  if (op.verb !== 'add' || op.object.kind !== 'link') return [op];
  const { vlans, ...link } = op.object;
  if (vlans === undefined || link.netns !== undefined) return [op];
  const made = { ...link, up: false };
  return [
    { verb: 'add', object: made },
    { verb: 'replace', object: op.object, previous: made },
  ];
}

function sameKind<T extends KernelObject>(object: T, previous: KernelObject): T {
  if (previous.kind !== object.kind)
    throw new RangeError(`a ${previous.kind} cannot become a ${object.kind}`);
  return previous as T;
}
