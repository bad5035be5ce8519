/** BGPFilter as filters of ours, and what Calico tells peers if no filter decides. */
import { familyOf, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import {
  type Filter,
  type FilterOperation,
  type FilterRule,
  parseCommunity,
  type RouteMatch,
} from '../filter/index.ts';
import type { CalicoPool } from './pools.ts';
import type { Findings } from './reader.ts';
import type { Configuration, FilterRuleSpec, FilterSpec } from './schemas.ts';

/** A BGPFilter's rules by direction and family. */
export interface CalicoFilter {
  readonly imports: { readonly 4: readonly FilterRule[]; readonly 6: readonly FilterRule[] };
  readonly exports: { readonly 4: readonly FilterRule[]; readonly 6: readonly FilterRule[] };
}

const OPERATORS = { Equal: 'equal', NotEqual: 'not-equal', In: 'in', NotIn: 'not-in' } as const;

export function calicoFilter(name: string, spec: FilterSpec, findings: Findings): CalicoFilter {
  const of = (list: readonly FilterRuleSpec[], key: string, family: IpFamily): readonly FilterRule[] =>
    list.flatMap((rule, index) => calicoRule(rule, `BGPFilter ${name} ${key}[${index}]`, family, findings));
  return {
    imports: { 4: of(spec.importV4, 'importV4', 4), 6: of(spec.importV6, 'importV6', 6) },
    exports: { 4: of(spec.exportV4, 'exportV4', 4), 6: of(spec.exportV6, 'exportV6', 6) },
  };
}

function calicoRule(
  rule: FilterRuleSpec,
  origin: string,
  family: IpFamily,
  findings: Findings,
): readonly FilterRule[] {
  const { cidr = '', matchOperator, prefixLength, action, operations } = rule;
  const fail = (message: string): readonly FilterRule[] => {
    findings.problems.push({ place: origin, message });
    return [];
  };
  if ((cidr === '') !== (matchOperator === undefined)) return fail('cidr and matchOperator go together');
  if (cidr !== '' && familyOf(cidr) !== family) return fail(`cidr "${cidr}" is no IPv${family} prefix`);
  if (cidr === '' && prefixLength !== undefined) return fail('prefixLength needs a cidr');
  if (action === 'Reject' && operations !== undefined) return fail('operations are of use with Accept only');
  const changes = operations?.map(operationOf) ?? [];
  if (changes.some((change) => change === undefined)) return fail('an operation does exactly one thing');
  return [
    {
      origin,
      match: matchOf(rule),
      action: action === 'Accept' ? 'accept' : 'reject',
      ...(changes.length === 0 ? {} : { operations: changes.filter((change) => change !== undefined) }),
    },
  ];
}

function matchOf(rule: FilterRuleSpec): RouteMatch {
  const {
    cidr = '',
    matchOperator,
    prefixLength,
    source,
    peerType,
    communities,
    asPathPrefix,
    priority,
  } = rule;
  return {
    ...(cidr === '' || matchOperator === undefined
      ? {}
      : {
          prefix: {
            operator: OPERATORS[matchOperator],
            prefix: cidr,
            ...(prefixLength?.min === undefined ? {} : { minLength: prefixLength.min }),
            ...(prefixLength?.max === undefined ? {} : { maxLength: prefixLength.max }),
          },
        }),
    ...(source === undefined ? {} : { source: 'remote' as const }),
    ...(rule.interface === undefined || rule.interface === '' ? {} : { interface: rule.interface }),
    ...(peerType === undefined
      ? {}
      : { peerType: peerType === 'eBGP' ? ('external' as const) : ('internal' as const) }),
    ...(communities === undefined
      ? {}
      : {
          communities: communities.values
            .map((text) => parseCommunity(text))
            .filter((each) => each !== undefined),
        }),
    ...(asPathPrefix === undefined || asPathPrefix.length === 0 ? {} : { asPathPrefix }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function operationOf(
  operation: NonNullable<FilterRuleSpec['operations']>[number],
): FilterOperation | undefined {
  const { addCommunity, prependASPath, setPriority } = operation;
  const changes: FilterOperation[] = [];
  const community = addCommunity && parseCommunity(addCommunity.value);
  if (community !== undefined) changes.push({ type: 'add-community', community });
  if (prependASPath !== undefined) changes.push({ type: 'prepend-as-path', asns: prependASPath.prefix });
  if (setPriority !== undefined) changes.push({ type: 'set-priority', priority: setPriority.value });
  return changes.length === 1 ? changes[0] : undefined;
}

/** What Calico tells its peers of one family: pools, own blocks as wholes, services; nothing else. */
export interface ExportBasis {
  readonly pools: readonly CalicoPool[];
  readonly ownBlocks: readonly IpPrefix[];
  readonly services: readonly IpPrefix[];
  readonly advertisements: NonNullable<Configuration['prefixAdvertisements']>;
  /** Communities by name. */
  readonly communities: ReadonlyMap<string, string>;
}

/** The rules that follow the peer's own filters. */
export function defaultExport(
  basis: ExportBasis,
  family: IpFamily,
  findings: Findings,
): readonly FilterRule[] {
  const isOf = (prefix: IpPrefix): boolean => familyOf(prefix) === family;
  const rule = (
    origin: string,
    operator: 'in' | 'equal',
    prefix: IpPrefix,
    action: FilterRule['action'],
  ): FilterRule => ({ origin, match: { prefix: { operator, prefix } }, action });
  return [
    ...basis.pools
      .filter(({ cidr, isExported }) => isOf(cidr) && !isExported)
      .map(({ name, cidr }) => rule(`IPPool ${name} spec.disableBGPExport`, 'in', cidr, 'reject')),
    ...basis.advertisements.flatMap((advertisement, index) =>
      isOf(advertisement.cidr) ? advertised(advertisement, index, basis.communities, findings) : [],
    ),
    ...basis.ownBlocks.filter(isOf).flatMap((block) => [
      rule(`block ${block}`, 'equal', block, 'accept'),
      // The block stands for the addresses in it.
      rule(`within block ${block}`, 'in', block, 'reject'),
    ]),
    ...basis.services.filter(isOf).map((cidr) => rule(`services ${cidr}`, 'in', cidr, 'accept')),
    ...basis.pools
      .filter(({ cidr, isExported }) => isOf(cidr) && isExported)
      .map(({ name, cidr }) => rule(`IPPool ${name}`, 'in', cidr, 'accept')),
  ];
}

function advertised(
  { cidr, communities }: ExportBasis['advertisements'][number],
  index: number,
  names: ReadonlyMap<string, string>,
  findings: Findings,
): readonly FilterRule[] {
  const origin = `BGPConfiguration spec.prefixAdvertisements[${index}]`;
  const operations = communities.flatMap((text): readonly FilterOperation[] => {
    const community = parseCommunity(names.get(text) ?? text);
    if (community !== undefined) return [{ type: 'add-community', community }];
    findings.problems.push({ place: origin, message: `no such community: "${text}"` });
    return [];
  });
  return [{ origin, match: { prefix: { operator: 'in', prefix: cidr } }, action: 'next', operations }];
}

/** A peer's filters in their order, and what becomes of routes that none of them decides. */
export function filterOf(
  filters: readonly CalicoFilter[],
  direction: 'imports' | 'exports',
  family: IpFamily,
  defaults: readonly FilterRule[],
): Filter {
  const rules = [...filters.flatMap((filter) => filter[direction][family]), ...defaults];
  return { rules, otherwise: direction === 'imports' ? 'accept' : 'reject' };
}
