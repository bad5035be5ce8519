/** Whether one rule is about everything that another is about. Never wrongly true; false where it cannot be told from what is written. */
import { prefixContains } from '#base/ip/index.ts';
import type { EndMatch, IcmpMatch, PolicyRule, PortMatch } from '../../model.ts';
import type { Selector } from '../../selector/index.ts';
import { selectorText } from '../../selector/index.ts';
import { same } from '../same.ts';

/** True if each flow that `narrow` is about is one that `wide` is about. */
export function coversRule(wide: PolicyRule, narrow: PolicyRule): boolean {
  return (
    isAbsentOrSame(wide.protocol, narrow.protocol) &&
    isAbsentOrSame(wide.family, narrow.family) &&
    (isAbsentOrSame(wide.notProtocol, narrow.notProtocol) ||
      (narrow.protocol !== undefined && narrow.protocol !== wide.notProtocol)) &&
    coversIcmp(wide.icmp, narrow.icmp) &&
    isAbsentOrSame(wide.notIcmp, narrow.notIcmp) &&
    coversEnd(wide.source, narrow.source) &&
    coversEnd(wide.destination, narrow.destination)
  );
}

/** True if whatever the one selects is selected by the other. */
export function implies(narrow: Selector, wide: Selector): boolean {
  if (wide.op === 'all' || narrow.op === 'none') return true;
  if (selectorText(narrow) === selectorText(wide)) return true;
  if (wide.op === 'and') return wide.parts.every((part) => implies(narrow, part));
  if (narrow.op === 'or') return narrow.parts.every((part) => implies(part, wide));
  if (wide.op === 'or' && wide.parts.some((part) => implies(narrow, part))) return true;
  if (narrow.op === 'and') return narrow.parts.some((part) => implies(part, wide));
  if (wide.op === 'not') return narrow.op === 'not' && implies(wide.part, narrow.part);
  if (!('key' in wide && 'key' in narrow) || wide.of !== narrow.of || wide.key !== narrow.key) return false;
  if (wide.op === 'has') return true;
  return (
    wide.op === 'in' && narrow.op === 'in' && narrow.values.every((value) => wide.values.includes(value))
  );
}

function coversEnd(wide: EndMatch, narrow: EndMatch): boolean {
  return (
    (wide.selector === undefined ||
      (narrow.selector !== undefined && implies(narrow.selector, wide.selector))) &&
    (wide.notSelector === undefined ||
      (narrow.notSelector !== undefined && implies(wide.notSelector, narrow.notSelector))) &&
    coversList(wide.nets, narrow.nets, prefixContains) &&
    excludesNoMore(wide.notNets, narrow.notNets, prefixContains) &&
    coversList(wide.ports, narrow.ports, containsPort) &&
    excludesNoMore(wide.notPorts, narrow.notPorts, containsPort) &&
    isAbsentOrSame(wide.domains, narrow.domains) &&
    isAbsentOrSame(wide.service, narrow.service)
  );
}

/** Each of the narrow alternatives lies in a wide one. */
function coversList<T>(
  wide: readonly T[] | undefined,
  narrow: readonly T[] | undefined,
  contains: (wide: T, narrow: T) => boolean,
): boolean {
  if (wide === undefined) return true;
  return narrow?.every((each) => wide.some((one) => contains(one, each))) ?? false;
}

/** What the wide one leaves out, the narrow one leaves out as well. */
function excludesNoMore<T>(
  wide: readonly T[] | undefined,
  narrow: readonly T[] | undefined,
  contains: (wide: T, narrow: T) => boolean,
): boolean {
  return (wide ?? []).every((each) => (narrow ?? []).some((one) => contains(one, each)));
}

function containsPort(wide: PortMatch, narrow: PortMatch): boolean {
  if ('name' in wide || 'name' in narrow) return same(wide, narrow);
  return wide.from <= narrow.from && narrow.to <= wide.to;
}

function coversIcmp(wide: IcmpMatch | undefined, narrow: IcmpMatch | undefined): boolean {
  if (wide === undefined) return true;
  return narrow !== undefined && wide.type === narrow.type && isAbsentOrSame(wide.code, narrow.code);
}

function isAbsentOrSame(wide: unknown, narrow: unknown): boolean {
  return wide === undefined || same(wide, narrow);
}
