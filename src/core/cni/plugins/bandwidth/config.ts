/**
 * The keys of the bandwidth plugin: bits per second and bits, in the configuration itself or, where it has none of them, in
 * runtimeConfig.bandwidth. Some runtimes write them as Go names them: IngressRate. What is not supported is refused by name and value.
 */
import { z } from 'zod';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith, isJsonObject, type JsonObject, withoutNulls } from '../../spec/json.ts';
import { type NetworkConfig, objectMember } from '../../spec/network-config.ts';
import { type Shape, shapeOf } from './bucket.ts';

export interface BandwidthConfig {
  /** Of what goes to the container. */
  readonly ingress?: Shape;
  /** Of what the container sends. */
  readonly egress?: Shape;
}

const MAX_BURST_BYTES = 0xffffffff;
const KEYS = [
  'ingressRate',
  'ingressBurst',
  'egressRate',
  'egressBurst',
  'unshapedSubnets',
  'shapedSubnets',
] as const;

const bits = z.int().min(0).default(0);
const subnets = z.array(z.string()).default([]);

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  ingressRate: bits,
  ingressBurst: bits,
  egressRate: bits,
  egressBurst: bits,
  unshapedSubnets: subnets,
  shapedSubnets: subnets,
});

/** Throws CniError 2 for a key we cannot act on and CniError 7 for a wrong value. */
export function parseBandwidthConfig({ json }: NetworkConfig): BandwidthConfig {
  const [section, where] = sectionOf(json);
  const keys = decodeWith(schema, section, `invalid ${where}`);
  for (const key of ['unshapedSubnets', 'shapedSubnets'] as const) {
    if (keys[key].length === 0) continue;
    throw new CniError(
      CNI_ERROR.unsupportedField,
      `unsupported field "${key}": ${JSON.stringify(keys[key])}`,
      'the bandwidth plugin of Poplin shapes all traffic of a container; remove the key',
    );
  }
  const ingress = directionOf('ingress', keys.ingressRate, keys.ingressBurst, where);
  const egress = directionOf('egress', keys.egressRate, keys.egressBurst, where);
  return { ...(ingress && { ingress }), ...(egress && { egress }) };
}

/** The object that holds the keys, and what it is called. */
function sectionOf(json: JsonObject): [JsonObject, string] {
  const own = keysOf(json);
  if (Object.keys(own).length > 0) return [own, 'network config'];
  const given = objectMember(json, 'runtimeConfig')['bandwidth'];
  if (given === undefined || given === null) return [{}, 'runtimeConfig.bandwidth'];
  if (isJsonObject(given)) return [keysOf(given), 'runtimeConfig.bandwidth'];
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'invalid runtimeConfig.bandwidth',
    `${JSON.stringify(given)} is not an object`,
  );
}

/** What an object says of our keys, in whatever letters; null says nothing. */
function keysOf(json: JsonObject): JsonObject {
  const given = Object.entries(withoutNulls(json) as JsonObject);
  const lower = new Map(given.map(([key, value]) => [key.toLowerCase(), value]));
  const found = KEYS.map((key) => [key, lower.get(key.toLowerCase())] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

function directionOf(
  name: 'ingress' | 'egress',
  rate: number,
  burst: number,
  where: string,
): Shape | undefined {
  const invalid = (details: string) =>
    new CniError(CNI_ERROR.invalidNetworkConfig, `invalid ${where}`, details);
  if (rate === 0 && burst === 0) return undefined;
  if (burst === 0) throw invalid(`${name}Rate: ${rate}: if rate is set, burst must also be set`);
  if (rate === 0) throw invalid(`${name}Burst: ${burst}: if burst is set, rate must also be set`);
  if (rate < 8) throw invalid(`${name}Rate: ${rate}: under 8 bits per second, which is one byte`);
  if (Math.floor(burst / 8) >= MAX_BURST_BYTES)
    throw invalid(`${name}Burst: ${burst}: burst cannot be more than 4GB`);
  const shape = shapeOf(rate, burst);
  if (shape.bucketTicks === 0)
    throw invalid(
      `${name}Burst: ${burst}: less than what passes in a microsecond at ${rate} bits per second`,
    );
  return shape;
}
