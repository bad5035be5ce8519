/**
 * kubeconfig files (kubectl's format): parsed, merged as kubectl merges them, and resolved to one connection. Credential
 * plugins and other ways to log in that need a program or a dialogue are refused, not ignored.
 */
import { isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { describe } from '#io/http/index.ts';
import { type KubeConfig, KubeconfigError, type ReadFile } from './config.ts';

export interface KubeconfigOptions {
  readonly readFile: ReadFile;
  /** The folder relative paths in the file start from; the working directory if absent. */
  readonly folder?: string;
  /** The context to use instead of current-context. */
  readonly context?: string;
  /** What to call the file in messages: `kubeconfig /root/.kube/config`. */
  readonly source?: string;
}

/** Parses one kubeconfig file and resolves its current context; throws KubeconfigError with all problems found. */
export function loadKubeconfig(text: string, options: KubeconfigOptions): KubeConfig {
  const source = options.source ?? 'kubeconfig';
  return resolveKubeconfig(parseKubeconfig(text, options.folder ?? '.', source), { ...options, source });
}

const cluster = z.looseObject({
  server: z.string().optional(),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': z.string().optional(),
  'proxy-url': z.string().optional(),
});
const user = z.looseObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
  exec: z.looseObject({ command: z.string().optional() }).optional(),
  'auth-provider': z.looseObject({ name: z.string().optional() }).optional(),
  username: z.string().optional(),
  as: z.string().optional(),
});
const context = z.looseObject({
  cluster: z.string().optional(),
  user: z.string().optional(),
  namespace: z.string().optional(),
});
const kubeconfig = z.looseObject({
  'current-context': z.string().nullish(),
  clusters: z.array(z.looseObject({ name: z.string(), cluster: cluster.nullish() })).nullish(),
  users: z.array(z.looseObject({ name: z.string(), user: user.nullish() })).nullish(),
  contexts: z.array(z.looseObject({ name: z.string(), context: context.nullish() })).nullish(),
});

type Cluster = z.infer<typeof cluster>;
type User = z.infer<typeof user>;
type Context = z.infer<typeof context>;

/** An entry with the folder its relative paths start from. */
interface Entry<T> {
  readonly value: T;
  readonly folder: string;
}

export interface ParsedKubeconfig {
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, Entry<Cluster>>;
  readonly users: ReadonlyMap<string, Entry<User>>;
  readonly contexts: ReadonlyMap<string, Entry<Context>>;
}

/** The entries of one file by name; throws KubeconfigError where the text is no kubeconfig. An empty file has none. */
export function parseKubeconfig(text: string, folder: string, source: string): ParsedKubeconfig {
  let document: unknown;
  try {
    document = parse(text) ?? {};
  } catch (cause) {
    const first = cause instanceof Error ? (cause.message.split('\n')[0] as string) : String(cause);
    throw new KubeconfigError(source, [`not YAML: ${first}`], { cause });
  }
  const result = kubeconfig.safeParse(document);
  if (!result.success)
    throw new KubeconfigError(
      source,
      result.error.issues.map((issue) => `${issue.path.join('.') || 'the document'}: ${issue.message}`),
    );
  const { clusters, users, contexts, 'current-context': current } = result.data;
  return {
    currentContext: current || undefined,
    clusters: byName(clusters, (entry) => entry.cluster, folder),
    users: byName(users, (entry) => entry.user, folder),
    contexts: byName(contexts, (entry) => entry.context, folder),
  };
}

/** Merges files in order: the first to name an entry, or the current context, wins. */
export function mergeKubeconfigs(files: readonly ParsedKubeconfig[]): ParsedKubeconfig {
  const first = <T>(maps: readonly ReadonlyMap<string, T>[]) => {
    const merged = new Map<string, T>();
    for (const map of maps) for (const [name, entry] of map) if (!merged.has(name)) merged.set(name, entry);
    return merged;
  };
  return {
    currentContext: files.find((file) => file.currentContext !== undefined)?.currentContext,
    clusters: first(files.map((file) => file.clusters)),
    users: first(files.map((file) => file.users)),
    contexts: first(files.map((file) => file.contexts)),
  };
}

/** The connection of a context; throws KubeconfigError with all problems found. */
export function resolveKubeconfig(
  config: ParsedKubeconfig,
  options: KubeconfigOptions & { readonly source: string },
): KubeConfig {
  const { source, readFile } = options;
  const name = options.context ?? config.currentContext;
  if (name === undefined)
    throw new KubeconfigError(source, ['no current-context; set one with kubectl config use-context']);
  const chosen = config.contexts.get(name)?.value;
  if (chosen === undefined)
    throw new KubeconfigError(source, [
      `context "${name}" is not among its contexts (${listNames(config.contexts)})`,
    ]);
  const problems: string[] = [];
  const clusterEntry = config.clusters.get(chosen.cluster ?? '');
  const userEntry = config.users.get(chosen.user ?? '');
  if (clusterEntry === undefined)
    problems.push(`context "${name}": cluster "${chosen.cluster ?? ''}" is not among its clusters`);
  if (chosen.user && userEntry === undefined)
    problems.push(`context "${name}": user "${chosen.user}" is not among its users`);
  const material = new Material(readFile, problems);
  const resolved: KubeConfig = {
    ...(clusterEntry ? clusterPart(clusterEntry, `cluster "${chosen.cluster}"`, material) : { server: '' }),
    ...(userEntry ? userPart(userEntry, `user "${chosen.user}"`, material) : {}),
    ...(chosen.namespace ? { namespace: chosen.namespace } : {}),
    source: `${source}, context "${name}"`,
  };
  if (problems.length > 0) throw new KubeconfigError(source, problems);
  return resolved;
}

