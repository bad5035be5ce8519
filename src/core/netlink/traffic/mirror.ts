/**
 * What traffic control tells, taken into a mirror. The kernel does not announce that filters go with their qdisc, nor that the link is
 * gone that a filter redirects to: the first is followed here, the second where links are removed (route/mirror.ts). A qdisc that takes
 * another's place is told after that one's end, in one message.
 */
import { keyOf } from '#core/kernel/index.ts';
import { decodeMessage } from '../message.ts';
import type { LinkTable } from '../route/link-table.ts';
import type { MirrorStore } from '../route/mirror-store.ts';
import { filterOf, isWholeFilter, qdiscOf, redirectIndexOf } from './decode.ts';
import { filterDump } from './encode.ts';
import { filterMessage } from './filter.ts';
import { RTM_FILTER, RTM_QDISC } from './header.ts';
import { qdiscMessage } from './qdisc.ts';

interface Mirror {
  readonly links: LinkTable;
  readonly store: MirrorStore;
}

export function isTrafficMessage(type: number): boolean {
  return (
    type === RTM_QDISC.NEW || type === RTM_QDISC.DEL || type === RTM_FILTER.NEW || type === RTM_FILTER.DEL
  );
}

/** Takes in one message; returns the number of a link that must be known first, if there is one. Throws DecodeError. */
export function applyTraffic(message: Uint8Array, type: number, mirror: Mirror): number | undefined {
  if (type === RTM_QDISC.NEW || type === RTM_QDISC.DEL)
    return applyQdisc(message, type === RTM_QDISC.NEW, mirror);
  return applyFilter(message, type === RTM_FILTER.NEW, mirror);
}

/** The dumps of all filters there can be: those of links with an ingress or clsact qdisc. */
export function filterRequests({ links, store }: Mirror): Uint8Array[] {
  return links.all().flatMap(({ index, name }) => {
    const qdisc = store.get(
      keyOf({ kind: 'qdisc', link: name, parent: 'ingress', detail: { type: 'ingress' } }),
    );
    return qdisc === undefined ? [] : [filterDump(index)];
  });
}

function applyQdisc(message: Uint8Array, isNew: boolean, { links, store }: Mirror): number | undefined {
  const { payload } = decodeMessage(qdiscMessage, message);
  const record = links.get(payload.index);
  if (record === undefined) return isNew ? payload.index : undefined;
  const qdisc = qdiscOf(payload, record.name);
  if (qdisc === undefined) return undefined;
  const key = keyOf(qdisc);
  if (isNew) {
    store.put(qdisc);
    return undefined;
  }
  const known = store.get(key);
  if (known?.kind !== 'qdisc' || known.handle !== qdisc.handle) return undefined;
  store.drop(key);
  if (qdisc.parent === 'root') return undefined;
  for (const dependent of [...record.dependents]) {
    const object = store.get(dependent);
    if (object?.kind === 'filter' && object.link === record.name) store.drop(dependent);
  }
  return undefined;
}

function applyFilter(message: Uint8Array, isNew: boolean, { links, store }: Mirror): number | undefined {
  const { payload } = decodeMessage(filterMessage, message);
  if (isNew && !isWholeFilter(payload)) return undefined;
  const record = links.get(payload.index);
  if (record === undefined) return isNew ? payload.index : undefined;
  const target = redirectIndexOf(payload) ?? 0;
  if (isNew && target !== 0 && links.get(target) === undefined) return target;
  const filter = filterOf(payload, record.name, (index) => links.nameOf(index) ?? '');
  if (filter === undefined) return undefined;
  if (isNew) store.put(filter);
  else store.drop(keyOf(filter));
  return undefined;
}
