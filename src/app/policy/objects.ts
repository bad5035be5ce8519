/** The objects that a command is about: those of files and folders, or of the cluster. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { parseAllDocuments } from 'yaml';
import { type ObjectProblem, POLICY_RESOURCES, PolicyCluster } from '#core/policy/index.ts';
import { isNotFound, type KubeObject } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, kubeConfigFor } from '#io/kube/index.ts';

/** A file or a cluster that cannot be read, or something that is asked for and not there: the message says what. Exit status 2. */
export class PolicyUsageError extends Error {
  override readonly name = 'PolicyUsageError';
}

export interface ObjectSource {
  /** Files and folders; absent: the cluster. */
  readonly file?: readonly string[];
  readonly kubeconfig?: string;
}

const FILE_NAME = /\.(ya?ml|json)$/;

/** Everything there is, and what cannot be used of it. Throws PolicyUsageError. */
export async function loadCluster(source: ObjectSource): Promise<PolicyCluster> {
  const objects = source.file === undefined ? await ofCluster(source.kubeconfig) : ofFiles(source.file);
  return clusterOf(objects);
}

export function clusterOf(objects: Iterable<KubeObject>): PolicyCluster {
  const cluster = new PolicyCluster();
  for (const object of objects) cluster.upsert(object);
  return cluster;
}

/** All documents of files, and of files in folders and the folders in them; a List is its items. */
export function ofFiles(paths: readonly string[]): KubeObject[] {
  return paths.flatMap(filesBelow).flatMap((path) => {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      throw new PolicyUsageError((error as Error).message, { cause: error });
    }
    return parseAllDocuments(text).flatMap((document, index) => {
      const [error] = document.errors;
      if (error !== undefined) throw new PolicyUsageError(`${path}: ${error.message}`);
      return objectsOf(document.toJS(), `${path}, document ${index + 1}`);
    });
  });
}

function filesBelow(path: string): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
  } catch (error) {
    throw new PolicyUsageError((error as Error).message, { cause: error });
  }
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => FILE_NAME.test(name))
    .toSorted()
    .map((name) => join(path, name));
}

/** The object that a document is; a List is its items. `where` is for the error. Throws PolicyUsageError. */
export function objectsOf(value: unknown, where: string): KubeObject[] {
  if (value === null || value === undefined) return []; // nothing but comments
  const object = value as Partial<KubeObject> & { items?: unknown };
  if (typeof object.kind === 'string' && object.kind.endsWith('List') && Array.isArray(object.items))
    return object.items.flatMap((item) => objectsOf(item, where));
  const isObject =
    typeof object.apiVersion === 'string' &&
    typeof object.kind === 'string' &&
    typeof object.metadata?.name === 'string';
  if (!isObject)
    throw new PolicyUsageError(`${where}: no object: apiVersion, kind and metadata.name are needed`);
  return [withNamespace(object as KubeObject)];
}

const NAMESPACED = new Set(
  POLICY_RESOURCES.filter(({ namespaced }) => namespaced).map(({ group, kind }) => `${group} ${kind}`),
);

/** As kubectl does where nothing else is said. */
function withNamespace(object: KubeObject): KubeObject {
  const group = object.apiVersion.includes('/') ? object.apiVersion.split('/')[0] : '';
  if (object.metadata.namespace !== undefined || !NAMESPACED.has(`${group} ${object.kind}`)) return object;
  return { ...object, metadata: { ...object.metadata, namespace: 'default' } };
}

async function ofCluster(kubeconfig: string | undefined): Promise<KubeObject[]> {
  const config = kubeConfigFor(kubeconfig === undefined ? {} : { kubeconfigPath: kubeconfig });
  const logger = pino({ level: 'silent' });
  using store = createKubeStore(config, { clock: systemClock, random: systemRandom, logger });
  const lists = await Promise.all(
    POLICY_RESOURCES.map(async (resource) => {
      try {
        const { items } = await store.list(resource);
        const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
        // Items of a list say neither.
        return items.map((item) => ({ ...item, apiVersion, kind: resource.kind }));
      } catch (error) {
        if (isNotFound(error)) return []; // the server has no such kind
        throw new PolicyUsageError(`${config.server}: ${resource.plural}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }),
  );
  return lists.flat();
}

/** Objects that are not as they should be, one line each. */
export function problemLines(problems: readonly ObjectProblem[]): string[] {
  return problems.map(
    ({ object, path, message, isUsed }) =>
      `${object}: ${path}: ${message}${isUsed ? '' : ' (the object is not used)'}`,
  );
}
