/** The generated part of docs/net-conf.md: a table of the keys of each backend, from their schemas, between `<!-- backends -->` and `<!-- end -->`. */
import { join } from 'node:path';
import { z } from 'zod';
import { BACKEND_SCHEMAS } from '#core/lease/index.ts';
import { BACKEND_MEANINGS } from './backend-meanings.ts';

export const NET_CONF_DOCUMENT = join(import.meta.dirname, '../../docs/net-conf.md');

const BLOCK = /<!-- backends -->\n[^]*?<!-- end -->/;
/** Every backend has it: it names the backend. */
const COMMON_KEY = 'Type';

type Meanings = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What JSON Schema says of a key. */
interface KeySchema {
  readonly type?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly enum?: readonly string[];
}

/** The document with its table made anew. Throws RangeError if there is no place for it. */
export function withBackendTable(document: string): string {
  if (!BLOCK.test(document)) throw new RangeError('docs/net-conf.md has no marker "backends"');
  return document.replace(
    BLOCK,
    () => `<!-- backends -->\n${backendTable(BACKEND_SCHEMAS, BACKEND_MEANINGS)}<!-- end -->`,
  );
}

/** A row for each key of each backend. Throws RangeError for a key without a meaning, and for a meaning without a key. */
export function backendTable(schemas: Readonly<Record<string, z.ZodType>>, meanings: Meanings): string {
  const head = ['| backend | key | type | default | meaning |', '|---|---|---|---|---|'];
  const rows = Object.entries(schemas).flatMap(([type, schema]) =>
    rowsOf(type, schema, meanings[type] ?? {}),
  );
  return [...head, ...rows].map((line) => `${line}\n`).join('');
}

function rowsOf(type: string, schema: z.ZodType, meanings: Meanings[string]): string[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  const keys = Object.keys(properties).filter((key) => key !== COMMON_KEY);
  const idle = Object.keys(meanings).find((key) => !keys.includes(key));
  if (idle !== undefined) throw new RangeError(`backend "${type}": meaning of "${idle}", which is no key`);
  if (keys.length === 0) return [`| \`${type}\` | – | | | |`];
  return keys.map((key) => {
    const meaning = meanings[key];
    if (meaning === undefined) throw new RangeError(`backend "${type}": key "${key}" has no meaning`);
    const row = properties[key] as KeySchema;
    const cells = [
      `\`${type}\``,
      `\`${key}\``,
      kindOf(row),
      required.includes(key) ? 'required' : defaultOf(row),
      meaning,
    ];
    return `| ${cells.join(' | ')} |`;
  });
}

function kindOf({ type, minimum, maximum, minLength, enum: choices }: KeySchema): string {
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ');
  if (type === 'boolean') return 'bool';
  if (type === 'integer') return `number, ${minimum} to ${maximum}`;
  return minLength !== undefined && minLength > 1 ? `string, at least ${minLength} characters` : 'string';
}

function defaultOf({ default: value }: KeySchema): string {
  return value === undefined || value === '' ? '–' : `\`${String(value)}\``;
}
