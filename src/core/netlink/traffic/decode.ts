/** From decoded messages of traffic control to the vocabulary. What lies elsewhere than at a link's root or ingress has no words. */
import type { ValueOf } from '#core/codec/index.ts';
import type { Qdisc, QdiscDetail, TrafficFilter } from '#core/kernel/index.ts';
import type { FilterMessage } from './filter.ts';
import { INGRESS_FILTERS, INGRESS_HANDLE, majorOf, TC_H } from './header.ts';
import type { QdiscMessage } from './qdisc.ts';
import type { tbfOptions } from './tbf.ts';

/** The qdisc at a link's root or ingress, or undefined: within another qdisc, or the kernel's own, which has no handle. */
export function qdiscOf(message: QdiscMessage, link: string): Qdisc | undefined {
  const { parent, handle } = message;
  if (handle === 0 || (parent !== TC_H.ROOT && parent !== TC_H.INGRESS)) return undefined;
  const isRoot = parent === TC_H.ROOT;
  return {
    kind: 'qdisc',
    link,
    parent: isRoot ? 'root' : 'ingress',
    ...(isRoot && { handle: majorOf(handle) }),
    detail: detailOf(message),
  };
}

function detailOf({ attributes: { kind, options } }: QdiscMessage): QdiscDetail {
  if (kind === 'ingress' || kind === 'clsact') return { type: kind };
  const found = kind === 'tbf' ? (options as ValueOf<typeof tbfOptions> | undefined) : undefined;
  if (found?.parameters === undefined) return { type: 'other', qdiscKind: kind ?? '' };
  const { rate, limit, buffer } = found.parameters;
  return {
    type: 'tbf',
    rateBytesPerSec: found.rate64 === undefined ? rate.rate : Number(found.rate64),
    bucketTicks: buffer,
    limitBytes: limit,
  };
}

/** A filter of a link's ingress or clsact qdisc, or undefined. `nameOf` gives the name of the link it redirects to; '' if that is gone. */
export function filterOf(
  message: FilterMessage,
  link: string,
  nameOf: (index: number) => string,
): TrafficFilter | undefined {
  if (message.parent !== INGRESS_FILTERS && message.parent !== INGRESS_HANDLE) return undefined;
  const index = redirectIndexOf(message);
  return {
    kind: 'filter',
    link,
    parent: 'ingress',
    preference: message.extra >>> 16,
    ...(index !== undefined && { redirect: index === 0 ? '' : nameOf(index) }),
  };
}

/** The number of the link that a filter sends every packet to, 0 if that is gone; undefined if it does anything else. */
export function redirectIndexOf({ attributes: { options } }: FilterMessage): number | undefined {
  if (options === undefined || options instanceof Uint8Array) return undefined;
  const { keys = [] } = options.selector ?? {};
  const [action] = options.actions ?? [];
  const given = action?.options;
  const parameters = given instanceof Uint8Array ? undefined : given?.parameters;
  if (parameters?.what !== 'egressRedirect' || keys.some(({ mask }) => mask !== 0)) return undefined;
  return parameters.link;
}

/** True if the message tells of a filter; false for the hash tables it lies in, which a dump shows beside it. */
export function isWholeFilter({ attributes: { kind, options } }: FilterMessage): boolean {
  if (kind !== 'u32') return true;
  return options !== undefined && !(options instanceof Uint8Array) && options.selector !== undefined;
}
