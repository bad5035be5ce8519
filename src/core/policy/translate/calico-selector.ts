/** Keys of documents whose values are in Calico's selector language. */
import {
  CalicoSelectorError,
  type CalicoSelectorOptions,
  type LabelsOf,
  parseCalicoSelector,
  type Selector,
} from '../selector/index.ts';
import type { Fields } from './document.ts';

/** The selector at a key, over the labels of `of`; undefined if there is none, and if it is wrong, which the findings are told. */
export function calicoSelector(
  fields: Fields,
  key: string,
  of: LabelsOf,
  options: CalicoSelectorOptions = {},
): Selector | undefined {
  const text = fields.text(key);
  if (text === undefined || text.trim() === '') return undefined;
  try {
    return parseCalicoSelector(text, of, options);
  } catch (error) {
    if (!(error instanceof CalicoSelectorError)) throw error;
    fields.fail(error.message, key);
    return undefined;
  }
}
