/** Families of routes as the wire numbers them: address family (AFI) and subsequent address family (SAFI). */
import type { RouteFamily } from '../model.ts';

const UNICAST = 1;
const AFI = { 4: 1, 6: 2 } as const;

export interface FamilyNumbers {
  readonly afi: number;
  readonly safi: number;
}

/** Those of a family. */
export function numbersOf(family: RouteFamily): FamilyNumbers {
  return { afi: AFI[family], safi: UNICAST };
}

/** The family of the numbers; undefined if it is none that is carried here. */
export function familyOfNumbers(afi: number, safi: number): RouteFamily | undefined {
  if (safi !== UNICAST) return undefined;
  return afi === 1 ? 4 : afi === 2 ? 6 : undefined;
}
