/**
 * Getting and giving back an attachment's addresses: in this process where the IPAM plugin is one of ours, by execution
 * otherwise (specification 1.1.0, section 4). Every command is passed on: ADD, DEL, CHECK, STATUS and GC.
 */
import type { AddressStore, DhcpClient, ExecPlugin } from '../ports.ts';
import { executePlugin } from '../runtime/execute.ts';
import { decodeResult } from '../spec/decode.ts';
import type { CniEnvironment } from '../spec/environment.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import type { NetworkConfig } from '../spec/network-config.ts';
import { type CniResult, EMPTY_RESULT } from '../spec/result.ts';
import { attachmentOf } from './attachment.ts';
import type { IpamChoice } from './definition.ts';
import { parseDhcpConfig } from './dhcp/index.ts';
import {
  addHostLocal,
  checkHostLocal,
  hostLocalPlace,
  parseHostLocalConfig,
  parseResolvConf,
  statusHostLocal,
} from './host-local/index.ts';
import { checkStatic, parseStaticConfig } from './static/index.ts';

/** IPAM plugins served in this process. */
export const IPAM_PLUGINS = ['dhcp', 'host-local', 'static'] as const;
type OwnIpam = (typeof IPAM_PLUGINS)[number];

export interface IpamPorts {
  readonly addresses: AddressStore;
  readonly dhcp: DhcpClient;
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
  /** It speaks over the container's link: ADD comes after the link is made, DEL before it is taken away. */
  readonly needsLink?: true;
  /** It is somebody else's program, which only a DEL that fails has called again. */
  readonly isDelegated?: true;
}

/** What can be done with addresses that were given before. */
export type HeldIpam = Pick<Ipam, 'del' | 'check' | 'gc' | 'needsLink' | 'isDelegated'>;

const nothing = async () => {};

/** The choice a network configuration makes; throws CniError 7 if its section for a plugin of ours is wrong. */
export function chooseIpam(network: NetworkConfig, cniArgs: string): IpamChoice {
  const type = network.ipamType;
  if (type === undefined) return { kind: 'none' };
  return isOwnIpam(type) ? chooseOwnIpam(type, network, cniArgs) : { kind: 'delegate', type };
}

/** True for an IPAM plugin that is served in this process. */
export function isOwnIpam(type: string): type is OwnIpam {
  return (IPAM_PLUGINS as readonly string[]).includes(type);
}

/** As chooseIpam, for an IPAM plugin of ours that is called by its own name. */
export function chooseOwnIpam(type: OwnIpam, network: NetworkConfig, cniArgs: string): IpamChoice {
  switch (type) {
    case 'dhcp':
      return { kind: type, config: parseDhcpConfig(network, cniArgs) };
    case 'host-local':
      return { kind: type, config: parseHostLocalConfig(network, cniArgs) };
    case 'static':
      return { kind: type, config: parseStaticConfig(network, cniArgs) };
  }
}

/** Opens the chosen IPAM plugin for one call. */
export function openIpam(
  choice: IpamChoice,
  network: NetworkConfig,
  environment: CniEnvironment,
  ports: IpamPorts,
): Ipam {
  if (choice.kind === 'delegate') return delegatedIpam(choice.type, network, environment, ports.exec);
  const giveBack = giveBackOf(choice.kind, network, environment, ports);
  if (choice.kind === 'none') return { add: async () => EMPTY_RESULT, status: nothing, ...giveBack };
  if (choice.kind === 'static') {
    const result: CniResult = { interfaces: [], ...choice.config };
    return {
      ...giveBack,
      add: async () => result,
      status: nothing,
      check: async () => checkStatic(choice.config, network.prevResult),
    };
  }
  if (choice.kind === 'dhcp') {
    const { config } = choice;
    const { netns } = environment;
    const add = () =>
      ports.dhcp.acquire({ attachment: attachmentOf({ network, environment }), netns, config });
    return { add, status: nothing, ...giveBack };
  }
  const { config } = choice;
  const place = { name: config.network, dataDir: config.dataDir };
  return {
    ...giveBack,
    async add() {
      const dns =
        config.resolvConf === undefined
          ? undefined
          : parseResolvConf(await resolvConfText(config.resolvConf, ports));
      return ports.addresses.withNetwork(place, (addresses) =>
        addHostLocal(config, environment, addresses, dns),
      );
    },
    status: () => ports.addresses.withNetwork(place, (addresses) => statusHostLocal(config, addresses)),
  };
}

async function resolvConfText(path: string, { readResolvConf }: IpamPorts): Promise<string> {
  try {
    return await readResolvConf(path);
  } catch (error) {
    const { message } = error as Error;
    throw new CniError(CNI_ERROR.ioFailure, `cannot read ipam.resolvConf ${JSON.stringify(path)}`, message, {
      cause: error,
    });
  }
}

/** The IPAM plugin of a call about what was given before (DEL, CHECK, GC): nothing of its configuration is checked. */
export function openIpamToGiveBack(
  type: string | undefined,
  network: NetworkConfig,
  environment: CniEnvironment,
  ports: IpamPorts,
): HeldIpam {
  if (type !== undefined && !isOwnIpam(type)) return delegatedIpam(type, network, environment, ports.exec);
  return giveBackOf(type ?? 'none', network, environment, ports);
}

function giveBackOf(
  kind: 'none' | OwnIpam,
  network: NetworkConfig,
  environment: CniEnvironment,
  { addresses: store, dhcp }: Pick<IpamPorts, 'addresses' | 'dhcp'>,
): HeldIpam {
  const attachment = attachmentOf({ network, environment });
  if (kind === 'dhcp') {
    return {
      needsLink: true,
      del: () => dhcp.release(attachment),
      check: () => dhcp.check(attachment),
      gc: async () => {
        const valid = network.validAttachments;
        if (valid) await dhcp.retainOnly(network.name, valid);
      },
    };
  }
  if (kind !== 'host-local') return { del: nothing, gc: nothing, check: nothing };
  const { network: name, dataDir } = hostLocalPlace(network);
  return {
    async del() {
      await store.withNetwork({ name, dataDir }, (addresses) => addresses.release(environment));
    },
    check: () => store.withNetwork({ name, dataDir }, (addresses) => checkHostLocal(environment, addresses)),
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
    isDelegated: true,
  };
}
