/** Selectors out of parts, in canonical form. */
import type { MemberKind } from '../model.ts';
import { canonical } from './canonical.ts';
import type { LabelsOf, Selector } from './selector.ts';

export const all = (...parts: readonly (Selector | undefined)[]): Selector =>
  canonical({ op: 'and', parts: parts.filter((part) => part !== undefined) });
export const any = (...parts: readonly Selector[]): Selector => canonical({ op: 'or', parts });
export const not = (part: Selector): Selector => canonical({ op: 'not', part });
export const label = (of: LabelsOf, key: string, ...values: readonly string[]): Selector =>
  canonical({ op: 'in', of, key, values });
export const has = (of: LabelsOf, key: string): Selector => ({ op: 'has', of, key });
/** The member is of one of the kinds. */
export const isKind = (...kinds: readonly MemberKind[]): Selector => label('self', 'kind', ...kinds);
/** The member is in the namespace. */
export const isIn = (namespace: string): Selector => label('self', 'namespace', namespace);
