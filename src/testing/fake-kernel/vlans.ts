/** The VLANs of bridges and their ports in FakeKernel: what a kernel puts there by itself, and keeps, and takes away. */
import { type BridgeVlans, canonicalVlans, type Link, type LinkDetail } from '#core/kernel/index.ts';
import type { FakeState } from './errno.ts';

type BridgeDetail = LinkDetail & { readonly type: 'bridge' };

/** The link with the VLANs it has once it is as wished; `before` is what it was, if it was there. */
export function withVlans(state: FakeState, link: Link, before?: Link): Link {
  const { vlans: wish, ...rest } = link;
  const vlans = canonicalVlans(wish ?? kept(link, before) ?? standard(state, link));
  return vlans.length === 0 ? rest : { ...rest, vlans };
}

/** Ports whose PVID was the bridge's default have the new one. */
export function changeDefaultPvid(state: FakeState, bridge: Link, before: Link): void {
  if (bridge.detail.type !== 'bridge' || before.detail.type !== 'bridge') return;
  const [from, to] = [defaultPvid(before.detail), defaultPvid(bridge.detail)];
  if (from === to) return;
  for (const [key, object] of state) {
    if (object.kind !== 'link' || (object.master !== bridge.name && object.name !== bridge.name)) continue;
    const { vlans: old = [], ...rest } = object;
    const isDefault = from === 0 || old.some((vlan) => vlan.pvid === true && vlan.from === from);
    if (!isDefault || old.some((vlan) => vlan.from <= to && to <= (vlan.to ?? vlan.from))) continue;
    const others = old.filter((vlan) => vlan.from !== from);
    const vlans = canonicalVlans([...others, ...native(to)]);
    state.set(key, vlans.length === 0 ? rest : { ...rest, vlans });
  }
}

function kept(link: Link, before: Link | undefined): Link['vlans'] {
  return before !== undefined && (before.master ?? '') === (link.master ?? '')
    ? (before.vlans ?? [])
    : undefined;
}

function standard(state: FakeState, link: Link): readonly BridgeVlans[] {
  const bridge = link.detail.type === 'bridge' ? link : state.get(`link ${link.master}`);
  return bridge?.kind === 'link' && bridge.detail.type === 'bridge' ? native(defaultPvid(bridge.detail)) : [];
}

function native(id: number): BridgeVlans[] {
  return id === 0 ? [] : [{ from: id, pvid: true, untagged: true }];
}

function defaultPvid({ vlanDefaultPvid = 1 }: BridgeDetail): number {
  return vlanDefaultPvid;
}
