/** Table answers, which kubectl asks for: the server chooses columns and prints cells. */
import type { KubeObject } from '#core/store/index.ts';
import type { JsonObject } from '../json.ts';
import type { Column } from './column.ts';

/** What each row carries of its object. */
export type IncludeObject = 'Metadata' | 'Object' | 'None';

/** The metadata-only form of an object. */
export const partialObject = (object: KubeObject): JsonObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: 'meta.k8s.io/v1',
  metadata: object.metadata,
});

/** An object’s row: the cells of the columns, and as much of the object as was asked for. */
export function tableRow(
  object: KubeObject,
  columns: readonly Column[],
  nowMs: number,
  include: IncludeObject,
): JsonObject {
  return {
    cells: columns.map((column) => column.cell(object, nowMs)),
    ...(include !== 'None' && { object: include === 'Object' ? object : partialObject(object) }),
  };
}

/** A Table of the objects; `metadata` is the list's own (resourceVersion, continue). */
export const tableOf = (
  objects: readonly KubeObject[],
  columns: readonly Column[],
  nowMs: number,
  include: IncludeObject,
  metadata: JsonObject,
): JsonObject => ({
  kind: 'Table',
  apiVersion: 'meta.k8s.io/v1',
  metadata,
  columnDefinitions: columns.map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format,
    description,
    priority,
  })),
  rows: objects.map((object) => tableRow(object, columns, nowMs, include)),
});
