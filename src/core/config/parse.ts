/**
 * Configuration text to a typed value: syntax, repeated and unknown keys, and a zod schema, with every problem
 * reported at once and at its line. Formats with rules that a schema cannot say read the document first
 * (`readJson`), check it (`checkDocument`) and add their own problems (`problemAt`).
 */
import { z } from 'zod';
import { type ConformOptions, conform } from './conform.ts';
import { describeIssue } from './issue-text.ts';
import { readJson } from './json.ts';
import { type LocatedDocument, type LocatedNode, nodeAt, plainValue, problemAt } from './located.ts';
import { compareProblems, type KeyPath, type ParseResult, type Problem } from './problem.ts';
import { readYaml } from './yaml.ts';

export interface CheckOptions {
  /** As Go's encoding/json reads: keys match without regard to case, and null is the same as no key. */
  readonly goStyle?: boolean;
  /** Names of keys whose values never appear in problems. */
  readonly secrets?: readonly string[];
}

export interface ParseOptions extends CheckOptions {
  /** The file (or other origin) that problems name. */
  readonly source: string;
}

/** Parses JSON with comments and trailing commas; never throws. */
export function parseConfig<S extends z.ZodType>(
  schema: S,
  text: string,
  options: ParseOptions,
): ParseResult<z.output<S>> {
  return checkDocument(schema, readJson(text, options.source), [], options);
}

/** Parses one YAML document; never throws. */
export function parseYamlConfig<S extends z.ZodType>(
  schema: S,
  text: string,
  options: ParseOptions,
): ParseResult<z.output<S>> {
  return checkDocument(schema, readYaml(text, options.source), [], options);
}

/** Checks the part of a document at `path` (which must exist, unless the whole text is broken) against a schema. */
export function checkDocument<S extends z.ZodType>(
  schema: S,
  document: LocatedDocument,
  path: KeyPath,
  options: CheckOptions = {},
): ParseResult<z.output<S>> {
  const fold = options.goStyle ?? false;
  const node = document.root && nodeAt(document.root, path, fold);
  if (node === undefined) return { ok: false, problems: document.problems, warnings: [] };
  const conformOptions: ConformOptions = { goStyle: fold };
  const { value, problems, warnings } = conform(document, schema, node, path, conformOptions);
  const result = z.safeParse(schema, value);
  // Repeated keys belong to the whole document: they are told once, with its root.
  const all = path.length === 0 ? [...document.problems, ...problems] : problems;
  if (!result.success) all.push(...issueProblems(result.error.issues, document, node, path, options));
  warnings.sort(compareProblems);
  if (result.success && all.length === 0) return { ok: true, value: result.data, warnings };
  return { ok: false, problems: all.sort(compareProblems), warnings };
}

function issueProblems(
  issues: readonly z.core.$ZodIssue[],
  document: LocatedDocument,
  node: LocatedNode,
  base: KeyPath,
  options: CheckOptions,
): Problem[] {
  const fold = options.goStyle ?? false;
  const problems: Problem[] = [];
  for (const issue of issues.flatMap(flattenUnion)) {
    // Unknown keys were found with their own positions.
    if (issue.code === 'unrecognized_keys') continue;
    const inner = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    const found = nodeAt(node, inner, fold);
    const value = found && plainValue(found);
    const absent = found === undefined || (fold && value === null);
    const secret = options.secrets?.includes(String(inner.at(-1) ?? base.at(-1))) ?? false;
    const message = describeIssue(issue, absent ? undefined : value, secret);
    const problem = problemAt(document, [...base, ...inner], message, { fold, secret });
    const same = (other: Problem) => other.path === problem.path && other.message === problem.message;
    if (!problems.some(same)) problems.push(problem);
  }
  return problems;
}

// A value that has the right kind for exactly one branch is told that branch's problems, not "fits no form".
function flattenUnion(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const near = issue.errors.filter(
    (branch) => !branch.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0),
  );
  if (near.length !== 1) return [issue];
  return (near[0] as z.core.$ZodIssue[])
    .map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
    .flatMap(flattenUnion);
}

/** Those keys of an object schema whose values are right by themselves, for checks across keys of a faulty text. */
export function soundKeys<Shape extends z.core.$ZodLooseShape>(
  schema: z.ZodObject<Shape>,
  document: LocatedDocument,
  options: CheckOptions = {},
): Partial<z.output<z.ZodObject<Shape>>> {
  if (document.root?.kind !== 'object') return {};
  const { value } = conform(document, schema, document.root, [], { goStyle: options.goStyle ?? false });
  const out: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(schema.shape)) {
    const result = z.safeParse(part as z.ZodType, (value as Record<string, unknown>)[key]);
    if (result.success && result.data !== undefined) out[key] = result.data;
  }
  return out as Partial<z.output<z.ZodObject<Shape>>>;
}
