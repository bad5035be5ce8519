/**
 * The JSONPath of printer columns: `.spec.replicas`, `.metadata.labels['app']`, `.status.conditions[?(@.type=="Ready")].status`,
 * `[0]`, `[*]`, `\.` for a dot inside a key. https://kubernetes.io/docs/reference/kubectl/jsonpath/
 */
import { isObject, valueAt } from '../json.ts';

type Step =
  | { readonly key: string }
  | { readonly index: number }
  | { readonly each: true }
  | { readonly where: readonly string[]; readonly operator: string; readonly value: string };

export type JsonPath = readonly Step[];

const STEP =
  /\.((?:\\.|[^.[\]\\])+)|\[(-?\d+)\]|\[(\*)\]|\[['"]([^'"]*)['"]\]|\[\?\(\s*@((?:\.[\w-]+)+)\s*(==|!=)\s*(['"]?)([^'")]*)\7\s*\)\]/y;

/** Parses a path; undefined when the text is none. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const trimmed = text.replace(/^\{(.*)\}$/, '$1').trim();
  const source = /^[.[]/.test(trimmed) ? trimmed : `.${trimmed}`;
  const steps: Step[] = [];
  let at = 0;
  while (at < source.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(source);
    if (match === null) return undefined;
    at = STEP.lastIndex;
    const [, key, index, each, quoted, where, operator, , value] = match;
    if (key === '*' || each !== undefined) steps.push({ each: true });
    else if (key !== undefined) steps.push({ key: key.replace(/\\(.)/g, '$1') });
    else if (index !== undefined) steps.push({ index: Number(index) });
    else if (quoted !== undefined) steps.push({ key: quoted });
    else if (where !== undefined && operator !== undefined) {
      steps.push({ where: where.slice(1).split('.'), operator, value: value ?? '' });
    }
  }
  return steps;
}

function take(value: unknown, step: Step): unknown[] {
  if ('key' in step) return isObject(value) && Object.hasOwn(value, step.key) ? [value[step.key]] : [];
  if ('index' in step) return Array.isArray(value) && value.length > 0 ? [value.at(step.index)] : [];
  const items = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  if ('each' in step) return items;
  return items.filter(
    (item) => (String(valueAt(item, step.where)) === step.value) === (step.operator === '=='),
  );
}

/** Every value the path reaches, in document order. */
export function evaluateJsonPath(path: JsonPath, root: unknown): unknown[] {
  let values: unknown[] = [root];
  for (const step of path) values = values.flatMap((value) => take(value, step));
  return values.filter((value) => value !== undefined);
}
