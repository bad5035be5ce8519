/**
 * The syntax of names, labels and annotations.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and labels/
 */
import { invalidValue } from './field-cause.ts';
import { isObject } from './json.ts';
import type { StatusCause } from './status.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;

const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc'), and be at most 63 characters";
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com'), and be at most 253 characters";
const QUALIFIED_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc'), and be at most 63 characters";

/** Undefined when the text is an RFC 1123 label, else what is wrong. */
export const labelNameProblem = (text: string): string | undefined =>
  text.length <= 63 && LABEL.test(text) ? undefined : LABEL_TEXT;

/** Undefined when the text is an RFC 1123 subdomain, else what is wrong. */
export const subdomainProblem = (text: string): string | undefined =>
  text.length <= 253 && SUBDOMAIN.test(text) ? undefined : SUBDOMAIN_TEXT;

/** Undefined when the text is a label key, `[prefix/]name`, else what is wrong. */
export function labelKeyProblem(key: string): string | undefined {
  const slash = key.indexOf('/');
  const name = slash < 0 ? key : key.slice(slash + 1);
  if (slash >= 0 && subdomainProblem(key.slice(0, slash)) !== undefined)
    return `prefix part ${SUBDOMAIN_TEXT}`;
  return name.length <= 63 && QUALIFIED.test(name) ? undefined : QUALIFIED_TEXT;
}

/** Undefined when the text is a label value (may be empty), else what is wrong. */
export const labelValueProblem = (value: string): string | undefined =>
  value === '' || (value.length <= 63 && QUALIFIED.test(value))
    ? undefined
    : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345'), and be at most 63 characters";

/** What is wrong with an object’s labels. */
export function labelCauses(field: string, labels: unknown): StatusCause[] {
  if (!isObject(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => {
    const keyProblem = labelKeyProblem(key);
    if (keyProblem !== undefined) return [invalidValue(field, key, keyProblem)];
    if (typeof value !== 'string') return [];
    const problem = labelValueProblem(value);
    return problem === undefined ? [] : [invalidValue(field, value, problem)];
  });
}

/** What is wrong with an object’s annotations. */
export function annotationCauses(field: string, annotations: unknown): StatusCause[] {
  if (!isObject(annotations)) return [];
  let size = 0;
  const causes = Object.entries(annotations).flatMap(([key, value]) => {
    size += key.length + (typeof value === 'string' ? value.length : 0);
    const problem = labelKeyProblem(key.toLowerCase());
    return problem === undefined ? [] : [invalidValue(field, key, problem)];
  });
  if (size > ANNOTATIONS_LIMIT_BYTES) {
    causes.push({
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${ANNOTATIONS_LIMIT_BYTES} bytes`,
      field,
    });
  }
  return causes;
}
