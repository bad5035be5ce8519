/** Policies in words as the tables take them. */
import { compileFilter, type FilterContext, rejectsAll } from '../filter/index.ts';
import type { FilteredRoute, PeerPolicy, RouteFilter } from '../rib/index.ts';
import type { FamilyFilters, NeighborConfig, SpeakerConfig } from './config.ts';

const FAMILIES = [4, 6] as const;

/** What filters ask of the world. */
export interface PolicyPorts {
  /** The link that packets to a route leave by, where it is known. */
  readonly interfaceOf?: (route: FilteredRoute) => string | undefined;
}

/** What filters of a neighbour know besides the route. */
export function filterContext(
  config: SpeakerConfig,
  { session }: NeighborConfig,
  { interfaceOf }: PolicyPorts,
): FilterContext {
  const { peerAsn, peerAs, localAsn = config.asn } = session;
  const isInternal = peerAsn === undefined ? peerAs === 'internal' : peerAsn === localAsn;
  return {
    peerType: isInternal ? 'internal' : 'external',
    ...(interfaceOf === undefined ? {} : { interfaceOf }),
  };
}

/** Compiles a neighbour's filters. Throws a RangeError on a prefix that is none. */
export function peerPolicy(config: SpeakerConfig, neighbor: NeighborConfig, ports: PolicyPorts): PeerPolicy {
  const { imports, exports, ...rest } = neighbor.policy;
  const context = filterContext(config, neighbor, ports);
  const { localAsn } = neighbor.session;
  return {
    ...rest,
    ...(localAsn === undefined ? {} : { localAsn }),
    ...(imports === undefined ? {} : { importFilter: byFamily(imports, context) }),
    ...(exports === undefined ? {} : { exportFilter: byFamily(exports, context), ...silenceOf(exports) }),
  };
}

function silenceOf(exports: FamilyFilters): Pick<PeerPolicy, 'silentFamilies'> {
  const silent = FAMILIES.filter((family) => exports[family] !== undefined && rejectsAll(exports[family]));
  return silent.length === 0 ? {} : { silentFamilies: new Set(silent) };
}

function byFamily(filters: FamilyFilters, context: FilterContext): RouteFilter {
  const all: RouteFilter = ({ attributes }) => attributes;
  const compiled = {
    4: filters[4] === undefined ? all : compileFilter(filters[4], context),
    6: filters[6] === undefined ? all : compileFilter(filters[6], context),
  };
  return (route) => compiled[route.family](route);
}
