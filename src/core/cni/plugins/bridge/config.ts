/** The keys of the bridge plugin. What is not supported yet is refused by name and value, never passed over. */
import { z } from 'zod';
import { checkInterfaceName } from '../../spec/environment.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith, type JsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';

export const DEFAULT_BRIDGE = 'cni0';

export interface BridgeConfig {
  readonly bridge: string;
  readonly isGateway: boolean;
  readonly isDefaultGateway: boolean;
  readonly forceAddress: boolean;
  /** 0 leaves it to the kernel. */
  readonly mtu: number;
  readonly hairpinMode: boolean;
  readonly promiscMode: boolean;
  /** What pods send out of their network gets the host's address. */
  readonly ipMasq: boolean;
  /** Duplicate address detection on the container's interface. */
  readonly enabledad: boolean;
}

const flag = z.boolean().default(false);

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  bridge: z.string().default(''),
  isGateway: flag,
  isDefaultGateway: flag,
  forceAddress: flag,
  mtu: z.int().min(0).max(65535).default(0),
  hairpinMode: flag,
  promiscMode: flag,
  ipMasq: flag,
  // Whichever is named, nf_tables does it.
  ipMasqBackend: z.enum(['', 'iptables', 'nftables']).default(''),
  enabledad: flag,
});

/** Keys of the reference implementation that we do not serve yet, with the values that mean the same as leaving them out. */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  vlan: [0],
  vlanTrunk: [],
  preserveDefaultVlan: [false],
  macspoofchk: [false],
  portIsolation: [false],
  disableContainerInterface: [false],
};

/** Throws CniError 2 for a key we cannot act on and CniError 7 for a wrong value. */
export function parseBridgeConfig(network: NetworkConfig): BridgeConfig {
  refuseUnsupported(network.json);
  const keys = decodeWith(schema, network.json, 'invalid network config');
  const bridge = keys.bridge === '' ? DEFAULT_BRIDGE : keys.bridge;
  const nameError = checkInterfaceName(bridge);
  if (nameError) throw invalid(`bridge: ${JSON.stringify(bridge)}: ${nameError.msg}`);
  if (keys.hairpinMode && keys.promiscMode) {
    throw invalid('cannot set hairpin mode and promiscuous mode at the same time: choose one');
  }
  return { ...keys, bridge, isGateway: keys.isGateway || keys.isDefaultGateway };
}

// Specification 1.1.0, "Error": the message of code 2 contains the key and the value.
function refuseUnsupported(json: JsonObject): void {
  for (const [key, harmless] of Object.entries(UNSUPPORTED)) {
    const value = json[key];
    const isEmptyList = Array.isArray(value) && value.length === 0;
    if (value === undefined || value === null || isEmptyList || harmless.includes(value)) continue;
    throw new CniError(
      CNI_ERROR.unsupportedField,
      `unsupported field ${JSON.stringify(key)}: ${JSON.stringify(value)}`,
      'the bridge plugin of Poplin does not serve this key yet; remove it',
    );
  }
}

function invalid(details: string): CniError {
  return new CniError(CNI_ERROR.invalidNetworkConfig, 'invalid network config', details);
}
