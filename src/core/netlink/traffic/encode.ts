/** Qdiscs as RTM_NEWQDISC and RTM_DELQDISC, filters as RTM_NEWTFILTER and RTM_DELTFILTER, and the dumps of both. */
import type { KernelOp, Qdisc, TrafficFilter } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { type LinkIndex, requireIndex } from '../route/link-index.ts';
import { AF } from '../route/scope.ts';
import { type FilterMessage, filterMessage, TC_U32_TERMINAL } from './filter.ts';
import { handleOf, INGRESS_FILTERS, INGRESS_HANDLE, RTM_FILTER, RTM_QDISC, TC_H } from './header.ts';
import { TC_ACT_STOLEN } from './mirred.ts';
import { type QdiscMessage, qdiscMessage } from './qdisc.ts';

/** ETH_P_ALL in network order, as it lies in the lower half of tcm_info. */
const ETH_P_ALL = 0x0300;
/** The first node of a u32 filter's own hash table: the kernel gives this number to the first without one. A second is refused. */
const FIRST_NODE = 0x800;
const U32_MAX = 0xffffffff;
const NO_RATE = { cellLog: 0, linkLayer: 0, overhead: 0, cellAlign: 0, mpu: 0, rate: 0 } as const;

/** A qdisc at its place on a link. Replacing puts it there whatever was there. Throws MissingLinkError, RangeError for kinds never made. */
export function encodeQdisc(verb: KernelOp['verb'], qdisc: Qdisc, links: LinkIndex): Uint8Array {
  const index = requireIndex(links, qdisc.link);
  const parent = qdisc.parent === 'root' ? TC_H.ROOT : TC_H.INGRESS;
  if (verb === 'remove')
    return qdiscMessageOf(RTM_QDISC.DEL, 0, { index, handle: 0, parent, attributes: {} });
  // Of an ingress qdisc the handle is always ffff:.
  const handle = qdisc.parent === 'root' ? handleOf(qdisc.handle ?? 0) : INGRESS_HANDLE;
  const flags = NLM_F.CREATE | (verb === 'add' ? NLM_F.EXCL : NLM_F.REPLACE);
  return qdiscMessageOf(RTM_QDISC.NEW, flags, { index, handle, parent, attributes: qdiscAttributes(qdisc) });
}

/** Asks for all qdiscs of the namespace, but for those the kernel put where nobody did. */
export function qdiscDump(): Uint8Array {
  return qdiscMessageOf(RTM_QDISC.GET, 0, { index: 0, handle: 0, parent: 0, attributes: {} });
}

function qdiscMessageOf(
  type: number,
  flags: number,
  fields: Pick<QdiscMessage, 'index' | 'handle' | 'parent' | 'attributes'>,
): Uint8Array {
  return encodeMessage(qdiscMessage, { type, flags, payload: { family: AF.UNSPEC, extra: 0, ...fields } });
}

function qdiscAttributes({ link, detail }: Qdisc): QdiscMessage['attributes'] {
  switch (detail.type) {
    case 'tbf': {
      const { rateBytesPerSec, bucketTicks, limitBytes } = detail;
      const rate = { ...NO_RATE, rate: Math.min(rateBytesPerSec, U32_MAX) };
      const parameters = { rate, peakRate: NO_RATE, limit: limitBytes, buffer: bucketTicks, mtu: 0 };
      const rate64 = rateBytesPerSec >= U32_MAX ? { rate64: BigInt(rateBytesPerSec) } : {};
      return { kind: 'tbf', options: { parameters, ...rate64 } };
    }
    case 'ingress':
    case 'clsact':
      return { kind: detail.type };
    case 'other':
      throw new RangeError(`qdisc on ${link}: those of kind ${detail.qdiscKind} are seen, never made`);
  }
}

/** A filter, or all of its preference on removal. A replaced one is made anew: for a moment there is none. Throws as encodeQdisc. */
export function encodeFilter(verb: KernelOp['verb'], filter: TrafficFilter, links: LinkIndex): Uint8Array[] {
  const index = requireIndex(links, filter.link);
  const extra = filter.preference * 0x10000 + ETH_P_ALL;
  const removal = filterMessageOf(RTM_FILTER.DEL, 0, { index, handle: 0, extra, attributes: {} });
  if (verb === 'remove') return [removal];
  if (filter.redirect === undefined)
    throw new RangeError(`filter on ${filter.link}: one without a redirect is seen, never made`);
  const addition = filterMessageOf(RTM_FILTER.NEW, NLM_F.CREATE | NLM_F.EXCL, {
    index,
    handle: FIRST_NODE,
    extra,
    attributes: redirectAttributes(requireIndex(links, filter.redirect)),
  });
  return verb === 'add' ? [addition] : [removal, addition];
}

/** Asks for the filters of one link's ingress or clsact qdisc. */
export function filterDump(index: number): Uint8Array {
  return filterMessageOf(RTM_FILTER.GET, 0, { index, handle: 0, extra: 0, attributes: {} });
}

function filterMessageOf(
  type: number,
  flags: number,
  fields: Pick<FilterMessage, 'index' | 'handle' | 'extra' | 'attributes'>,
): Uint8Array {
  const payload = { family: AF.UNSPEC, parent: INGRESS_FILTERS, ...fields };
  return encodeMessage(filterMessage, { type, flags, payload });
}

/** u32 with one key of which no bit counts: not every kernel has matchall. */
function redirectAttributes(link: number): FilterMessage['attributes'] {
  const selector = {
    flags: TC_U32_TERMINAL,
    offsetShift: 0,
    keyCount: 1,
    offsetMask: 0,
    offset: 0,
    offsetOffset: 0,
    hashOffset: 0,
    hashMask: 0,
    keys: [{ mask: 0, value: 0, at: 0, offsetMask: 0 }],
  };
  const parameters = {
    index: 0,
    capabilities: 0,
    action: TC_ACT_STOLEN,
    references: 0,
    bindings: 0,
    what: 'egressRedirect',
    link,
  } as const;
  return {
    kind: 'u32',
    options: { selector, actions: [{ kind: 'mirred', options: { parameters } }] },
  };
}
