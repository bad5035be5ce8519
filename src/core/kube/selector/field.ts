/**
 * Field selectors: `metadata.name=x,status.phase!=Running`. Only the fields a resource declares can be selected.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
 */
import { valueAt } from '../json.ts';
import { SelectorError } from './label.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export type FieldSelector = readonly FieldRequirement[];

/** Splits at commas that are not escaped by a backslash. */
function splitTerms(text: string): string[] {
  const terms = [''];
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === ',') terms.push('');
    else terms[terms.length - 1] += char === '\\' ? char + text.charAt(++at) : char;
  }
  return terms;
}

const unescape = (value: string): string => value.replace(/\\([\\,=])/g, '$1');
const escape = (value: string): string => value.replace(/[\\,=]/g, '\\$&');

/** Parses a field selector and checks each field against the supported ones. Throws SelectorError. */
export function parseFieldSelector(text: string, supported: readonly string[]): FieldSelector {
  return splitTerms(text)
    .filter((term) => term.trim() !== '')
    .map((term) => {
      const match = /^\s*((?:[^=!\\])+)(==|!=|=)(.*)$/s.exec(term);
      if (match === null) {
        throw new SelectorError(
          `invalid field selector "${text}": "${term}" is not field=value or field!=value`,
        );
      }
      const field = (match[1] ?? '').trim();
      if (!supported.includes(field)) {
        throw new SelectorError(`field label not supported: ${field} (supported: ${supported.join(', ')})`);
      }
      return { field, operator: match[2] === '!=' ? '!=' : '=', value: unescape(match[3] ?? '') };
    });
}

export const formatFieldSelector = (selector: FieldSelector): string =>
  selector.map(({ field, operator, value }) => `${field}${operator}${escape(value)}`).join(',');

/** Boolean fields, whose absence means false. */
const FLAGS = new Set(['spec.unschedulable']);

/** The text of a selectable field; an absent one is the empty text. */
export function fieldText(object: unknown, field: string): string {
  const value = valueAt(object, field.split('.')) ?? (FLAGS.has(field) ? false : '');
  return String(value);
}

export const matchesFields = (selector: FieldSelector, object: unknown): boolean =>
  selector.every(({ field, operator, value }) => (fieldText(object, field) === value) === (operator === '='));
