/** The VLANs of a bridge's port, as the ranges people write and as what each VLAN is: compared, and told apart. IEEE 802.1Q, clause 8.8. */
import type { BridgeVlans } from './state.ts';

/** 0 is the priority tag and 4095 reserved. */
export const LAST_VLAN = 4094;
const MEMBER = 1;
const PVID = 2;
const UNTAGGED = 4;

/** What there is to do; `remove` bears no flags. */
export interface VlanChange {
  readonly add: readonly BridgeVlans[];
  readonly remove: readonly BridgeVlans[];
}

/** True if both give every VLAN the same membership. Absent is none. */
export function equalVlans(a: readonly BridgeVlans[] = [], b: readonly BridgeVlans[] = []): boolean {
  return JSON.stringify(canonicalVlans(a)) === JSON.stringify(canonicalVlans(b));
}

/** Sorted, each VLAN once (with the flags of all ranges that name it), and as few ranges as will do. */
export function canonicalVlans(vlans: readonly BridgeVlans[]): BridgeVlans[] {
  return rangesOf(membership(vlans), () => true);
}

/** What leads from `previous` to `wanted`. What was there before may be unknown: then everything else goes. */
export function vlanChange(
  wanted: readonly BridgeVlans[],
  previous: readonly BridgeVlans[] | undefined,
): VlanChange {
  const wish = membership(wanted);
  const have = previous === undefined ? undefined : membership(previous);
  const remove = rangesOf(
    wish.map((flags, id) => (id > 0 && flags === 0 && have?.[id] !== 0 ? MEMBER : 0)),
    () => true,
  );
  return { add: rangesOf(wish, (id) => have?.[id] !== wish[id]), remove };
}

/** What each VLAN is, by its number. */
function membership(vlans: readonly BridgeVlans[]): Uint8Array {
  const table = new Uint8Array(LAST_VLAN + 1);
  for (const { from, to = from, pvid, untagged } of vlans) {
    const flags = MEMBER | (pvid === true ? PVID : 0) | (untagged === true ? UNTAGGED : 0);
    for (let id = Math.max(1, from); id <= Math.min(to, LAST_VLAN); id++)
      table[id] = (table[id] ?? 0) | flags;
  }
  return table;
}

function rangesOf(table: Uint8Array, isMeant: (id: number) => boolean): BridgeVlans[] {
  const ranges: BridgeVlans[] = [];
  for (let from = 1; from <= LAST_VLAN; from++) {
    const flags = table[from] ?? 0;
    if (flags === 0 || !isMeant(from)) continue;
    let to = from;
    while (to < LAST_VLAN && table[to + 1] === flags && isMeant(to + 1)) to++;
    ranges.push({
      from,
      ...(to > from && { to }),
      ...((flags & PVID) !== 0 && { pvid: true }),
      ...((flags & UNTAGGED) !== 0 && { untagged: true }),
    });
    from = to;
  }
  return ranges;
}
