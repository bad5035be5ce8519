/**
 * The sbr plugin (chained): source based routing for a container with several interfaces. What is sent from an address of this
 * interface is routed by a table of its own, to which the interface's routes move; so answers leave by the interface they were asked at.
 * Keys are those of the reference plugin: table, addSourceHints, and `gateways`, by which addresses without one get theirs.
 */
import { z } from 'zod';
import {
  familyOf,
  hostPrefixOf,
  type IpAddress,
  networkOf,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';
import {
  CNI,
  type KernelObject,
  type KernelState,
  keyOf,
  type Route,
  type Rule,
} from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { cniIp } from '../../spec/fields.ts';
import { decodeWith } from '../../spec/json.ts';
import type { CniIp, CniResult } from '../../spec/result.ts';
import { requirePrevResult } from '../check.ts';
import type { AddPlan, DelPlan, InterfacePlugin, PluginCall } from '../definition.ts';

export const sbrPlugin: InterfacePlugin = {
  type: 'sbr',
  chained: true,
  wants: () => ({ podState: true }),
  prepareAdd: (call) => {
    const config = parseSbrConfig(call);
    return { ipam: { kind: 'none' }, plan: () => planAdd(call, config) };
  },
  planDel,
  check,
};

const FIRST_TABLE = 100;
/** The kernel's own tables (default, main, local) have no routes of pods to themselves. */
const RESERVED_TABLES = [0, 253, 254, 255];
const MAIN_TABLE = 254;
/** Before the rule of the main table. */
const FIRST_PRIORITY = 32_765;

interface SbrConfig {
  /** Absent takes the first that is free. */
  readonly table?: number;
  readonly gateways: readonly IpAddress[];
  readonly addSourceHints: boolean;
}

const gateway = z.string().transform((text, context) => {
  const address = cniIp(text);
  if (address === undefined) context.addIssue(`${JSON.stringify(text)} is not an IP address`);
  return address ?? '';
});

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  table: z.int().min(1).max(0xffff_ffff).optional(),
  gateways: z.array(gateway).default([]),
  addSourceHints: z.boolean().default(false),
});

function parseSbrConfig({ network }: PluginCall): SbrConfig {
  const { table, gateways, addSourceHints } = decodeWith(schema, network.json, 'invalid network config');
  if (table !== undefined && RESERVED_TABLES.includes(table)) {
    throw new CniError(CNI_ERROR.invalidNetworkConfig, `table: ${table} is a table of the kernel's own`);
  }
  return { gateways, addSourceHints, ...(table !== undefined && { table }) };
}

function planAdd(call: PluginCall, config: SbrConfig): AddPlan {
  const { environment, facts } = call;
  const prev = requirePrevResult(call.network);
  const ips = ownIps(prev, environment.ifName);
  if (ips.length === 0) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      `sbr: prevResult has no address of interface ${environment.ifName}`,
    );
  }
  const own = routesOf(facts.pod, environment.ifName);
  const tables = freeTables(facts.pod, config.table);
  const objects = new Map<string, KernelObject>();
  for (const ip of ips) {
    const table = config.table ?? tables.next().value;
    const family = familyOf(ip.address);
    const via = ip.gateway ?? config.gateways.find((each) => familyOf(each) === family);
    const rule = ruleFrom(ip, table);
    objects.set(keyOf(rule), rule);
    const defaultRoute = via === undefined ? [] : [defaultRouteIn(table, via, environment.ifName)];
    for (const route of [...defaultRoute, ...own.filter((each) => isRouteOf(each, ip))]) {
      const moved: Route = { ...route, table, protocol: CNI.protocol };
      objects.set(keyOf(moved), moved);
    }
  }
  const hints = config.addSourceHints ? ips.map((ip) => sourceHint(ip, environment.ifName)) : [];
  const kept = new Set(hints.map(keyOf));
  return {
    result: prev,
    hostRemovals: [],
    sharedObjects: [],
    hostObjects: [],
    podRemovals: own.filter((route) => !kept.has(keyOf(route)) || config.addSourceHints),
    podObjects: [...objects.values(), ...hints],
    warnings: [],
  };
}

