/**
 * Leases in etcd, in flannel's layout: runs the lease's state machine (core/lease/etcd) against etcd, follows the keys of all nodes,
 * and reads the network's configuration. One object for each network; nothing is shared between them.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import { formatProblem, requireConfig } from '#core/config/index.ts';
import { type EtcdClient, type EtcdLayout, etcdLayout } from '#core/lease/etcd/index.ts';
import { type NetConf, parseNetConf } from '#core/lease/index.ts';
import { connectEtcd, type EtcdOptions, followEtcd } from '#io/etcd/index.ts';
import {
  EtcdLeaseKeeper,
  type EtcdLeaseRegistry,
  type EtcdOpenOptions,
  withAddresses,
} from './etcd-keeper.ts';

export interface EtcdRegistryOptions {
  readonly etcd: EtcdOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Milliseconds of a clock that only goes forward; Node's own if absent. */
  readonly elapsedMs?: () => number;
  /** Instead of a client of `etcd.endpoints`; not closed. */
  readonly client?: EtcdClient;
}

/** Disposal closes the connection to etcd. */
export interface EtcdRegistry extends Disposable {
  readonly layout: EtcdLayout;
  /** Waits for the configuration where there is none yet. Throws ConfigError with all problems, or the signal's reason. */
  netConf(signal: AbortSignal): Promise<NetConf>;
  /** Throws RangeError for a family of the network without an address, and for lease times that leave no time. */
  open(options: EtcdOpenOptions): EtcdLeaseRegistry;
}

/** Throws EtcdOptionsError; connects when something is asked. */
export function etcdRegistry(options: EtcdRegistryOptions): EtcdRegistry {
  const { etcd, clock, random, logger, elapsedMs = () => performance.now() } = options;
  const closing = new DisposableStack();
  const client = options.client ?? closing.use(connectEtcd(etcd, { clock, logger }));
  const layout = etcdLayout(etcd.prefix);
  const world = { client, clock, random, logger, elapsedMs };
  return {
    layout,
    async netConf(signal) {
      const source = `etcd key ${layout.configKey}`;
      const result = parseNetConf(await configText(world, layout, signal), source);
      for (const warning of result.warnings)
        logger.warn({ reason: formatProblem(warning) }, 'network configuration');
      return requireConfig(result);
    },
    open: ({ node, ownerUid, netConf, offer, publicIps, previous, leaseTimes }) =>
      new EtcdLeaseKeeper({
        ...world,
        publicIps,
        lease: {
          layout,
          node,
          ownerUid,
          netConf,
          offer: withAddresses(offer, publicIps, netConf, node),
          ...leaseTimes,
          ...(previous === undefined ? {} : { previous }),
        },
      }),
    [Symbol.dispose]: () => closing.dispose(),
  };
}

type World = Pick<EtcdRegistryOptions, 'clock' | 'random' | 'logger'> & { readonly client: EtcdClient };

/** The text of the configuration, as soon as there is one. */
async function configText(
  { client, clock, random, logger }: World,
  { configKey: key }: EtcdLayout,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const following = new AbortController();
  const stop = () => following.abort();
  signal.addEventListener('abort', stop, { once: true });
  let text: string | undefined;
  const take = (value: string) => {
    text = value;
    stop();
  };
  try {
    await followEtcd(
      client,
      { key },
      { clock, random, signal: following.signal },
      {
        sync: ([kv]) => {
          if (kv !== undefined) take(kv.value);
          else logger.info({ key }, 'waiting for the network configuration in etcd');
        },
        upsert: (kv) => take(kv.value),
        remove: () => {},
        connection: (state, cause) => {
          if (state === 'down') logger.warn({ err: cause }, 'network configuration: etcd away');
        },
      },
    );
  } finally {
    signal.removeEventListener('abort', stop);
  }
  signal.throwIfAborted();
  return text ?? '';
}
