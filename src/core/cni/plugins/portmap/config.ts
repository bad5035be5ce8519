/**
 * The keys of the portmap plugin, those of the reference plugin: snat, masqAll, conditionsV4, conditionsV6, and the mappings that the
 * runtime gives (capability `portMappings`). backend, markMasqBit and externalSetMarkChain say how iptables is used, which is not.
 */
import { z } from 'zod';
import { familyOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { cniIp } from '../../spec/fields.ts';
import { decodeWith, isJsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import { type Condition, parseConditions } from './condition.ts';

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: Protocol;
  /** Absent: every address of the host. */
  readonly hostIp?: IpAddress;
  /** The one family it is for, where the runtime names one. */
  readonly family?: IpFamily;
}

export interface PortmapConfig {
  readonly mappings: readonly PortMapping[];
  /** Answers that would not come back by themselves get the host's address as their destination. */
  readonly snat: boolean;
  /** All connections do, not only those from the pod's own network and from the host itself. */
  readonly masqAll: boolean;
  readonly conditions: Readonly<Record<IpFamily, readonly Condition[]>>;
}

const conditions = z.array(z.string()).default([]);

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  backend: z.enum(['', 'iptables', 'nftables']).default(''),
  snat: z.boolean().default(true),
  masqAll: z.boolean().default(false),
  markMasqBit: z.int().min(0).max(31).optional(),
  externalSetMarkChain: z.string().optional(),
  conditionsV4: conditions,
  conditionsV6: conditions,
});

const runtimeSchema = z.looseObject({
  runtimeConfig: z.looseObject({ portMappings: z.array(z.unknown()).default([]) }).optional(),
});

const mapping = z.object({
  hostPort: z.int().min(0).max(65535),
  containerPort: z.int().min(1).max(65535),
  protocol: z
    .string()
    .default('tcp')
    .transform((text) => text.toLowerCase())
    .pipe(z.enum(['tcp', 'udp', 'sctp'])),
  hostIP: z.string().default(''),
});

/** Throws CniError 7 for a wrong value and 2 for a condition that has no equal in nf_tables. */
export function parsePortmapConfig(network: NetworkConfig): PortmapConfig {
  const keys = decodeWith(schema, network.json, 'invalid network config');
  if (keys.markMasqBit !== undefined && keys.externalSetMarkChain !== undefined)
    throw invalid('cannot specify externalSetMarkChain and markMasqBit');
  return {
    mappings: parseMappings(network),
    snat: keys.snat,
    masqAll: keys.masqAll,
    conditions: {
      4: parseConditions(keys.conditionsV4, 'conditionsV4', 4),
      6: parseConditions(keys.conditionsV6, 'conditionsV6', 6),
    },
  };
}

/** The mappings alone, whatever the conditions are. Throws CniError 7 for a wrong value. */
export function parseMappings(network: NetworkConfig): PortMapping[] {
  const { runtimeConfig } = decodeWith(runtimeSchema, network.json, 'invalid network config');
  const given = runtimeConfig?.portMappings ?? [];
  return given.flatMap((each, at) => parseMapping(each, `runtimeConfig.portMappings[${at}]`));
}

/** Some runtimes write the keys as Go names them: HostPort, ContainerPort, Protocol, HostIP. One without a host port maps nothing. */
function parseMapping(json: unknown, where: string): PortMapping[] {
  if (!isJsonObject(json)) throw invalid(`${where}: it is not an object`);
  const lower = Object.fromEntries(Object.entries(json).map(([key, value]) => [key.toLowerCase(), value]));
  const { hostport, containerport, protocol, hostip } = lower;
  const wish = {
    hostPort: hostport ?? 0,
    containerPort: containerport,
    ...(protocol !== undefined && protocol !== '' && { protocol }),
    ...(hostip !== undefined && hostip !== null && { hostIP: hostip }),
  };
  const { hostIP, ...found } = decodeWith(mapping, wish, `invalid network config: ${where}`);
  if (found.hostPort === 0) return [];
  if (hostIP === '') return [found];
  const address = cniIp(hostIP);
  if (address === undefined) throw invalid(`${where}: hostIP ${JSON.stringify(hostIP)} is not an IP address`);
  const family = familyOf(address);
  const isAny = address === '0.0.0.0' || address === '::';
  return [{ ...found, family, ...(!isAny && { hostIp: address }) }];
}

function invalid(details: string): CniError {
  return new CniError(CNI_ERROR.invalidNetworkConfig, 'invalid network config', details);
}
