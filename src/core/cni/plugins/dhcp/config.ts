/**
 * The IPAM plugin dhcp: an address from a server on the pod's own network. Keys are those of the reference plugin: `provide`, `request`,
 * `priority`, and `daemonSocketPath`, which means nothing here since the agent is the daemon.
 */
import { z } from 'zod';
import { utf8 } from '#base/bytes.ts';
import { type DhcpOptions, OPTION } from '#core/dhcp/index.ts';
import { parseCniArgs } from '../../spec/args.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith, isJsonObject, type JsonObject } from '../../spec/json.ts';
import { type NetworkConfig, objectMember } from '../../spec/network-config.ts';
import type { Attachment } from '../identity.ts';

export interface DhcpConfig {
  readonly provide: DhcpOptions;
  /** Option numbers asked for. */
  readonly request: readonly number[];
  /** Those the configuration names: only they change more than addresses and routes. */
  readonly named: readonly number[];
  /** The metric of the routes. */
  readonly priority?: number;
}

/** Names for option numbers: the reference's, and those of dhcp-options(5) for what is read here. */
const OPTION_NAMES: Readonly<Record<string, number>> = {
  'subnet-mask': OPTION.subnetMask,
  routers: OPTION.routers,
  'domain-name-servers': OPTION.nameServers,
  'host-name': OPTION.hostName,
  'domain-name': OPTION.domainName,
  'interface-mtu': OPTION.interfaceMtu,
  'static-routes': OPTION.staticRoutes,
  'vendor-class-identifier': OPTION.vendorClass,
  'dhcp-client-identifier': OPTION.clientId,
  'user-class': OPTION.userClass,
  'domain-search': OPTION.domainSearch,
  'rfc3442-classless-static-routes': OPTION.classlessRoutes,
};

/** Numbers that the protocol itself uses. */
const RESERVED: ReadonlySet<number> = new Set([
  OPTION.pad,
  OPTION.requestedAddress,
  OPTION.overload,
  OPTION.messageType,
  OPTION.serverId,
  OPTION.parameterList,
  OPTION.maxMessageBytes,
  OPTION.end,
]);

/** RFC 3442: the classless routes come first, for servers that fill what fits. */
const REQUEST_DEFAULT = [OPTION.classlessRoutes, OPTION.subnetMask, OPTION.routers, OPTION.staticRoutes];

const MAX_VALUE_BYTES = 255;
/** RFC 2132 section 9.14: a type of 0 before an identifier that is no hardware address. */
const CLIENT_ID_TYPE = '\0';
const MAX_CLIENT_ID_BYTES = 254;

const option = z.union([z.string(), z.int().transform(String)]);
/** The keys, as they are parsed. */
export const schema = z.looseObject({
  daemonSocketPath: z.string().optional(),
  priority: z.int().min(0).max(0xffffffff).optional(),
  provide: z
    .array(z.looseObject({ option, value: z.string().default(''), fromArg: z.string().default('') }))
    .nullish(),
  request: z
    .array(z.looseObject({ option: option.optional(), skipDefault: z.boolean().default(false) }))
    .nullish(),
});

/** Reads the section `ipam`; throws CniError 7 that names what is wrong, or 4 for CNI_ARGS. */
export function parseDhcpConfig(network: NetworkConfig, cniArgs = ''): DhcpConfig {
  const section = network.json['ipam'];
  if (!isJsonObject(section)) throw invalid('the network config has no "ipam" section');
  const { priority, provide, request } = decodeWith(schema, section, 'invalid network config: ipam');
  const provided = new Map<number, Uint8Array>();
  const wanted = (provide ?? []).map(({ fromArg }) => fromArg).filter((key) => key !== '');
  const args = wanted.length > 0 ? argsOf(network.json, cniArgs) : new Map<string, string>();
  for (const [index, row] of (provide ?? []).entries()) {
    const where = `ipam.provide[${index}]`;
    const code = optionNumber(row.option, where);
    const value = args.get(row.fromArg) ?? row.value;
    if (value === '') continue;
    const bytes = code === OPTION.clientId ? utf8(CLIENT_ID_TYPE + value) : utf8(value);
    if (bytes.length > MAX_VALUE_BYTES)
      throw invalid(`${where}: the value of option ${code} is longer than 255 bytes`);
    provided.set(code, bytes);
  }
  const named = (request ?? []).flatMap(({ option: name }, index) =>
    name === undefined || name === '' ? [] : [optionNumber(name, `ipam.request[${index}]`)],
  );
  const isDefaultSkipped = (request ?? []).some(({ skipDefault }) => skipDefault);
  return {
    provide: provided,
    // Without the mask there is no address.
    request: [...new Set([...(isDefaultSkipped ? [OPTION.subnetMask] : REQUEST_DEFAULT), ...named])],
    named,
    ...(priority !== undefined && { priority }),
  };
}

/** The configured options and the client identifier, as the reference builds it: container, network, interface, cut to what fits. */
export function optionsOfClient(
  { provide }: DhcpConfig,
  { network, containerId, ifName }: Attachment,
): DhcpOptions {
  if (provide.has(OPTION.clientId)) return provide;
  const id = utf8(`${CLIENT_ID_TYPE}${containerId}/${network}/${ifName}`).subarray(
    0,
    MAX_CLIENT_ID_BYTES + 1,
  );
  return new Map([[OPTION.clientId, id], ...provide]);
}

/** The runtime's parameters: `args.cni` of the configuration, and CNI_ARGS. */
function argsOf(json: JsonObject, text: string): Map<string, string> {
  const pairs = text.split(';').map((pair) => pair.slice(0, pair.indexOf('=')));
  // Any key may be meant for us.
  const args = new Map(parseCniArgs(text, pairs));
  const own = objectMember(objectMember(json, 'args'), 'cni');
  for (const [key, value] of Object.entries(own)) if (typeof value === 'string') args.set(key, value);
  return args;
}

function optionNumber(text: string, where: string): number {
  const code = OPTION_NAMES[text] ?? (/^\d{1,3}$/.test(text) ? Number(text) : Number.NaN);
  if (Number.isNaN(code) || code > 255) throw invalid(`${where}.option: "${text}" is not a DHCP option`);
  if (RESERVED.has(code)) throw invalid(`${where}.option: option ${code} is the protocol's own`);
  return code;
}

function invalid(details: string): CniError {
  return new CniError(CNI_ERROR.invalidNetworkConfig, 'invalid network config', details);
}
