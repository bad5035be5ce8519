/**
 * Getting and giving back an attachment's addresses: in this process where the IPAM plugin is our host-local, by execution
 * otherwise (specification 1.1.0, section 4). Every command is passed on: ADD, DEL, CHECK, STATUS and GC.
 */
import type { AddressStore, ExecPlugin } from '../ports.ts';
import { executePlugin } from '../runtime/execute.ts';
import { decodeResult } from '../spec/decode.ts';
import type { CniEnvironment } from '../spec/environment.ts';
import type { NetworkConfig } from '../spec/network-config.ts';
import { type CniResult, EMPTY_RESULT } from '../spec/result.ts';
import type { IpamChoice } from './definition.ts';
import {
  addHostLocal,
  checkHostLocal,
  hostLocalPlace,
  parseHostLocalConfig,
  parseResolvConf,
  statusHostLocal,
} from './host-local/index.ts';

export interface IpamPorts {
  readonly addresses: AddressStore;
  readonly exec: ExecPlugin;
  /** The text of a resolv.conf file; rejects if it cannot be read. */
  readonly readResolvConf: (path: string) => Promise<string>;
}

/** One call's view of its IPAM plugin. */
export interface Ipam {
  add(signal?: AbortSignal): Promise<CniResult>;
  del(signal?: AbortSignal): Promise<void>;
  check(signal?: AbortSignal): Promise<void>;
  status(signal?: AbortSignal): Promise<void>;
  gc(signal?: AbortSignal): Promise<void>;
}

/** The choice a network configuration makes; throws CniError 7 if its host-local section is wrong. */
export function chooseIpam(network: NetworkConfig, cniArgs: string): IpamChoice {
  if (network.ipamType === undefined) return { kind: 'none' };
  if (network.ipamType !== 'host-local') return { kind: 'delegate', type: network.ipamType };
  return { kind: 'host-local', config: parseHostLocalConfig(network, cniArgs) };
}

/** Opens the chosen IPAM plugin for one call. */
export function openIpam(
  choice: IpamChoice,
  network: NetworkConfig,
  environment: CniEnvironment,
  ports: IpamPorts,
): Ipam {
  if (choice.kind === 'delegate') return delegatedIpam(choice.type, network, environment, ports.exec);
  const giveBack = giveBackOf(choice.kind, network, environment, ports.addresses);
  const nothing = async () => {};
  if (choice.kind === 'none')
    return { add: async () => EMPTY_RESULT, check: nothing, status: nothing, ...giveBack };
  const { config } = choice;
  const place = { name: config.network, dataDir: config.dataDir };
  return {
    ...giveBack,
    async add() {
      const dns =
        config.resolvConf === undefined
          ? undefined
          : parseResolvConf(await ports.readResolvConf(config.resolvConf));
      return ports.addresses.withNetwork(place, (addresses) =>
        addHostLocal(config, environment, addresses, dns),
      );
    },
    check: () => ports.addresses.withNetwork(place, (addresses) => checkHostLocal(environment, addresses)),
    status: () => ports.addresses.withNetwork(place, (addresses) => statusHostLocal(config, addresses)),
  };
}

/** The IPAM plugin of a call that only gives back (DEL, GC): nothing of its configuration is checked. */
export function openIpamToGiveBack(
  type: string | undefined,
  network: NetworkConfig,
  environment: CniEnvironment,
  ports: IpamPorts,
): Pick<Ipam, 'del' | 'gc'> {
  if (type !== undefined && type !== 'host-local')
    return delegatedIpam(type, network, environment, ports.exec);
  return giveBackOf(type === undefined ? 'none' : 'host-local', network, environment, ports.addresses);
}

function giveBackOf(
  kind: 'none' | 'host-local',
  network: NetworkConfig,
  environment: CniEnvironment,
  store: AddressStore,
): Pick<Ipam, 'del' | 'gc'> {
  if (kind === 'none') return { del: async () => {}, gc: async () => {} };
  const { network: name, dataDir } = hostLocalPlace(network);
  return {
    async del() {
      await store.withNetwork({ name, dataDir }, (addresses) => addresses.release(environment));
    },
    async gc() {
      const valid = network.validAttachments;
      if (valid) await store.withNetwork({ name, dataDir }, (addresses) => addresses.retainOnly(valid));
    },
  };
}

function delegatedIpam(
  type: string,
  network: NetworkConfig,
  environment: CniEnvironment,
  exec: ExecPlugin,
): Ipam {
  const run = (command: CniEnvironment['command'], signal?: AbortSignal) =>
    executePlugin(exec, { type, environment: { ...environment, command }, request: network.json }, signal);
  const quietly = (command: CniEnvironment['command']) => async (signal?: AbortSignal) => {
    await run(command, signal);
  };
  return {
    async add(signal) {
      return decodeResult(await run('ADD', signal), network.cniVersion, `result of IPAM plugin ${type}`);
    },
    del: quietly('DEL'),
    check: quietly('CHECK'),
    status: quietly('STATUS'),
    gc: quietly('GC'),
  };
}
