/** The cells of the matrix of backends: a row (a backend and what it is to come to), the families of the network, where its leases are. */
import { IS_SOAK } from '#testing/soak.ts';
import { REGISTRIES, type RegistryName } from './registry-server.ts';

export const FAMILIES = ['IPv4', 'IPv6', 'dual stack'] as const;
export type Families = (typeof FAMILIES)[number];

/** `Backend` of net-conf.json. */
interface NamedBackend {
  readonly Type: string;
  readonly [key: string]: unknown;
}

export interface Row {
  readonly name: string;
  readonly backend: NamedBackend;
  /** Of a second network on the same hosts. */
  readonly second: NamedBackend;
  /** Where the third host is; the other two share an Ethernet. */
  readonly third: 'near' | 'behind a router';
  /** What its routes are: some plain ones between nodes, some through a device of the backend. */
  readonly ways: readonly ('direct' | 'device')[];
  /** Of the pods, in IPv4 alone and otherwise. */
  readonly mtuBytes: readonly [number, number];
}

export interface Cell extends Row {
  readonly families: Families;
  readonly registry: RegistryName;
}

/** What a soak tries of rows, and where a usual run begins. */
export interface Choice {
  readonly soakFamilies?: readonly Families[];
  /** Of the first row in a usual run. */
  readonly first?: RegistryName;
}

/** A soak has rows in all families and registries; a usual run has each in dual stack, its registry in turn. */
export function cellsOf(
  rows: readonly Row[],
  { soakFamilies = FAMILIES, first = 'API server' }: Choice = {},
): Cell[] {
  const turn = (at: number) => REGISTRIES[(REGISTRIES.indexOf(first) + at) % REGISTRIES.length];
  return rows.flatMap((row, at) =>
    FAMILIES.flatMap((families) => REGISTRIES.map((registry) => ({ ...row, families, registry }))).filter(
      ({ families, registry }) =>
        IS_SOAK ? soakFamilies.includes(families) : families === 'dual stack' && registry === turn(at),
    ),
  );
}

/** net-conf.json of a backend; `which` is a number in its addresses. */
export function netConfOf(families: Families, backend: object, which: number): object {
  return {
    ...(families === 'IPv6' ? { EnableIPv4: false } : { Network: `10.${which}.0.0/16` }),
    ...(families !== 'IPv4' && { EnableIPv6: true, IPv6Network: `fd${which}::/48` }),
    Backend: backend,
  };
}
