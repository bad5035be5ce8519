/**
 * Kubernetes label and field selectors as text, as far as lists and watches of the fake need them.
 */
import { type KubeObject, StoreError } from '#core/store/index.ts';

type Labels = Readonly<Record<string, string>>;
type Requirement = (labels: Labels) => boolean;

const SET = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const EQUALITY = /^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$/;
const EXISTS = /^(!?)\s*([^\s=!(),]+)$/;

/** True if the labels meet every requirement of `app=web,tier in (a,b),!canary`; throws StoreError BadRequest on other text. */
export function matchesLabels(selector: string | undefined, labels: Labels = {}): boolean {
  return splitRequirements(selector).every((text) => parseRequirement(text)(labels));
}

/** True if the object's fields, named by path (`metadata.name=a,spec.nodeName!=b`), are as demanded; absent ones are ''. */
export function matchesFields(selector: string | undefined, object: KubeObject): boolean {
  return splitRequirements(selector).every((text) => {
    const [, path = '', operator, value] = EQUALITY.exec(text) ?? fail(text);
    return (String(fieldOf(object, path) ?? '') === value) !== (operator === '!=');
  });
}

/** Splits at the commas outside of parentheses. */
function splitRequirements(selector: string | undefined): string[] {
  return (selector ?? '')
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function parseRequirement(text: string): Requirement {
  const set = SET.exec(text);
  if (set) {
    const [, key = '', operator, list = ''] = set;
    const values = new Set(list.split(',').map((value) => value.trim()));
    const inSet: Requirement = (labels) => labels[key] !== undefined && values.has(labels[key]);
    return operator === 'in' ? inSet : (labels) => !inSet(labels);
  }
  const equality = EQUALITY.exec(text);
  if (equality) {
    const [, key = '', operator, value] = equality;
    return operator === '!=' ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const [, not, key = ''] = EXISTS.exec(text) ?? fail(text);
  return (labels) => (labels[key] !== undefined) === (not === '');
}

function fieldOf(object: KubeObject, path: string): unknown {
  let value: unknown = object;
  for (const key of path.split('.'))
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return value;
}

function fail(text: string): never {
  throw new StoreError(400, 'BadRequest', `unable to parse requirement: "${text}"`);
}
