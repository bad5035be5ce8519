/**
 * What a plugin gets on standard input: the part of the network configuration that the protocol itself defines.
 * The rest is each plugin's own and stays in `json`. Specification 1.1.0, section 1 and "Deriving request configuration".
 */
import { z } from 'zod';
import { decodeResult } from './decode.ts';
import { type CniCommand, checkNetworkName } from './environment.ts';
import { CNI_ERROR, CniError } from './error.ts';
import { dnsField } from './fields.ts';
import { decodeWith, isJsonObject, type JsonObject, parseJsonObject } from './json.ts';
import { type CniDns, type CniResult, nonEmptyDns } from './result.ts';
import { type CniVersion, DEFAULT_VERSION, isAtLeast, reconcileVersion } from './version.ts';

/** One container's interface on a network. */
export interface AttachmentId {
  readonly containerId: string;
  readonly ifName: string;
}

export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  /** The plugin's name; '' if the runtime did not say. */
  readonly type: string;
  /** The IPAM plugin to delegate to, absent if there is none. */
  readonly ipamType?: string;
  readonly dns?: CniDns;
  readonly prevResult?: CniResult;
  /** GC only: the attachments that are still valid. */
  readonly validAttachments?: readonly AttachmentId[];
  /** The whole configuration, as given: what a delegated plugin receives. */
  readonly json: JsonObject;
}

const schema = z.looseObject({
  type: z.string().default(''),
  ipam: z.looseObject({ type: z.string().default('') }).optional(),
  dns: dnsField.optional(),
  prevResult: z.looseObject({}).optional(),
});

const attachments = z.array(z.looseObject({ containerID: z.string(), ifname: z.string() }));
// libcni sends both keys: the second was in its releases before the specification settled on the first.
const ATTACHMENT_KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments'];

/** Commands that a later version of the specification brought. */
const COMMAND_SINCE: Partial<Record<CniCommand, CniVersion>> = {
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
};

/** Reads a configuration; throws CniError 6 (not JSON), 7 (name or a field is wrong) or 1 (version), in that order. */
export function parseNetworkConfig(stdin: string | JsonObject): NetworkConfig {
  const json = typeof stdin === 'string' ? parseJsonObject(stdin, 'network config') : stdin;
  const name = json['name'] ?? '';
  if (typeof name !== 'string') {
    throw new CniError(CNI_ERROR.decodingFailure, 'cannot decode network config', 'name: it is not a string');
  }
  const nameError = checkNetworkName(name);
  if (nameError) throw nameError;
  const cniVersion = reconcileVersion(statedVersion(json));
  const { type, ipam, dns, prevResult } = decodeWith(schema, json, 'invalid network config');
  const keptDns = nonEmptyDns(dns);
  const validAttachments = parseValidAttachments(json);
  return {
    cniVersion,
    name,
    type,
    ...(ipam && ipam.type !== '' && { ipamType: ipam.type }),
    ...(keptDns && { dns: keptDns }),
    ...(prevResult && { prevResult: decodeResult(prevResult, cniVersion, 'prevResult') }),
    ...(validAttachments && { validAttachments }),
    json,
  };
}

/** The `cniVersion` of a configuration, whether or not we speak it; throws CniError 6 if it is no string. */
export function statedVersion(json: JsonObject): string {
  const version = json['cniVersion'] ?? '';
  if (typeof version !== 'string') {
    const details = 'cniVersion: it is not a string';
    throw new CniError(CNI_ERROR.decodingFailure, 'cannot decode network config', details);
  }
  return version === '' ? DEFAULT_VERSION : version;
}

/** Throws CniError 1 if the configuration's version does not know the command. */
export function requireCommand(command: CniCommand, version: CniVersion): void {
  const since = COMMAND_SINCE[command];
  if (since === undefined || isAtLeast(version, since)) return;
  throw new CniError(
    CNI_ERROR.incompatibleVersion,
    `config version does not allow ${command}`,
    `config is "${version}", ${command} came with "${since}"`,
  );
}

function parseValidAttachments(json: JsonObject): readonly AttachmentId[] | undefined {
  const key = ATTACHMENT_KEYS.find((each) => json[each] !== undefined && json[each] !== null);
  if (key === undefined) return undefined;
  const list = decodeWith(attachments, json[key], `invalid network config: ${key}`);
  return list.map(({ containerID, ifname }) => ({ containerId: containerID, ifName: ifname }));
}

/** A member that must be an object; {} if it is absent or null. */
export function objectMember(json: JsonObject, key: string): JsonObject {
  const value = json[key];
  return isJsonObject(value) ? value : {};
}
