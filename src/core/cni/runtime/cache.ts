/**
 * The record a runtime keeps of an attachment between ADD and DEL, in libcni's own form, so that either can take over from the other:
 * `/var/lib/cni/results/<network>-<container>-<ifname>`.
 */
import { z } from 'zod';
import { base64, fromBase64, lenientUtf8, utf8 } from '#base/bytes.ts';
import { decodeResult } from '../spec/decode.ts';
import { encodeResult } from '../spec/encode.ts';
import { CNI_ERROR } from '../spec/error.ts';
import { decodeWith, isJsonObject, type JsonObject, parseJson, parseJsonObject } from '../spec/json.ts';
import type { AttachmentId } from '../spec/network-config.ts';
import { isCniVersion } from '../spec/version.ts';

export const CNI_CACHE_DIR = '/var/lib/cni';
const KIND = 'cniCacheV1';

export interface CachedAttachment extends AttachmentId {
  readonly network: string;
  readonly netns: string;
  /** The network configuration list as text. */
  readonly config: string;
  /** CNI_ARGS as pairs. */
  readonly cniArgs: readonly (readonly [string, string])[];
  readonly capabilityArgs: JsonObject;
  readonly result: JsonObject;
}

/** The record's path below the cache directory. */
export function cachePath(network: string, { containerId, ifName }: AttachmentId): string {
  return `results/${network}-${containerId}-${ifName}`;
}

/** The record as libcni writes it. */
export function encodeCachedAttachment(record: CachedAttachment): string {
  const { cniArgs, capabilityArgs, netns } = record;
  return JSON.stringify({
    kind: KIND,
    containerId: record.containerId,
    config: base64(utf8(record.config)),
    ifName: record.ifName,
    networkName: record.network,
    ...(netns !== '' && { netns }),
    ...(cniArgs.length > 0 && { cniArgs }),
    ...(Object.keys(capabilityArgs).length > 0 && { capabilityArgs }),
    result: record.result,
  });
}

const schema = z.looseObject({
  kind: z.literal(KIND),
  containerId: z.string(),
  config: z.base64().default(''),
  ifName: z.string(),
  networkName: z.string(),
  netns: z.string().default(''),
  cniArgs: z.array(z.tuple([z.string(), z.string()])).default([]),
  capabilityArgs: z.looseObject({}).default({}),
  result: z.looseObject({}).default({}),
});

/** Throws CniError 6 if the text is no such record. */
export function decodeCachedAttachment(text: string): CachedAttachment {
  const what = 'cached attachment';
  const record = decodeWith(
    schema,
    parseJson(text, what),
    `cannot decode ${what}`,
    CNI_ERROR.decodingFailure,
  );
  return {
    network: record.networkName,
    containerId: record.containerId,
    ifName: record.ifName,
    netns: record.netns,
    config: lenientUtf8(fromBase64(record.config)),
    cniArgs: record.cniArgs,
    capabilityArgs: record.capabilityArgs,
    result: record.result,
  };
}

/**
 * The result that a record holds, in the version of the network's configuration now. Before 0.8 libcni kept the bare result: such
 * a record is read too. Throws CniError 6 or 1 if there is none that can be read.
 */
export function decodeCachedResult(text: string, version: string): JsonObject {
  const json = parseJsonObject(text, 'cached result');
  const result = json['kind'] === KIND ? (json['result'] ?? {}) : json;
  if (!isJsonObject(result) || result['cniVersion'] === version || !isCniVersion(version))
    return decodeWith(z.looseObject({}), result, 'cannot decode cached result', CNI_ERROR.decodingFailure);
  return encodeResult(decodeResult(result, undefined, 'cached result'), version);
}
