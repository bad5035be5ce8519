/** Columns of a Table answer (meta.k8s.io/v1) and the cells they make. */
import type { KubeObject } from '#core/store/index.ts';
import type { JsonObject } from '../json.ts';
import { ageOf } from './age.ts';
import { evaluateJsonPath, parseJsonPath } from './json-path.ts';

export type Cell = string | number | boolean | null;

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0 is always shown, 1 only with `-o wide`. */
  readonly priority: number;
  cell(object: KubeObject, nowMs: number): Cell;
}

type CellOf = Column['cell'];

/** A column of text shown always. */
export const column = (name: string, cell: CellOf, extra: Partial<Column> = {}): Column => ({
  name,
  type: 'string',
  format: '',
  description: '',
  priority: 0,
  ...extra,
  cell,
});

/** A column shown with `-o wide` only. */
export const wide = (name: string, cell: CellOf): Column => column(name, cell, { priority: 1 });

export const NAME: Column = column('Name', (object) => object.metadata.name, {
  format: 'name',
  description: 'The name, unique within a namespace.',
});

export const AGE: Column = column('Age', (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs), {
  description: 'The time since creation.',
});

function cellText(values: readonly unknown[], type: string, nowMs: number): Cell {
  const value = values[0];
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'date':
      return ageOf(value, nowMs);
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    default:
      if (values.length > 1) return JSON.stringify(values);
      return typeof value === 'string' ? value : JSON.stringify(value);
  }
}

/** A column as a CRD's additionalPrinterColumns declares it; undefined when its jsonPath does not parse. */
export function printerColumn(declaration: JsonObject): Column | undefined {
  const path = parseJsonPath(String(declaration['jsonPath'] ?? ''));
  if (path === undefined) return undefined;
  const type = String(declaration['type'] ?? 'string');
  return column(
    String(declaration['name']),
    (object, nowMs) => cellText(evaluateJsonPath(path, object), type, nowMs),
    {
      type: type === 'date' ? 'string' : type,
      format: String(declaration['format'] ?? ''),
      description: String(declaration['description'] ?? ''),
      priority: Number(declaration['priority'] ?? 0),
    },
  );
}
