/**
 * The connection of a pod to its own cluster: environment variables and the service account's mounted files.
 */

import { describe } from '#io/http/index.ts';
import { type KubeConfig, KubeconfigError, type ReadFile } from './config.ts';

export interface InClusterOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
}

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const SOURCE = 'in-cluster service account';

/** True where kubelet says that this process runs in a pod. */
export function isInCluster(env: InClusterOptions['env']): boolean {
  return Boolean(env['KUBERNETES_SERVICE_HOST'] && env['KUBERNETES_SERVICE_PORT']);
}

/** Throws KubeconfigError with all that is missing. The token is read anew as kubelet renews it. */
export function inClusterConfig({ env, readFile }: InClusterOptions): KubeConfig {
  const problems: string[] = [];
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '';
  if (host === '') problems.push('KUBERNETES_SERVICE_HOST is not set');
  if (!/^\d+$/.test(port)) problems.push(`KUBERNETES_SERVICE_PORT "${port}" is no port`);
  const read = (name: string): string => {
    try {
      return readFile(`${FOLDER}/${name}`);
    } catch (cause) {
      problems.push(`cannot read ${FOLDER}/${name}: ${describe(cause)}`);
      return '';
    }
  };
  const certificateAuthority = read('ca.crt');
  read('token');
  if (problems.length > 0) throw new KubeconfigError(SOURCE, problems);
  const namespace = namespaceOf(readFile);
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    certificateAuthority,
    readToken: () => readFile(`${FOLDER}/token`).trim(),
    ...(namespace === undefined ? {} : { namespace }),
    source: SOURCE,
  };
}

/** The pod's namespace; some mounts leave it out. */
function namespaceOf(readFile: ReadFile): string | undefined {
  try {
    return readFile(`${FOLDER}/namespace`).trim() || undefined;
  } catch {
    return undefined;
  }
}
