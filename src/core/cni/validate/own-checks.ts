/** What the parsers of our own plugins say of a configuration, at its place in the text. */
import { type KeyPath, type LocatedDocument, nodeAt, type Problem, problemAt } from '#core/config/index.ts';
import { parseBandwidthConfig } from '../plugins/bandwidth/config.ts';
import { parseBridgeConfig } from '../plugins/bridge/config.ts';
import { parseDhcpConfig } from '../plugins/dhcp/index.ts';
import { parseFirewallConfig } from '../plugins/firewall/config.ts';
import { parseFlannelConfig } from '../plugins/flannel/index.ts';
import { parseHostLocalConfig } from '../plugins/host-local/index.ts';
import { parsePortmapConfig } from '../plugins/portmap/config.ts';
import { parseStaticConfig } from '../plugins/static/static.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import type { JsonObject } from '../spec/json.ts';
import { type NetworkConfig, parseNetworkConfig } from '../spec/network-config.ts';

type Check = (network: NetworkConfig) => unknown;

/** By `type`: throws CniError for what the plugin refuses before it looks at the node. */
const INTERFACE_CHECKS: Readonly<Record<string, Check>> = {
  bandwidth: parseBandwidthConfig,
  bridge: parseBridgeConfig,
  firewall: parseFirewallConfig,
  flannel: parseFlannelConfig,
  portmap: parsePortmapConfig,
};

/** By `ipam.type`. */
const IPAM_CHECKS: Readonly<Record<string, Check>> = {
  'host-local': (network) => {
    // A poplin network without ranges gets the node's own.
    if (network.type !== 'poplin' || hasRanges(network.json)) parseHostLocalConfig(network);
  },
  dhcp: (network) => parseDhcpConfig(network),
  static: (network) => parseStaticConfig(network),
};

/** The problems of the plugin at `path` of the document; `plugin` is its value, completed with name and version. */
export function ownProblems(document: LocatedDocument, path: KeyPath, plugin: JsonObject): Problem[] {
  try {
    const network = parseNetworkConfig(plugin);
    const ipam = network.ipamType === undefined ? undefined : IPAM_CHECKS[network.ipamType];
    const own = INTERFACE_CHECKS[network.type];
    return [
      ...(own === undefined ? [] : refusals(document, path, [], () => own(network))),
      ...(ipam === undefined ? [] : refusals(document, path, ['ipam'], () => ipam(network))),
    ];
  } catch (error) {
    return placed(document, path, [], error);
  }
}

/** `about` is what the check is about, where it names no key. */
function refusals(document: LocatedDocument, path: KeyPath, about: KeyPath, check: () => unknown): Problem[] {
  try {
    check();
    return [];
  } catch (error) {
    return placed(document, path, about, error);
  }
}

/** A CniError's details name keys: `ipam.ranges[0][0].subnet: what is wrong; mtu: what is wrong`. */
function placed(document: LocatedDocument, base: KeyPath, about: KeyPath, error: unknown): Problem[] {
  if (!(error instanceof CniError)) throw error;
  const field = /^unsupported field "([^"]+)"/.exec(error.msg)?.[1];
  if (error.code === CNI_ERROR.unsupportedField && field !== undefined)
    return [problemAt(document, [...base, field], `is not served: ${error.details}`)];
  const texts =
    error.details === '' ? [error.msg] : error.details.split(/; (?=[\w$]+[\w$.[\]-]*: |range set )/);
  return texts.map((text) => {
    const [, key = '', rest = text] = /^([\w$-]+(?:\.[\w$-]+|\[\d+\])*): (.*)$/s.exec(text) ?? [];
    const own = keyPath(key);
    if (own.length > 0 && isThere(document, [...base, own[0] as string | number]))
      return problemAt(document, [...base, ...own], rest);
    const set = /^range set (\d+)/.exec(text)?.[1];
    const where = set === undefined ? about : ['ipam', 'ranges', Number(set)];
    return problemAt(document, [...base, ...where], text);
  });
}

function keyPath(text: string): (string | number)[] {
  return [...text.matchAll(/[^.[\]]+/g)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part));
}

function isThere({ root }: LocatedDocument, path: KeyPath): boolean {
  return root !== undefined && nodeAt(root, path, false) !== undefined;
}

function hasRanges({ ipam }: JsonObject): boolean {
  const { subnet, ranges } = (ipam ?? {}) as JsonObject;
  return Boolean(subnet) || (Array.isArray(ranges) && ranges.length > 0);
}
