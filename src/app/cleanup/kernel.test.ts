import { describe, expect, test } from 'vitest';
import {
  CNI,
  describeOp,
  type KernelObject,
  type Link,
  OVERLAY,
  overlayOwner,
  stateOf,
} from '#core/kernel/index.ts';
import { attachedIn, attachedLinks, planFlannelLinks, planOwn } from './kernel.ts';

const link = (name: string, more: Partial<Link> = {}): Link => ({
  kind: 'link',
  name,
  detail: { type: 'dummy' },
  ...more,
});
const bridge = (name: string, more: Partial<Link> = {}) =>
  link(name, { detail: { type: 'bridge' }, ...more });
const route = (dst: string, protocol: number): KernelObject => ({
  kind: 'route',
  dst,
  nextHops: [{ link: 'eth0' }],
  protocol,
});
const words = ({ ops, kept }: ReturnType<typeof planOwn>) => [
  ops.map(describeOp),
  kept.map(({ what }) => what),
];

describe('what goes of Poplin’s', () => {
  test('is all that bears its marks, dependants first, and nothing of others, labs among them', () => {
    const state = stateOf([
      link('eth0'),
      link('flannel.1', { alias: 'poplin:overlay' }),
      { kind: 'address', link: 'flannel.1', address: '10.244.1.0/32' },
      link('veth1', { alias: 'poplin:cni:pods/c1/eth0' }),
      link('lab0', { alias: 'poplin:lab' }),
      route('10.9.0.0/24', 112),
      route('10.8.0.0/24', 113),
      route('10.7.0.0/24', 114),
      route('10.6.0.0/24', 4),
      { kind: 'nft-table', family: 'inet', name: 'poplin-network' },
      { kind: 'nft-table', family: 'inet', name: 'poplin-lab' },
    ]);
    expect(words(planOwn(state, [OVERLAY, CNI]))).toEqual([
      [
        'remove nft table inet poplin-network',
        'remove route 10.9.0.0/24 dev eth0',
        'remove route 10.8.0.0/24 dev eth0',
        'remove link flannel.1 type dummy',
        'remove link veth1 type dummy',
      ],
      [],
    ]);
    expect(attachedLinks(state)).toEqual(['poplin:cni:pods/c1/eth0']);
  });

  test('of one network of several is what bears that network’s marks', () => {
    const state = stateOf([
      link('flannel.1', { alias: 'poplin:overlay' }),
      link('flannel.9', { alias: 'poplin:overlay-1' }),
      link('eth0'),
      route('10.9.0.0/24', 112),
      route('10.8.0.0/24', 121),
      { kind: 'nft-table', family: 'inet', name: 'poplin-network-1' },
    ]);
    expect(words(planOwn(state, [overlayOwner(1)]))).toEqual([
      [
        'remove nft table inet poplin-network-1',
        'remove route 10.8.0.0/24 dev eth0',
        'remove link flannel.9 type dummy',
      ],
      [],
    ]);
  });

  test('is not a bridge that somebody else has a port on, nor what lies on it', () => {
    const state = stateOf([
      bridge('cni0', { alias: 'poplin:cni' }),
      { kind: 'address', link: 'cni0', address: '10.244.1.1/24' },
      link('veth1', { alias: 'poplin:cni:pods/c1/eth0', master: 'cni0' }),
      link('tap9', { master: 'cni0' }),
    ]);
    expect(words(planOwn(state, [OVERLAY, CNI]))).toEqual([
      ['remove link veth1 type dummy master cni0'],
      ['link cni0'],
    ]);
  });
});

test('pods of one network of several are known by routes to them, or by their bridge', () => {
  const attached = (name: string, more: Partial<Link> = {}) =>
    link(name, { alias: `poplin:cni:${name}`, ...more });
  const to = (dst: string, by: string): KernelObject => ({
    kind: 'route',
    dst,
    nextHops: [{ link: by }],
    protocol: 113,
  });
  const state = stateOf([
    bridge('cni0', { alias: 'poplin:cni' }),
    { kind: 'address', link: 'cni0', address: '10.244.1.1/24' },
    bridge('cni1', { alias: 'poplin:cni' }),
    { kind: 'address', link: 'cni1', address: 'fd45:0:0:1::1/64' },
    attached('veth1', { master: 'cni0' }),
    attached('veth2', { master: 'cni1' }),
    attached('pop1'),
    attached('pop2'),
    link('veth9', { master: 'cni1' }),
    link('flannel.2', { alias: 'poplin:overlay-1' }),
    to('10.45.1.7/32', 'pop1'),
    to('10.244.1.9/32', 'pop2'),
    to('10.45.2.0/24', 'flannel.2'),
    to('0.0.0.0/0', 'pop2'),
  ]);
  expect(attachedIn(state, ['10.45.0.0/16', 'fd45::/48'])).toEqual(['poplin:cni:veth2', 'poplin:cni:pop1']);
  expect(attachedIn(state, [])).toEqual([]);
});

describe('what goes of flannel’s', () => {
  const devices = ['flannel.1', 'flannel-v6.1', 'flannel0', 'flannel.ipip', 'flannel-wg', 'flannel-wg-v6'];

  test('is its devices by their names, and its bridge if it is empty', () => {
    const state = stateOf([
      ...devices.map((name) => link(name)),
      ...['flannel', 'flannel.1x', 'flannel-x', 'eth0', 'flannel.2'].map((name) =>
        link(name, name === 'flannel.2' ? { alias: 'poplin:overlay' } : {}),
      ),
      bridge('cni0'),
    ]);
    expect(planFlannelLinks(state).ops.map(({ object }) => object.kind === 'link' && object.name)).toEqual([
      ...devices,
      'cni0',
    ]);
  });

  test('is not a bridge with ports, one that is ours, or none at all', () => {
    const used = stateOf([bridge('cni0'), link('veth9', { master: 'cni0' })]);
    expect(words(planFlannelLinks(used))).toEqual([[], ['link cni0']]);
    expect(words(planFlannelLinks(stateOf([bridge('cni0', { alias: 'poplin:cni' })])))).toEqual([[], []]);
    expect(words(planFlannelLinks(stateOf([link('cni0')])))).toEqual([[], []]);
  });
});
