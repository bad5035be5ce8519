/** The agent as flanneld's flags ask for it. */
import { existsSync } from 'node:fs';
import type { Logger } from 'pino';
import {
  agentPaths,
  defaultNodeName,
  etcdSource,
  FIRST_NETWORK,
  kubeNodesRegistry,
  type NetworkChoice,
  type RegistrySource,
  readyNotice,
  runAgent,
  wireguardKeyFile,
} from '#app/agent/index.ts';
import { isNotFound, type ObjectStore, RESOURCES } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, type KubeConfig, kubeConfigFor } from '#io/kube/index.ts';
import { FlagError } from './go-flags.ts';
import { networkName, USUAL_SUBNET_FILE } from './network-name.ts';
import type { FlanneldOptions, KubernetesRegistryOptions } from './options.ts';

/** Runs until the signal aborts. Rejects on configuration that cannot work. */
export async function runFlanneld(
  options: FlanneldOptions,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const { masquerade, forwardRules, forwardResyncSec, blackholeRoute, subnetFile, healthz } = options;
  using resources = new DisposableStack();
  const { node, source } = await openRegistry(options, logger, signal, resources);
  await runAgent(
    {
      node,
      network: networkOf(subnetFile),
      registry: source,
      root: '/',
      checksumOffload: 'auto',
      logger,
      rules: {
        ...(masquerade !== undefined && { masquerade }),
        forward: forwardRules,
        blackhole: blackholeRoute,
      },
      forwardResyncSec,
      wireguardKeyFile: wireguardKeyFile('/'),
      subnetFile,
      ...(healthz !== undefined && { health: healthz }),
      ifaces: options.ifaces,
      ifaceRegexes: options.ifaceRegexes,
      ...(options.ifaceCanReach !== undefined && { ifaceCanReach: options.ifaceCanReach }),
      ...(options.publicIp !== undefined && { publicIp: options.publicIp }),
      ...(options.publicIpv6 !== undefined && { publicIpv6: options.publicIpv6 }),
      onReady: readyNotice(logger),
    },
    signal,
  );
}

/** flannel's own file tells of a network that is the first, whether its daemon is Poplin or flannel: then this one is none. */
function networkOf(subnetFile: string): NetworkChoice {
  const name = networkName(subnetFile);
  return { name, mayBeFirst: name === FIRST_NETWORK || !existsSync(USUAL_SUBNET_FILE) };
}

/** The registry, and this node's name there. What must be closed goes onto the stack. */
async function openRegistry(
  { registry }: FlanneldOptions,
  logger: Logger,
  signal: AbortSignal,
  resources: DisposableStack,
): Promise<{ readonly node: string; readonly source: RegistrySource }> {
  const world = { clock: systemClock, random: systemRandom, logger };
  if (registry.type === 'etcd') {
    const { renewMarginSec, ...etcd } = registry;
    const identityFile = agentPaths('/').identity;
    return {
      node: defaultNodeName(process.env),
      source: resources.use(etcdSource({ ...world, identityFile, etcd, leaseTimes: { renewMarginSec } })),
    };
  }
  const config = kubeConfigOf(registry);
  logger.info({ source: config.source }, 'store');
  const store = resources.use(createKubeStore(config, world));
  return {
    node: await nodeNameOf(registry, store, signal),
    source: kubeNodesRegistry({ ...world, ...registry, store }),
  };
}

/** As clientcmd's BuildConfigFromFlags: the URL counts more than the file's, and is enough by itself. */
function kubeConfigOf({ apiUrl, kubeconfigFile }: KubernetesRegistryOptions): KubeConfig {
  if (kubeconfigFile === undefined) {
    return apiUrl === undefined ? kubeConfigFor() : { server: apiUrl, source: `-kube-api-url ${apiUrl}` };
  }
  const config = kubeConfigFor({ kubeconfigPath: kubeconfigFile });
  return apiUrl === undefined
    ? config
    : { ...config, server: apiUrl, source: `${config.source}, -kube-api-url ${apiUrl}` };
}

/** The node of this machine: as the environment says, or where the pod this runs in is. Throws FlagError if the pod says nothing. */
async function nodeNameOf(
  { node }: KubernetesRegistryOptions,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<string> {
  if ('name' in node) return node.name;
  const { pod, namespace } = node;
  try {
    const found = await store.get(RESOURCES.pods, pod, { namespace, signal });
    const name = (found['spec'] as { nodeName?: unknown } | undefined)?.nodeName;
    if (typeof name === 'string' && name !== '') return name;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new FlagError(`there is no pod ${namespace}/${pod}: POD_NAMESPACE and POD_NAME name none`, {
      cause: error,
    });
  }
  throw new FlagError(`pod ${namespace}/${pod} is on no node: set NODE_NAME`);
}
