/**
 * Which API server to talk to, where nobody says more than a flag: --kubeconfig, KUBECONFIG, the pod's service account,
 * ~/.kube/config, in this order.
 */
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe } from '#io/http/index.ts';
import { type KubeConfig, KubeconfigError, type ReadFile } from './config.ts';
import { inClusterConfig, isInCluster } from './in-cluster.ts';
import { mergeKubeconfigs, type ParsedKubeconfig, parseKubeconfig, resolveKubeconfig } from './kubeconfig.ts';

export interface KubeConfigChoice {
  /** A flag's value; nothing else is looked at. */
  readonly kubeconfigPath?: string;
  /** The context to use instead of current-context. */
  readonly context?: string;
  /** The process's own if absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The file system's if absent. */
  readonly readFile?: ReadFile;
}

/** The connection found first, which says in `source` where; throws KubeconfigError if there is none, or it is unusable. */
export function kubeConfigFor(choice: KubeConfigChoice = {}): KubeConfig {
  const { env = process.env, readFile = readText, kubeconfigPath } = choice;
  if (kubeconfigPath !== undefined) return fromFiles([kubeconfigPath], choice, readFile, true);
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) return fromFiles(listed, choice, readFile, listed.length === 1);
  if (isInCluster(env)) return inClusterConfig({ env, readFile });
  const home = env['HOME'];
  const path = home ? join(home, '.kube', 'config') : undefined;
  if (path !== undefined && exists(path, readFile)) return fromFiles([path], choice, readFile, true);
  throw new KubeconfigError('no kubernetes api server configured', [
    'no --kubeconfig',
    'KUBECONFIG is not set',
    'not in a pod (KUBERNETES_SERVICE_HOST is not set)',
    path === undefined ? 'HOME is not set' : `there is no ${path}`,
  ]);
}

/** As kubectl does: of several files, those that do not exist are skipped. */
function fromFiles(
  paths: readonly string[],
  choice: KubeConfigChoice,
  readFile: ReadFile,
  mustExist: boolean,
): KubeConfig {
  const source = `kubeconfig ${paths.join(', ')}`;
  const files: ParsedKubeconfig[] = [];
  for (const path of paths) {
    let text: string;
    try {
      text = readFile(path);
    } catch (cause) {
      if (!mustExist && isMissing(cause)) continue;
      throw new KubeconfigError(`kubeconfig ${path}`, [`cannot be read: ${describe(cause)}`], { cause });
    }
    files.push(parseKubeconfig(text, dirname(path), `kubeconfig ${path}`));
  }
  if (files.length === 0) throw new KubeconfigError(source, ['none of these files exists']);
  const options = choice.context === undefined ? { readFile } : { readFile, context: choice.context };
  return resolveKubeconfig(mergeKubeconfigs(files), { ...options, source });
}

function exists(path: string, readFile: ReadFile): boolean {
  try {
    readFile(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    return true; // unreadable: to be reported, not passed over
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
