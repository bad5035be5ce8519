/**
 * Path attributes, a row each: number, flags, form, source, and what becomes of an UPDATE in which the attribute is malformed
 * (RFC 7606 section 2; the section that decides is named on the line). MP_REACH_NLRI and MP_UNREACH_NLRI have no codec: they hold routes.
 */
import { type Codec, flag, u32be } from '#core/codec/index.ts';
import type { Agreed } from '../ports.ts';
import { type Check, checkAggregator, checkAs4Path, checkAsPath, checkHost } from './attribute-checks.ts';
import {
  aggregatorCodec,
  asPathCodec,
  extendedCommunitiesCodec,
  largeCommunitiesCodec,
  nextHopCodec,
  numbersCodec,
  originCodec,
  twoOctetAggregatorCodec,
  twoOctetAsPathCodec,
} from './attribute-values.ts';
import type { Treatment, WireAttributes } from './attributes.ts';

export interface AttributeRow {
  readonly type: number;
  readonly name: string;
  /** The optional and transitive bits. */
  readonly flags: number;
  readonly source: string;
  /** If its value is malformed. */
  readonly treatment: Treatment;
  /** If its flags are others than these; absent: treat-as-withdraw (RFC 7606 section 3, point c). */
  readonly flagsTreatment?: Treatment;
  /** Where it belongs in a route; absent: it is for the session. */
  readonly key?: keyof WireAttributes;
  // oxlint-disable-next-line typescript/no-explicit-any -- rows hold codecs of every type
  readonly codec?: Codec<any>;
  /** Of a peer that knows AS numbers of two octets only. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  readonly twoOctetCodec?: Codec<any>;
  /** What the bytes alone do not tell: why the value is malformed, if it is. */
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  readonly check?: Check<any>;
  /** Peers from which it is taken, and to which it is sent; absent: all. */
  readonly relations?: readonly Agreed['relation'][];
}

export const WELL_KNOWN = 0x40;
export const OPTIONAL = 0x80;
export const OPTIONAL_TRANSITIVE = 0xc0;

export const MP_REACH = 14;
export const MP_UNREACH = 15;

const INSIDE = ['internal', 'confederation'] as const;

/** In the order in which they are sent. */
export const ATTRIBUTE_ROWS: readonly AttributeRow[] = [
  {
    type: 1,
    name: 'ORIGIN',
    flags: WELL_KNOWN,
    source: 'RFC 4271 section 5.1.1',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.1
    key: 'origin',
    codec: originCodec,
  },
  {
    type: 2,
    name: 'AS_PATH',
    flags: WELL_KNOWN,
    source: 'RFC 4271 section 5.1.2',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.2
    key: 'asPath',
    codec: asPathCodec,
    twoOctetCodec: twoOctetAsPathCodec,
    check: checkAsPath,
  },
  {
    type: 3,
    name: 'NEXT_HOP',
    flags: WELL_KNOWN,
    source: 'RFC 4271 section 5.1.3',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.3
    key: 'nextHop',
    codec: nextHopCodec,
    check: checkHost,
  },
  {
    type: 4,
    name: 'MULTI_EXIT_DISC',
    flags: OPTIONAL,
    source: 'RFC 4271 section 5.1.4',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.4
    key: 'med',
    codec: u32be,
  },
  {
    type: 5,
    name: 'LOCAL_PREF',
    flags: WELL_KNOWN,
    source: 'RFC 4271 section 5.1.5',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.5
    key: 'localPref',
    codec: u32be,
    relations: INSIDE,
  },
  {
    type: 6,
    name: 'ATOMIC_AGGREGATE',
    flags: WELL_KNOWN,
    source: 'RFC 4271 section 5.1.6',
    treatment: 'attribute-discard', // RFC 7606 section 7.6
    flagsTreatment: 'attribute-discard', // RFC 7606 section 3, point f
    key: 'atomicAggregate',
    codec: flag,
  },
  {
    type: 7,
    name: 'AGGREGATOR',
    flags: OPTIONAL_TRANSITIVE,
    source: 'RFC 4271 section 5.1.7',
    treatment: 'attribute-discard', // RFC 7606 section 7.7
    flagsTreatment: 'attribute-discard', // RFC 7606 section 3, point f
    key: 'aggregator',
    codec: aggregatorCodec,
    twoOctetCodec: twoOctetAggregatorCodec,
    check: checkAggregator,
  },
  {
    type: 8,
    name: 'COMMUNITIES',
    flags: OPTIONAL_TRANSITIVE,
    source: 'RFC 1997',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.8
    key: 'communities',
    codec: numbersCodec,
  },
  {
    type: 9,
    name: 'ORIGINATOR_ID',
    flags: OPTIONAL,
    source: 'RFC 4456 section 8',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.9
    key: 'originatorId',
    codec: u32be,
    relations: ['internal'],
  },
  {
    type: 10,
    name: 'CLUSTER_LIST',
    flags: OPTIONAL,
    source: 'RFC 4456 section 8',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.10
    key: 'clusterList',
    codec: numbersCodec,
    relations: ['internal'],
  },
  {
    type: MP_REACH,
    name: 'MP_REACH_NLRI',
    flags: OPTIONAL,
    source: 'RFC 4760 section 3',
    treatment: 'session-reset', // RFC 7606 section 7.11
  },
  {
    type: MP_UNREACH,
    name: 'MP_UNREACH_NLRI',
    flags: OPTIONAL,
    source: 'RFC 4760 section 4',
    treatment: 'session-reset', // RFC 7606 section 7.12
  },
  {
    type: 16,
    name: 'EXTENDED COMMUNITIES',
    flags: OPTIONAL_TRANSITIVE,
    source: 'RFC 4360',
    treatment: 'treat-as-withdraw', // RFC 7606 section 7.14
    key: 'extendedCommunities',
    codec: extendedCommunitiesCodec,
  },
  {
    type: 17,
    name: 'AS4_PATH',
    flags: OPTIONAL_TRANSITIVE,
    source: 'RFC 6793 section 3',
    treatment: 'attribute-discard', // RFC 6793 section 6
    key: 'as4Path',
    codec: asPathCodec,
    check: checkAs4Path,
  },
  {
    type: 18,
    name: 'AS4_AGGREGATOR',
    flags: OPTIONAL_TRANSITIVE,
    source: 'RFC 6793 section 3',
    treatment: 'attribute-discard', // RFC 6793 section 6
    key: 'as4Aggregator',
    codec: aggregatorCodec,
    check: checkAggregator,
  },
  {
    type: 32,
    name: 'LARGE_COMMUNITY',
    flags: OPTIONAL_TRANSITIVE,
    source: 'RFC 8092',
    treatment: 'treat-as-withdraw', // RFC 8092 section 6
    key: 'largeCommunities',
    codec: largeCommunitiesCodec,
  },
];
