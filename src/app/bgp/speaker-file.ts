/** A speaker's file as the configuration of a speaker. */
import { readFileSync } from 'node:fs';
import { isLinkLocal } from '#base/ip/index.ts';
import type { Filter } from '#core/bgp/filter/index.ts';
import type { Aggregate, LocalRoute } from '#core/bgp/rib/index.ts';
import type {
  FamilyFilters,
  NeighborConfig,
  NeighborPolicy,
  NeighborSession,
  SpeakerConfig,
} from '#core/bgp/speaker/index.ts';
import { parseYamlConfig, requireConfig } from '#core/config/index.ts';
import { isOnLink, linkOf } from './neighbor-checks.ts';
import type { SpeakerSetup } from './service/model.ts';
import { attributesOf } from './service/own-route.ts';
import type { RangeConfig } from './service/ranges.ts';
import { SPEAKER_SCHEMA, type SpeakerFile } from './speaker-schema.ts';

/** Reads a file; throws ConfigError with all that is wrong in it. */
export function readSpeakerFile(path: string): SpeakerSetup {
  return parseSpeakerFile(readFileSync(path, 'utf8'), path);
}

/** Like readSpeakerFile, of text. */
export function parseSpeakerFile(text: string, source: string): SpeakerSetup {
  const file = requireConfig(parseYamlConfig(SPEAKER_SCHEMA, text, { source }));
  const { clusterId, confederation, decision } = file;
  const filters = new Map(
    Object.entries(file.filters).map(([name, filter]) => [name, filterOf(name, filter)]),
  );
  return {
    listen: file.listen,
    monitor: file.monitor,
    ranges: file.ranges.map((range) => rangeOf(range, filters)),
    speaker: {
      asn: file.asn,
      routerId: file.routerId,
      ...(clusterId === undefined ? {} : { clusterId }),
      ...(confederation === undefined
        ? {}
        : { confederationId: confederation.id, confederationMembers: confederation.members }),
      ...(decision === undefined ? {} : { decision: decisionOf(decision) }),
      neighbors: file.neighbors.map((neighbor) => neighborOf(neighbor, filters)),
      routes: file.routes.map(routeOf),
      aggregates: file.aggregates.map(aggregateOf),
    },
  };
}

type NeighborFile = SpeakerFile['neighbors'][number];

function decisionOf(decision: NonNullable<SpeakerFile['decision']>): NonNullable<SpeakerConfig['decision']> {
  const { alwaysCompareMed, preferOldest, ignorePathLength, relaxMultipath, maxPaths } = decision;
  return defined({
    alwaysComparesMed: alwaysCompareMed,
    prefersOldest: preferOldest,
    ignoresPathLength: ignorePathLength,
    relaxesMultipath: relaxMultipath,
    maxPaths: maxPaths && defined(maxPaths),
  });
}

function neighborOf(file: NeighborFile, filters: ReadonlyMap<string, Filter>): NeighborConfig {
  const { session, policy } = termsOf(file, filters, isOnLink(file));
  const { asn } = file;
  return {
    key: file.name,
    ...(file.shutdown === true ? { isShutdown: true } : {}),
    session: {
      ...session,
      ...(typeof asn === 'string' ? { peerAs: asn } : defined({ peerAsn: asn })),
      ...defined({
        peerAddress: file.address?.address,
        port: file.port,
        interface: linkOf(file),
        isPassive: file.passive,
      }),
    },
    policy,
  };
}

function rangeOf(file: SpeakerFile['ranges'][number], filters: ReadonlyMap<string, Filter>): RangeConfig {
  const { name, prefix, limit, asns } = file;
  const { session, policy } = termsOf(file, filters, isLinkLocal(prefix));
  const [only, ...others] = asns ?? [];
  const who = only !== undefined && others.length === 0 ? { peerAsn: only } : defined({ peerAsns: asns });
  const where = defined({ interface: file.interface });
  return { name, prefix, limit, session: { ...session, ...who, ...where, isPassive: true }, policy };
}

