/**
 * JSON patch (RFC 6902), merge patch (RFC 7386) and enough of Kubernetes' strategic merge patch for the fake store.
 * All return new values and leave their arguments alone.
 */
import { type PatchType, StoreError } from '#core/store/index.ts';

type Fields = Record<string, unknown>;

/** The patched document; throws StoreError Invalid where the patch does not fit. */
export function applyPatch(type: PatchType, document: unknown, patch: unknown): unknown {
  if (type === 'json') return applyJsonPatch(document, patch);
  return mergeInto(document, patch, type === 'strategic');
}

/** Lists of objects that strategic merge patches merge by a key, by the name of their field. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  addresses: 'type',
  conditions: 'type',
  containers: 'name',
  env: 'name',
  ownerReferences: 'uid',
  podIPs: 'ip',
  ports: 'containerPort',
  taints: 'key',
  volumes: 'name',
};

function mergeInto(target: unknown, patch: unknown, strategic: boolean, field = ''): unknown {
  const key = MERGE_KEYS[field];
  if (strategic && Array.isArray(patch) && Array.isArray(target) && key !== undefined)
    return mergeLists(target, patch, key);
  if (!isFields(patch)) return structuredClone(patch);
  const out: Fields = isFields(target) && patch['$patch'] !== 'replace' ? structuredClone(target) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (strategic && name.startsWith('$')) continue;
    if (value === null) delete out[name];
    else out[name] = mergeInto(out[name], value, strategic, name);
  }
  return out;
}

function mergeLists(target: unknown[], patch: unknown[], key: string): unknown[] {
  let out = structuredClone(target);
  for (const item of patch) {
    if (!isFields(item)) return structuredClone(patch);
    const index = out.findIndex((old) => isFields(old) && old[key] === item[key]);
    if (item['$patch'] === 'delete') out = out.filter((_, i) => i !== index);
    else if (index < 0) out.push(mergeInto({}, item, true));
    else out[index] = mergeInto(out[index], item, true);
  }
  return out;
}

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw invalid('a JSON patch is a list of operations');
  const root: Fields = { '': structuredClone(document) };
  for (const operation of patch as Operation[]) applyOperation(root, operation);
  return root[''];
}

function applyOperation(root: Fields, { op, path, from, value }: Operation): void {
  switch (op) {
    case 'add':
      return insert(root, path, structuredClone(value));
    case 'remove':
      remove(root, path);
      return;
    case 'replace':
      remove(root, path);
      return insert(root, path, structuredClone(value));
    case 'move':
      return insert(root, path, remove(root, from ?? ''));
    case 'copy':
      return insert(root, path, structuredClone(read(root, from ?? '')));
    case 'test':
      if (!sameJson(read(root, path), value)) throw invalid(`testing value ${path} failed`);
      return;
    default:
      throw invalid(`unknown operation "${op}"`);
  }
}

/** RFC 6901: the container a pointer's last step is taken in, and that step. */
function locate(root: Fields, path: string): { container: unknown[] | Fields; step: string } {
  const steps = path.split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (steps[0] !== '') throw invalid(`not a JSON pointer: "${path}"`);
  const step = steps.pop() as string;
  let container: unknown = root;
  for (const name of steps) container = (container as Fields | undefined)?.[name];
  if (!Array.isArray(container) && !isFields(container)) throw invalid(`there is nothing at "${path}"`);
  return { container, step };
}

function read(root: Fields, path: string): unknown {
  const { container, step } = locate(root, path);
  const value = (container as Fields)[step];
  if (value === undefined) throw invalid(`there is nothing at "${path}"`);
  return value;
}

function insert(root: Fields, path: string, value: unknown): void {
  const { container, step } = locate(root, path);
  if (!Array.isArray(container)) {
    container[step] = value;
    return;
  }
  const index = step === '-' ? container.length : Number(step);
  if (!Number.isInteger(index) || index < 0 || index > container.length)
    throw invalid(`"${path}" is outside of its list`);
  container.splice(index, 0, value);
}

function remove(root: Fields, path: string): unknown {
  const value = read(root, path);
  const { container, step } = locate(root, path);
  if (Array.isArray(container)) container.splice(Number(step), 1);
  else delete container[step];
  return value;
}

/** Equality of JSON values; the order of an object's keys is no difference. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((x, i) => sameJson(x, b[i]))
    );
  if (!isFields(a) || !isFields(b)) return false;
  const keys = Object.keys(a).filter((key) => a[key] !== undefined);
  const others = Object.keys(b).filter((key) => b[key] !== undefined);
  return keys.length === others.length && keys.every((key) => sameJson(a[key], b[key]));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): StoreError {
  return new StoreError(422, 'Invalid', `the patch does not apply: ${message}`);
}
