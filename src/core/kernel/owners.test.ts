import { describe, expect, it } from 'vitest';
import { CNI, isAttached, isAttachmentLink, isPodLink, OVERLAY, ownerOf } from './owners.ts';
import { stateOf } from './plan.ts';
import type { KernelObject, Link, Qdisc, TrafficFilter } from './state.ts';

const veth = (alias?: string): Link => ({
  kind: 'link',
  name: 'veth0',
  detail: { type: 'veth' },
  ...(alias !== undefined && { alias }),
});
const root = (handle: number): Qdisc => ({
  kind: 'qdisc',
  link: 'veth0',
  parent: 'root',
  handle,
  detail: { type: 'other', qdiscKind: 'htb' },
});
const ingress: Qdisc = { kind: 'qdisc', link: 'veth0', parent: 'ingress', detail: { type: 'ingress' } };
const filter = (preference: number, link = 'veth0'): TrafficFilter => ({
  kind: 'filter',
  link,
  parent: 'ingress',
  preference,
});

describe('the owner of a qdisc or filter', () => {
  it.each<[string, KernelObject, readonly KernelObject[], string | undefined]>([
    ['is told by the handle on a link of anybody', root(0x113), [veth()], 'cni'],
    [
      'is nobody for another handle, on a link of ours too',
      root(1),
      [veth('poplin:cni:n/c/eth0')],
      undefined,
    ],
    ['is told by the preference', filter(113), [veth()], 'cni'],
    ['is nobody for another preference', filter(1), [veth('poplin:cni:n/c/eth0')], undefined],
    [
      'is that of all filters for an ingress qdisc',
      ingress,
      [veth(), filter(113), filter(1, 'veth1')],
      'cni',
    ],
    ['is nobody for an ingress qdisc with a foreign filter', ingress, [filter(113), filter(1)], undefined],
    ['is nobody for an ingress qdisc of two owners', ingress, [filter(113), filter(112)], undefined],
    ['is nobody for an empty ingress qdisc', ingress, [veth('poplin:cni:n/c/eth0')], undefined],
  ])('%s', (_, object, state, owner) => {
    expect(ownerOf(object, stateOf(state))?.name).toBe(owner);
  });
});

describe('what ADD made', () => {
  it('holds marked qdiscs and filters on links of others', () => {
    const state = stateOf([veth(), root(CNI.qdiscHandle), ingress, filter(CNI.filterPreference)]);
    expect([...state.values()].map((object) => isAttached(object, state))).toEqual([false, true, true, true]);
    expect(isAttached(root(OVERLAY.qdiscHandle), state)).toBe(false);
  });

  it('holds shaping links, which a pass makes anew, unlike the links of pods', () => {
    const ifb: Link = { ...veth('poplin:cni:n/c/eth0+bandwidth'), name: 'ifb0', detail: { type: 'ifb' } };
    expect([isAttachmentLink(ifb), isPodLink(ifb), isAttached(ifb, new Map())]).toEqual([true, false, true]);
    expect(isPodLink(veth('poplin:cni:n/c/eth0'))).toBe(true);
  });
});
