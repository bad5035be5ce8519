/** JSON Patch, RFC 6902, with RFC 6901 pointers: all six operations, applied to a copy, all or nothing. */
import { cloneJson, equalJson, isObject, type JsonObject } from '../json.ts';
import { PatchError } from './patch-error.ts';

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

const OPERATIONS = ['add', 'remove', 'replace', 'move', 'copy', 'test'];
const LIMIT = 10_000;

/** Splits a JSON pointer into its unescaped keys. */
export function parsePointer(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new PatchError('malformed', `path "${pointer}" must start with "/"`);
  const keys = pointer
    .slice(1)
    .split('/')
    .map((key) => {
      if (/~([^01]|$)/.test(key)) {
        throw new PatchError('malformed', `path "${pointer}": "~" must be written "~0", and "/" "~1"`);
      }
      return key.replaceAll('~1', '/').replaceAll('~0', '~');
    });
  if (keys.includes('__proto__'))
    throw new PatchError('malformed', `path "${pointer}": key __proto__ is refused`);
  return keys;
}

/** Writes keys as a JSON pointer. */
export const formatPointer = (keys: readonly string[]): string =>
  keys.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** Checks the shape of a JSON patch document. Throws PatchError. */
export function parseJsonPatch(patch: unknown): JsonPatchOperation[] {
  if (!Array.isArray(patch)) throw new PatchError('malformed', 'a JSON patch must be an array of operations');
  if (patch.length > LIMIT) {
    throw new PatchError(
      'malformed',
      `a JSON patch may have at most ${LIMIT} operations, this one has ${patch.length}`,
    );
  }
  return patch.map((operation: unknown, index) => {
    const where = `operation ${index}`;
    if (!isObject(operation)) throw new PatchError('malformed', `${where} must be an object`);
    const { op, path, from } = operation;
    if (typeof op !== 'string' || !OPERATIONS.includes(op)) {
      throw new PatchError(
        'malformed',
        `${where}: op must be one of ${OPERATIONS.join(', ')}, not ${JSON.stringify(op)}`,
      );
    }
    if (typeof path !== 'string') throw new PatchError('malformed', `${where} (${op}): path is missing`);
    if ((op === 'move' || op === 'copy') && typeof from !== 'string') {
      throw new PatchError('malformed', `${where} (${op} ${path}): from is missing`);
    }
    if ((op === 'add' || op === 'replace' || op === 'test') && !Object.hasOwn(operation, 'value')) {
      throw new PatchError('malformed', `${where} (${op} ${path}): value is missing`);
    }
    return operation as unknown as JsonPatchOperation;
  });
}

const absent = (operation: JsonPatchOperation, pointer: string): PatchError =>
  new PatchError('inapplicable', `${operation.op} ${operation.path}: path "${pointer}" does not exist`);

function indexIn(list: readonly unknown[], key: string, mayAppend: boolean, fail: () => PatchError): number {
  if (key === '-' && mayAppend) return list.length;
  if (!/^(0|[1-9]\d*)$/.test(key)) throw fail();
  const index = Number(key);
  if (index > list.length || (index === list.length && !mayAppend)) throw fail();
  return index;
}

function lookUp(root: unknown, pointer: string, operation: JsonPatchOperation): unknown {
  let value = root;
  for (const key of parsePointer(pointer)) {
    if (Array.isArray(value)) value = value[indexIn(value, key, false, () => absent(operation, pointer))];
    else if (isObject(value) && Object.hasOwn(value, key)) value = value[key];
    else throw absent(operation, pointer);
  }
  return value;
}

/** Holds the document, so that the root can be replaced like any other value. */
type Box = JsonObject & { root: unknown };

type Change = (container: unknown[] | JsonObject, key: string) => void;

/** Runs the change on the container that holds the pointer's last key; the root itself is held by a box. */
function atParent(box: Box, pointer: string, operation: JsonPatchOperation, change: Change): void {
  const keys = parsePointer(pointer);
  const last = keys.pop();
  if (last === undefined) return change(box, 'root');
  const container = lookUp(box.root, formatPointer(keys), operation);
  if (!Array.isArray(container) && !isObject(container)) throw absent(operation, pointer);
  change(container, last);
}

function add(box: Box, pointer: string, value: unknown, operation: JsonPatchOperation): void {
  atParent(box, pointer, operation, (container, key) => {
    if (Array.isArray(container)) {
      container.splice(
        indexIn(container, key, true, () => absent(operation, pointer)),
        0,
        value,
      );
    } else container[key] = value;
  });
}

function remove(box: Box, pointer: string, operation: JsonPatchOperation): void {
  atParent(box, pointer, operation, (container, key) => {
    if (Array.isArray(container)) {
      container.splice(
        indexIn(container, key, false, () => absent(operation, pointer)),
        1,
      );
    } else if (Object.hasOwn(container, key)) delete container[key];
    else throw absent(operation, pointer);
  });
}

function replace(box: Box, operation: JsonPatchOperation): void {
  lookUp(box.root, operation.path, operation);
  atParent(box, operation.path, operation, (container, key) => {
    if (Array.isArray(container)) container[Number(key)] = cloneJson(operation.value);
    else container[key] = cloneJson(operation.value);
  });
}

function applyOperation(box: Box, operation: JsonPatchOperation): void {
  const { path, from = '' } = operation;
  switch (operation.op) {
    case 'add':
      return add(box, path, cloneJson(operation.value), operation);
    case 'remove':
      return remove(box, path, operation);
    case 'replace':
      return replace(box, operation);
    case 'copy':
      return add(box, path, cloneJson(lookUp(box.root, from, operation)), operation);
    case 'move': {
      const value = lookUp(box.root, from, operation);
      // RFC 6902 section 4.4: the from location must not be a proper prefix of the path location
      if (path.startsWith(`${from}/`)) {
        throw new PatchError('inapplicable', `move ${from} to ${path}: a value cannot move into itself`);
      }
      remove(box, from, operation);
      return add(box, path, value, operation);
    }
    case 'test': {
      const found = lookUp(box.root, path, operation);
      if (equalJson(found, operation.value)) return;
      throw new PatchError(
        'inapplicable',
        `test ${path}: found ${JSON.stringify(found)}, expected ${JSON.stringify(operation.value)}`,
      );
    }
    default:
      return operation.op satisfies never;
  }
}

/** Applies the operations in order to a copy of the document. Throws PatchError; the document is never changed. */
export function applyJsonPatch(document: unknown, operations: readonly JsonPatchOperation[]): unknown {
  const box = { root: cloneJson(document) };
  for (const operation of operations) applyOperation(box, operation);
  return box.root;
}
