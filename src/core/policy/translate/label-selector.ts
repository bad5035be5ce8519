/** metav1.LabelSelector: all requirements must hold; an empty one selects everything. */
import { labelKeyProblem, labelValueProblem } from '#core/kube/index.ts';
import { all, has, type LabelsOf, label, not, type Selector } from '../selector/index.ts';
import { type Fields, keyOf, shown } from './document.ts';

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

/** The selector at a key; absent is undefined: what that means differs from place to place. */
export function labelSelector(parent: Fields, key: string, of: LabelsOf): Selector | undefined {
  const fields = parent.object(key);
  if (fields === undefined) return undefined;
  const equal = Object.entries(fields.map('matchLabels')).map(([name, value]) => {
    checkKey(fields, name, keyOf('matchLabels', name));
    checkValue(fields, value, keyOf('matchLabels', name));
    return label(of, name, value);
  });
  const expressions = (fields.objects('matchExpressions') ?? []).map((each) => expression(each, of));
  fields.warnOfOthers();
  return all(...equal, ...expressions);
}

function expression(fields: Fields, of: LabelsOf): Selector | undefined {
  const key = fields.required('key', fields.text('key'));
  const operator = fields.required('operator', fields.oneOf('operator', OPERATORS));
  const values = fields.texts('values') ?? [];
  fields.warnOfOthers();
  if (key !== undefined) checkKey(fields, key, 'key');
  for (const [index, value] of values.entries()) checkValue(fields, value, `values[${index}]`);
  if (key === undefined || operator === undefined) return undefined;
  const isList = operator === 'In' || operator === 'NotIn';
  if (isList && values.length === 0) fields.fail(`needs a value for ${operator}`, 'values');
  if (!isList && values.length > 0) fields.fail(`must be empty for ${operator}`, 'values');
  if (isList) return operator === 'In' ? label(of, key, ...values) : not(label(of, key, ...values));
  return operator === 'Exists' ? has(of, key) : not(has(of, key));
}

function checkKey(fields: Fields, key: string, at: string): void {
  const problem = labelKeyProblem(key);
  if (problem !== undefined) fields.fail(`${shown(key)} is no key of a label: ${problem}`, at);
}

/** What no label can have would never be found; with NotIn it would exclude nothing. */
function checkValue(fields: Fields, value: string, at: string): void {
  const problem = labelValueProblem(value);
  if (problem !== undefined) fields.fail(`${shown(value)} is no value of a label: ${problem}`, at);
}
