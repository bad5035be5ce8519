/** The keys of the poplin plugin: its own `mtu`, and those the protocol defines. An unknown key is an error. */
import { z } from 'zod';
import type { IpAddress } from '#base/ip/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith, type JsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import type { IpamChoice, NodeFacts } from '../definition.ts';
import { checkRangeSets, parseHostLocalConfig } from '../host-local/index.ts';

export interface PoplinConfig {
  /** Absent leaves it to the kernel. */
  readonly mtuBytes?: number;
}

const PROTOCOL_KEYS = [
  'cniVersion',
  'name',
  'type',
  'ipam',
  'dns',
  'args',
  'runtimeConfig',
  'prevResult',
  'capabilities',
];

/** The keys, as they are parsed. */
export const schema = z.looseObject({ mtu: z.int().min(0).max(65535).default(0) });

/** Throws CniError 2 for an unknown key and CniError 7 for a wrong value. */
export function parsePoplinConfig({ json }: NetworkConfig, facts: NodeFacts): PoplinConfig {
  refuseUnknown(json);
  const { mtu } = decodeWith(schema, json, 'invalid network config');
  const mtuBytes = mtu > 0 ? mtu : facts.overlayMtuBytes;
  return mtuBytes === undefined ? {} : { mtuBytes };
}

/**
 * Where addresses come from: as configured, or else from the node's leased subnets. A host-local section without ranges gets
 * those too. Throws CniError 11 if they are needed and the node has none yet, 7 if it has no overlay and so never will.
 */
export function poplinIpam(network: NetworkConfig, cniArgs: string, facts: NodeFacts): IpamChoice {
  const { ipamType } = network;
  if (ipamType !== undefined && ipamType !== 'host-local') return { kind: 'delegate', type: ipamType };
  const ipam = ipamSection(network);
  const hasRanges = ipam['subnet'] || (Array.isArray(ipam['ranges']) && ipam['ranges'].length > 0);
  if (hasRanges) return { kind: 'host-local', config: parseHostLocalConfig(network, cniArgs) };
  if (facts.defaultRanges.length === 0 && facts.overlayMtuBytes === undefined) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      'invalid network config',
      `no IP ranges: the agent of node ${facts.node} serves CNI alone and leases no pod subnet; give "ipam" with ranges, or run the agent without --cni-only`,
    );
  }
  if (facts.defaultRanges.length === 0) {
    throw new CniError(
      CNI_ERROR.tryAgainLater,
      `node ${facts.node} has no pod subnet yet`,
      'wait until the agent has leased one, or configure "ipam"',
    );
  }
  const ranges = checkRangeSets(
    facts.defaultRanges.map((subnet) => [{ subnet }]),
    network.cniVersion,
  );
  const json: JsonObject = {
    ...network.json,
    ipam: { ...ipam, type: 'host-local', ranges: ranges.map((set) => set.map(({ subnet }) => ({ subnet }))) },
  };
  return { kind: 'host-local', config: parseHostLocalConfig({ ...network, json }, cniArgs) };
}

/** The addresses of a link the host answers for: any pod finds its gateway there. */
export const GATEWAYS: Readonly<Record<4 | 6, IpAddress>> = { 4: '169.254.1.1', 6: 'fe80::1' };

function ipamSection({ json }: NetworkConfig): JsonObject {
  return (json['ipam'] ?? {}) as JsonObject;
}

function refuseUnknown(json: JsonObject): void {
  for (const [key, value] of Object.entries(json)) {
    if (key === 'mtu' || PROTOCOL_KEYS.includes(key) || key.startsWith('cni.dev/')) continue;
    if (key === 'ipMasq' && value === false) continue;
    throw new CniError(
      CNI_ERROR.unsupportedField,
      `unsupported field ${JSON.stringify(key)}: ${JSON.stringify(value)}`,
      `the poplin plugin knows mtu, ${PROTOCOL_KEYS.slice(3).join(', ')}; remove the key or mend its spelling`,
    );
  }
}