/** What holds for a session, whoever it is with. */
function termsOf(
  file: Omit<NeighborFile, 'address'>,
  filters: ReadonlyMap<string, Filter>,
  isBetweenLinkLocal: boolean,
): { readonly session: Omit<NeighborSession, 'peerAddress'>; readonly policy: NeighborPolicy } {
  // Between link-local addresses there is no other next hop for IPv4.
  const { addPath, families, extendedNextHop = isBetweenLinkLocal, restart, passwordFile } = file;
  const password = passwordFile === undefined ? undefined : readFileSync(passwordFile, 'utf8').trim();
  const session = {
    families: families.map((family) => ({
      family,
      addPathSend: addPath?.send !== undefined,
      addPathReceive: addPath?.receive === true,
      extendedNextHop,
    })),
    ...defined({
      localAsn: file.localAsn,
      localAddress: file.localAddress,
      holdTimeSec: file.holdTimeSec,
      connectRetrySec: file.connectRetrySec,
      password,
      bfd: file.bfd,
      ttlSecurityHops: file.ttlSecurityHops,
      multihopTtl: file.multihopTtl,
      restart: restart && {
        restartTimeSec: restart.timeSec,
        ...defined({ longStaleTimeSec: restart.longStaleTimeSec }),
      },
    }),
  };
  return { session, policy: policyOf(file, filters) };
}

function policyOf(file: Omit<NeighborFile, 'address'>, filters: ReadonlyMap<string, Filter>): NeighborPolicy {
  return defined({
    isReflectorClient: file.reflectorClient,
    nextHop: file.nextHop,
    nextHops: file.nextHops && defined(file.nextHops),
    linkLocalNextHop: file.linkLocalNextHop,
    allowedOwnAsns: file.allowedOwnAsns,
    privateAsns: file.privateAsns,
    overridesAsn: file.overrideAsn,
    requiresFilters: file.requireFilters,
    acceptsBlackhole: file.acceptBlackhole,
    isShuttingDown: file.gracefulShutdown,
    maxRoutes: file.maxRoutes && defined(file.maxRoutes),
    addPathCount: file.addPath?.send,
    imports: bothFamilies(file.import, filters),
    exports: bothFamilies(file.export, filters),
  });
}

function bothFamilies(
  name: string | undefined,
  filters: ReadonlyMap<string, Filter>,
): FamilyFilters | undefined {
  const filter = name === undefined ? undefined : filters.get(name);
  return filter && { 4: filter, 6: filter };
}

function filterOf(name: string, filter: SpeakerFile['filters'][string]): Filter {
  return {
    otherwise: filter.otherwise,
    rules: filter.rules.map(({ match, action, operations }, index) => {
      const { prefix, prefixes, asPathLength, ...rest } = match;
      return {
        origin: `filter ${name} rules[${index}]`,
        action,
        match: defined({
          ...rest,
          prefix: prefix && defined(prefix),
          prefixes: prefixes?.map(defined),
          asPathLength: asPathLength && defined(asPathLength),
        }),
        ...defined({ operations }),
      };
    }),
  };
}

function routeOf(route: SpeakerFile['routes'][number]): LocalRoute {
  const { prefix, discard, ...given } = { discard: undefined, ...route };
  const attributes = attributesOf(given);
  return {
    prefix,
    origin: 'file',
    ...(discard === true ? { isDiscard: true } : {}),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
  };
}

function aggregateOf({ prefix, summaryOnly, ...given }: SpeakerFile['aggregates'][number]): Aggregate {
  return { prefix, isSummaryOnly: summaryOnly === true, attributes: attributesOf(given) };
}

type Defined<Type> = {
  [Key in keyof Type as undefined extends Type[Key] ? never : Key]: Type[Key];
} & { [Key in keyof Type as undefined extends Type[Key] ? Key : never]?: Exclude<Type[Key], undefined> };

/** Without the keys whose values are undefined. */
function defined<Type extends object>(value: Type): Defined<Type> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<Type>;
}