function planDel({ environment, network, facts }: PluginCall): DelPlan {
  const addresses = new Set<IpAddress>();
  for (const object of facts.pod.values()) {
    if (object.kind === 'address' && object.link === environment.ifName)
      addresses.add(prefixParts(object.address).address);
  }
  for (const ip of ownIps(network.prevResult, environment.ifName))
    addresses.add(prefixParts(ip.address).address);
  // Its routes go with the interface; its rules would not.
  const podRemovals = [...facts.pod.values()].filter(
    (object) =>
      object.kind === 'rule' && object.from !== undefined && addresses.has(prefixParts(object.from).address),
  );
  return { hostRemovals: [], podRemovals, podObjects: [] };
}

function check({ environment, network, facts }: PluginCall): void {
  const rules = [...facts.pod.values()].filter((object) => object.kind === 'rule');
  const missing = ownIps(network.prevResult, environment.ifName)
    .map((ip) => hostPrefixOf(prefixParts(ip.address).address))
    .filter((from) => !rules.some((rule) => rule.from === from));
  if (missing.length === 0) return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    `container ${environment.containerId} has no source based routing`,
    missing.map((from) => `rule from ${from} is missing`).join('; '),
  );
}

/** The addresses of the interface; those that name none are taken for its own. */
function ownIps(prev: CniResult | undefined, ifName: string): CniIp[] {
  return (prev?.ips ?? []).filter(({ interface: index }) => {
    const found = index === undefined ? undefined : prev?.interfaces[index];
    return found === undefined || found.name === ifName;
  });
}

/** The interface's routes of the main table, but for what the kernel keeps there itself for link-local addresses. */
function routesOf(pod: KernelState, ifName: string): Route[] {
  return [...pod.values()].filter(
    (object): object is Route =>
      object.kind === 'route' &&
      (object.table ?? MAIN_TABLE) === MAIN_TABLE &&
      object.nextHops.some((hop) => hop.link === ifName) &&
      !object.dst.startsWith('fe80:') &&
      !object.dst.startsWith('ff00:'),
  );
}

/** A route belongs to the addresses of its network: by its preferred source, or by its gateway; one that has neither, to all. */
function isRouteOf(route: Route, ip: CniIp): boolean {
  const family = familyOf(ip.address);
  if (familyOf(route.dst) !== family) return false;
  const network = networkOf(ip.address);
  const gateways = route.nextHops.flatMap(({ via }) => (via === undefined ? [] : [via]));
  if (route.preferredSource === undefined && gateways.length === 0) return true;
  if (route.preferredSource !== undefined && prefixContains(network, route.preferredSource)) return true;
  return gateways.some((via) => prefixContains(network, via));
}

function ruleFrom({ address }: CniIp, table: number): Rule {
  const from = hostPrefixOf(prefixParts(address).address);
  return {
    kind: 'rule',
    family: familyOf(from),
    priority: FIRST_PRIORITY,
    from,
    table,
    protocol: CNI.protocol,
  };
}

function defaultRouteIn(table: number, via: IpAddress, link: string): Route {
  return {
    kind: 'route',
    dst: familyOf(via) === 4 ? '0.0.0.0/0' : '::/0',
    table,
    // A gateway may lie outside the interface's networks, as that of a routed pair does.
    nextHops: [{ via, link, onlink: true }],
    protocol: CNI.protocol,
  };
}

/** The interface's network stays in the main table, for what is sent without a source of its own choice. */
function sourceHint({ address }: CniIp, link: string): Route {
  const preferredSource = prefixParts(address).address;
  return {
    kind: 'route',
    dst: networkOf(address),
    nextHops: [{ link }],
    preferredSource,
    ...(familyOf(address) === 4 && { scope: 'link' as const }),
    protocol: CNI.protocol,
  };
}

function* freeTables(pod: KernelState, configured: number | undefined): Generator<number, never> {
  const used = new Set<number>(RESERVED_TABLES);
  for (const object of pod.values()) {
    if (object.kind === 'rule') used.add(object.table);
    if (object.kind === 'route') used.add(object.table ?? MAIN_TABLE);
  }
  for (let table = configured ?? FIRST_TABLE; ; table++) if (!used.has(table)) yield table;
}