function clusterPart(entry: Entry<Cluster>, what: string, material: Material) {
  const { value } = entry;
  const server = value.server ?? '';
  if (!isServerUrl(server)) material.problems.push(`${what}: server "${server}" is no http or https URL`);
  if (value['proxy-url']) material.problems.push(`${what}: proxy-url is not supported; remove it`);
  const ca = material.pem(entry.folder, value, 'certificate-authority', what);
  const insecure = value['insecure-skip-tls-verify'] === true;
  if (insecure && ca !== undefined)
    material.problems.push(`${what}: insecure-skip-tls-verify and certificate-authority exclude each other`);
  return {
    server,
    ...(ca === undefined ? {} : { certificateAuthority: ca }),
    ...(insecure ? { insecureSkipTlsVerify: true } : {}),
    ...(value['tls-server-name'] ? { tlsServerName: value['tls-server-name'] } : {}),
  };
}

function userPart(entry: Entry<User>, what: string, material: Material) {
  const { value, folder } = entry;
  const refuse = (key: string, remedy: string) =>
    material.problems.push(`${what}: ${key} is not supported; ${remedy}`);
  const otherwise = 'use a token, a tokenFile or a client certificate';
  if (value.exec) refuse(`credential plugin (exec: ${value.exec.command ?? '?'})`, otherwise);
  if (value['auth-provider']) refuse(`auth-provider ${value['auth-provider'].name ?? '?'}`, otherwise);
  if (value.username) refuse('basic authentication (username)', otherwise);
  if (value.as) refuse('impersonation (as)', 'remove it');
  const certificate = material.pem(folder, value, 'client-certificate', what);
  const key = material.pem(folder, value, 'client-key', what);
  if ((certificate === undefined) !== (key === undefined))
    material.problems.push(`${what}: client-certificate and client-key belong together, one is missing`);
  return {
    ...(certificate !== undefined && key !== undefined
      ? { clientCertificate: certificate, clientKey: key }
      : {}),
    ...material.token(folder, value, what),
  };
}

/** Reads what a kubeconfig names or holds, and notes what cannot be read. */
class Material {
  readonly problems: string[];
  readonly #readFile: ReadFile;

  constructor(readFile: ReadFile, problems: string[]) {
    this.#readFile = readFile;
    this.problems = problems;
  }

  /** PEM text under `KEY-data` (base64), which wins as in kubectl, or in the file under `KEY`. */
  pem(folder: string, from: Record<string, unknown>, key: string, what: string): string | undefined {
    const inline = from[`${key}-data`];
    if (typeof inline === 'string' && inline !== '') {
      const text = Buffer.from(inline, 'base64').toString('utf8');
      if (!text.includes('-----BEGIN')) this.problems.push(`${what}: ${key}-data is no base64 of PEM`);
      return text;
    }
    const path = from[key];
    if (typeof path !== 'string' || path === '') return undefined;
    const text = this.#read(resolvePath(folder, path), `${what}: ${key}`);
    if (text !== undefined && !text.includes('-----BEGIN'))
      this.problems.push(`${what}: ${key} ${resolvePath(folder, path)} holds no PEM`);
    return text ?? '';
  }

  /** A token, or the reader of a token file, which wins as in kubectl. */
  token(folder: string, value: User, what: string): { readToken?: () => string } {
    if (value.tokenFile) {
      const path = resolvePath(folder, value.tokenFile);
      this.#read(path, `${what}: tokenFile`);
      const readFile = this.#readFile;
      return { readToken: () => readFile(path).trim() };
    }
    const token = value.token?.trim();
    return token ? { readToken: () => token } : {};
  }

  #read(path: string, what: string): string | undefined {
    try {
      return this.#readFile(path);
    } catch (cause) {
      this.problems.push(`${what}: cannot read ${path}: ${describe(cause)}`);
      return undefined;
    }
  }
}

function byName<E extends { name: string }, T>(
  entries: readonly E[] | null | undefined,
  pick: (entry: E) => T | null | undefined,
  folder: string,
): Map<string, Entry<T>> {
  const map = new Map<string, Entry<T>>();
  for (const entry of entries ?? []) {
    const value = pick(entry);
    if (value != null && !map.has(entry.name)) map.set(entry.name, { value, folder });
  }
  return map;
}

function resolvePath(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function isServerUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function listNames(map: ReadonlyMap<string, unknown>): string {
  return map.size === 0 ? 'there are none' : [...map.keys()].join(', ');
}
