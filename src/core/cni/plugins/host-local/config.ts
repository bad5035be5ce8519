/**
 * The `ipam` section of host-local, with what a runtime may add to it: ranges (capability `ipRanges`) and requested addresses
 * (capability `ips`, `args.cni.ips`, or IP in CNI_ARGS). All problems are reported at once.
 */
import { z } from 'zod';
import type { IpAddress } from '#base/ip/index.ts';
import { parseCniArgs } from '../../spec/args.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import {
  cniIp,
  folderField,
  folderProblem,
  ipField,
  optionalPrefixField,
  prefixField,
  requestedIpField,
  routeField,
} from '../../spec/fields.ts';
import { decodeWith, isJsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import type { CniRoute } from '../../spec/result.ts';
import { type CniVersion, isAtLeast } from '../../spec/version.ts';
import {
  completeRange,
  type RangeSet,
  type RangeSpec,
  rangeSetFamily,
  rangesOverlap,
  rangeText,
} from './range.ts';

export const HOST_LOCAL_DATA_DIR = '/var/lib/cni/networks';

export interface HostLocalConfig {
  /** The network's name: reservations are kept for each network. */
  readonly network: string;
  readonly dataDir: string;
  /** One address is given from each. */
  readonly rangeSets: readonly RangeSet[];
  readonly routes: readonly CniRoute[];
  /** A resolv.conf file whose settings go into the result. */
  readonly resolvConf?: string;
  readonly requested: readonly IpAddress[];
}

const rangeSpec = z.object({
  subnet: prefixField,
  rangeStart: ipField.optional(),
  rangeEnd: ipField.optional(),
  gateway: ipField.optional(),
});
const rangeSets = z.array(z.array(rangeSpec));

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  ipam: z.looseObject({
    subnet: optionalPrefixField.optional(),
    rangeStart: ipField.optional(),
    rangeEnd: ipField.optional(),
    gateway: ipField.optional(),
    ranges: rangeSets.default([]),
    routes: z.array(routeField).default([]),
    dataDir: folderField.default(''),
    resolvConf: z.string().default(''),
  }),
  runtimeConfig: z
    .looseObject({ ipRanges: rangeSets.optional(), ips: z.array(requestedIpField).optional() })
    .optional(),
  args: z
    .looseObject({ cni: z.looseObject({ ips: z.array(requestedIpField).optional() }).optional() })
    .optional(),
});

type Section = z.output<typeof schema>;

/** Reads the configuration for ADD, CHECK and STATUS; throws CniError 7 with every problem, or 4 for bad CNI_ARGS. */
export function parseHostLocalConfig(network: NetworkConfig, cniArgs = ''): HostLocalConfig {
  if (!isJsonObject(network.json['ipam'])) throw invalid('the network config has no "ipam" section');
  const section = decodeWith(schema, network.json, 'invalid network config');
  const { ipam } = section;
  const flat = ipam.subnet === undefined ? [] : [[{ ...ipam, subnet: ipam.subnet }]];
  const specs = [...(section.runtimeConfig?.ipRanges ?? []), ...flat, ...ipam.ranges];
  return {
    ...hostLocalPlace(network),
    rangeSets: rangeSetsOf(section, specs, network.cniVersion),
    routes: ipam.routes,
    ...(ipam.resolvConf !== '' && { resolvConf: ipam.resolvConf }),
    requested: requestedAddresses(section, cniArgs),
  };
}

/** What sections were found to give, by the section as decodeWith returns it. */
const checked = new WeakMap<object, readonly RangeSet[]>();

function rangeSetsOf(
  section: object,
  specs: readonly (readonly RangeSpec[])[],
  version: CniVersion,
): readonly RangeSet[] {
  let sets = checked.get(section);
  if (sets === undefined) {
    sets = checkRangeSets(specs, version);
    checked.set(section, sets);
  }
  return sets;
}

/** Where a network's reservations lie: all that DEL and GC need, whatever else the configuration has become since ADD. Throws CniError 7. */
export function hostLocalPlace(network: NetworkConfig): {
  readonly network: string;
  readonly dataDir: string;
} {
  const ipam = network.json['ipam'];
  const dataDir = isJsonObject(ipam) ? ipam['dataDir'] : undefined;
  const problem = typeof dataDir === 'string' ? folderProblem(dataDir) : undefined;
  if (problem !== undefined) throw invalid(`ipam.dataDir: ${problem}`);
  return {
    network: network.name,
    dataDir: typeof dataDir === 'string' && dataDir !== '' ? dataDir : HOST_LOCAL_DATA_DIR,
  };
}

/** Checks and completes range sets given as data, such as a node's leased subnets; throws CniError 7 with every problem. */
export function checkRangeSets(
  specs: readonly (readonly RangeSpec[])[],
  version: CniVersion,
): readonly RangeSet[] {
  const problems: string[] = [];
  const sets = specs.map((set, index) => {
    const path = `range set ${index}`;
    if (set.length === 0) problems.push(`${path} is empty`);
    const ranges = set.map(completeRange);
    problems.push(...ranges.filter((range) => typeof range === 'string').map((text) => `${path}: ${text}`));
    return ranges.filter((range) => typeof range !== 'string');
  });
  if (sets.length === 0) problems.push('no IP ranges: give "subnet" or "ranges" in "ipam"');
  if (problems.length === 0) problems.push(...setProblems(sets, version));
  if (problems.length > 0) throw invalid(problems.join('; '));
  return sets;
}

function setProblems(sets: readonly RangeSet[], version: CniVersion): string[] {
  const problems: string[] = [];
  const ranges = sets.flatMap((set, index) => set.map((range) => ({ range, index })));
  for (const [position, a] of ranges.entries()) {
    for (const b of ranges.slice(position + 1)) {
      if (a.index === b.index && rangeSetFamily([a.range]) !== rangeSetFamily([b.range])) {
        problems.push(`range set ${a.index} mixes address families: ${a.range.subnet} and ${b.range.subnet}`);
      }
      if (!rangesOverlap(a.range, b.range)) continue;
      const texts = `${rangeText(a.range)} and ${rangeText(b.range)}`;
      problems.push(
        a.index === b.index
          ? `range set ${a.index}: ${texts} overlap`
          : `range set ${a.index} overlaps with ${b.index}: ${texts}`,
      );
    }
  }
  // Specification 0.2.0, "Result": one ip4 and one ip6.
  for (const family of [4, 6] as const) {
    const count = sets.filter((set) => rangeSetFamily(set) === family).length;
    if (count > 1 && !isAtLeast(version, '0.3.0')) {
      problems.push(
        `CNI version ${version} does not support more than one IPv${family} address, ${count} asked`,
      );
    }
  }
  return problems;
}

// CONVENTIONS.md, "CNI_ARGS": a plugin that understands `args` ignores the same key in CNI_ARGS.
function requestedAddresses(section: Section, cniArgs: string): readonly IpAddress[] {
  const structured = [...(section.args?.cni?.ips ?? []), ...(section.runtimeConfig?.ips ?? [])];
  const text = parseCniArgs(cniArgs).get('IP');
  if (structured.length > 0 || text === undefined || text === '') return [...new Set(structured)];
  const parsed = requestedIpField.safeParse(text);
  if (parsed.success) return [cniIp(parsed.data) ?? parsed.data];
  throw new CniError(
    CNI_ERROR.invalidEnvironment,
    `CNI_ARGS: IP=${text} is not an IP address`,
    'give <ip> or <ip>/<prefix length>',
  );
}

function invalid(details: string): CniError {
  return new CniError(CNI_ERROR.invalidNetworkConfig, 'invalid network config', details);
}
