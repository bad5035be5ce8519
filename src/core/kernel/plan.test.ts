import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { describeOp } from './describe.ts';
import { keyOf } from './key.ts';
import { compareAdditions, linksOf, lowerLink } from './order.ts';
import { CNI, isAttached, isAttachmentLink, LAB, OVERLAY } from './owners.ts';
import { type Plan, plan, stateOf } from './plan.ts';
import type { KernelObject, Link } from './state.ts';

const OWNERS = [OVERLAY, CNI];
const ALIAS = OVERLAY.alias;
const { protocol } = OVERLAY;
const TABLE = { family: 'inet', table: 'poplin-overlay' } as const;

const underlay: KernelObject[] = [
  { kind: 'link', name: 'eth0', detail: { type: 'other', linkKind: 'physical' }, up: true },
  { kind: 'link', name: 'lo', detail: { type: 'other', linkKind: 'physical' }, up: true },
];

const bridge = (vlanFiltering: boolean): Link => ({
  kind: 'link',
  name: 'br0',
  detail: { type: 'bridge', vlanFiltering },
  up: true,
  alias: ALIAS,
});
const vxlan = (vni: number, underlayLink: string, mtuBytes: number): Link => ({
  kind: 'link',
  name: 'vx0',
  detail: { type: 'vxlan', vni, port: 8472, underlay: underlayLink, learning: false },
  up: true,
  mtuBytes,
  alias: ALIAS,
});
const macvlan = (parent: string): Link => ({
  kind: 'link',
  name: 'mv0',
  detail: { type: 'macvlan', parent, mode: 'bridge' },
  up: true,
  alias: ALIAS,
});
const port = (master: string): Link => ({
  kind: 'link',
  name: 'port0',
  detail: { type: 'dummy' },
  master,
  up: true,
  alias: `${ALIAS}:port`,
});
const onlink = (dst: string, via: string, link: string): KernelObject => ({
  kind: 'route',
  dst,
  nextHops: [{ via, link, onlink: true }],
  protocol,
});

/** Everything there may be; of each row one form at most is wanted at a time. */
const UNIVERSE: readonly (readonly KernelObject[])[] = [
  [bridge(false), bridge(true)],
  [vxlan(1, 'eth0', 1450), vxlan(1, 'eth0', 1400), vxlan(2, 'eth0', 1450), vxlan(1, 'br0', 1450)],
  [macvlan('br0'), macvlan('port0'), macvlan('eth0')],
  [port('br0'), port('')],
  [{ kind: 'address', link: 'vx0', address: '10.0.0.0/32', scope: 'global' }],
  [
    { kind: 'address', link: 'br0', address: 'fd00::1/64' },
    { kind: 'address', link: 'br0', address: 'fd00::1/64', noPrefixRoute: true },
  ],
  [
    { kind: 'neighbour', link: 'vx0', address: '10.0.1.0', mac: '02:00:00:00:00:01', protocol },
    { kind: 'neighbour', link: 'vx0', address: '10.0.1.0', mac: '02:00:00:00:00:02', protocol },
  ],
  [
    { kind: 'fdb', link: 'vx0', mac: '02:00:00:00:00:01', dst: '192.0.2.1' },
    { kind: 'fdb', link: 'vx0', mac: '02:00:00:00:00:01', dst: '192.0.2.2' },
  ],
  [
    onlink('10.0.1.0/24', '10.0.1.0', 'vx0'),
    onlink('10.0.1.0/24', '10.0.1.0', 'br0'),
    { kind: 'route', dst: '10.0.1.0/24', type: 'unreachable', nextHops: [], protocol },
  ],
  [onlink('fd01::/64', 'fd01::', 'vx0'), onlink('fd01::/64', 'fd01::', 'mv0')],
  [{ kind: 'rule', family: 4, priority: 7, table: 7, protocol }],
  [
    { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' },
    { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '0' },
  ],
  [{ kind: 'sysctl', path: 'net/ipv4/conf/br0/arp_notify', value: '1' }],
  [{ kind: 'nft-table', family: 'inet', name: 'poplin-overlay' }],
  [{ kind: 'nft-set', ...TABLE, name: 'peers4', keyType: ['ipv4_addr'] }],
  [{ kind: 'nft-element', ...TABLE, set: 'peers4', key: ['192.0.2.1'] }],
  [
    { kind: 'nft-chain', ...TABLE, name: 'input', rules: [] },
    {
      kind: 'nft-chain',
      ...TABLE,
      name: 'input',
      rules: [{ expressions: [{ op: 'verdict', verdict: { verdict: 'drop' } }] }],
    },
  ],
];

/** A wish that a kernel can carry out: all that an object needs is wanted too. */
const wishes: fc.Arbitrary<KernelObject[]> = fc
  .tuple(...UNIVERSE.map((forms) => fc.option(fc.constantFrom(...forms), { freq: 4 })))
  .map((chosen) => {
    let objects = chosen.filter((object) => object !== null);
    for (let before = -1; before !== objects.length; ) {
      before = objects.length;
      const there = new Set([...underlay, ...objects].map(keyOf));
      objects = objects.filter((object) => needs(object).every((key) => there.has(key)));
    }
    return objects;
  });

function needs(object: KernelObject): string[] {
  const links = [...linksOf(object)];
  if (object.kind === 'link') {
    if (object.master) links.push(object.master);
    const lower = lowerLink(object);
    if (lower !== undefined) links.push(lower);
  }
  const keys = links.map((name) => `link ${name}`);
  if (object.kind === 'nft-set' || object.kind === 'nft-chain' || object.kind === 'nft-element')
    keys.push('nft table inet poplin-overlay');
  if (object.kind === 'nft-element') keys.push('nft set inet poplin-overlay peers4');
  return keys;
}

function kernelWithUnderlay(): FakeKernel {
  const kernel = new FakeKernel();
  for (const object of underlay) {
    if (kernel.find(object) === undefined) kernel.foreign({ verb: 'add', object });
  }
  kernel.trackSysctls(['net/ipv4/ip_forward', 'net/ipv4/conf/br0/arp_notify']);
  return kernel;
}

function planOn(kernel: FakeKernel, wish: readonly KernelObject[], only?: ReadonlySet<string>): Plan {
  return plan(stateOf(wish), kernel.state(), { owners: OWNERS, ...(only && { only }) });
}

/** Ours, in comparable form; sysctls are set and never removed. */
function ours(kernel: FakeKernel): string[] {
  return [...kernel.state().values()]
    .filter((object) => object.kind !== 'sysctl')
    .map((object) => JSON.stringify(Object.entries(object).sort()))
    .sort();
}

const texts = ({ ops }: Plan): string[] => ops.map(describeOp);

describe('plan', () => {
  it('leads from any state to any other without a refusal, and has nothing to do then', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(wishes, { minLength: 1, maxLength: 3 }), async (walk) => {
        const kernel = kernelWithUnderlay();
        const fresh = kernelWithUnderlay();
        for (const wish of walk)
          expect(await kernel.apply(planOn(kernel, wish).ops)).toMatchObject({ failures: [] });
        const last = walk.at(-1) as KernelObject[];
        expect(planOn(kernel, last)).toEqual({ ops: [], conflicts: [] });
        await fresh.apply(planOn(fresh, last).ops);
        expect(ours(kernel)).toEqual(ours(fresh));
        await kernel.apply(planOn(kernel, []).ops);
        expect(ours(kernel)).toEqual(ours(kernelWithUnderlay()));
      }),
      { numRuns: 300 },
    );
  });

  it('removes dependants first and adds dependencies first, removals before additions', async () => {
    await fc.assert(
      fc.asyncProperty(wishes, wishes, async (from, to) => {
        const kernel = kernelWithUnderlay();
        await kernel.apply(planOn(kernel, from).ops);
        const { ops } = planOn(kernel, to);
        const firstAddition = ops.findIndex((op) => op.verb !== 'remove');
        const removals = firstAddition < 0 ? ops : ops.slice(0, firstAddition);
        const additions = firstAddition < 0 ? [] : ops.slice(firstAddition);
        expect(additions.every((op) => op.verb !== 'remove')).toBe(true);
        for (const [before, after] of pairs(removals))
          expect(compareAdditions(before.object, after.object)).toBeGreaterThanOrEqual(0);
        for (const [before, after] of pairs(additions))
          expect(compareAdditions(before.object, after.object)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('takes down in the reverse order of building up', () => {
    const wish = UNIVERSE.map(([first]) => first as KernelObject).filter(
      (object) => object.kind !== 'sysctl' && object.kind !== 'link',
    );
    const links = stateOf([vxlan(1, 'eth0', 1450), bridge(false)]);
    const up = plan(stateOf([...links.values(), ...wish]), links, { owners: OWNERS }).ops.map(
      (op) => op.object,
    );
    const actual = stateOf([...links.values(), ...wish]);
    const down = plan(links, actual, { owners: OWNERS }).ops.map((op) => op.object);
    const ranks = (objects: readonly KernelObject[]) => objects.map((object) => object.kind);
    expect(ranks(down)).toEqual(ranks(up).reverse());
  });

  it('of the keys that differ, gives the operations of a whole plan', async () => {
    await fc.assert(
      fc.asyncProperty(wishes, wishes, async (from, to) => {
        const kernel = kernelWithUnderlay();
        await kernel.apply(planOn(kernel, from).ops);
        const before = stateOf(from);
        const after = stateOf(to);
        const differing = [...new Set([...before.keys(), ...after.keys()])].filter(
          (key) => JSON.stringify(before.get(key)) !== JSON.stringify(after.get(key)),
        );
        const some = planOn(kernel, to, new Set(differing));
        expect(texts(some).sort()).toEqual(texts(planOn(kernel, to)).sort());
      }),
      { numRuns: 300 },
    );
  });

  it('looks at no other keys than it is asked to', () => {
    const kernel = kernelWithUnderlay();
    const rule: KernelObject = { kind: 'rule', family: 4, priority: 7, table: 7, protocol };
    const { ops } = planOn(kernel, [bridge(false), rule], new Set([keyOf(rule)]));
    expect(ops).toEqual([{ verb: 'add', object: rule }]);
  });

  it.each<[string, Partial<Link>, string[]]>([
    [
      'in place where the kernel can',
      { mtuBytes: 1400 },
      ['replace link vx0 type vxlan id 1 dstport 8472 mtu 1400 up'],
    ],
    [
      'anew where it cannot, with all that lies on it',
      { detail: { ...vxlan(1, 'eth0', 1450).detail, port: 4789 } as Link['detail'] },
      [
        'remove link vx0 type vxlan id 1 dstport 8472 mtu 1450 up',
        'add link vx0 type vxlan id 1 dstport 4789 mtu 1450 up',
        'add address 10.0.0.0/32 dev vx0',
        'add fdb 02:00:00:00:00:01 dev vx0 dst 192.0.2.1',
        'add route 10.0.1.0/24 via 10.0.1.0 dev vx0 onlink',
      ],
    ],
  ])('changes a link %s', async (_, change, expected) => {
    const kernel = kernelWithUnderlay();
    const device = vxlan(1, 'eth0', 1450);
    const onIt: KernelObject[] = [
      { kind: 'address', link: 'vx0', address: '10.0.0.0/32' },
      { kind: 'fdb', link: 'vx0', mac: '02:00:00:00:00:01', dst: '192.0.2.1' },
      onlink('10.0.1.0/24', '10.0.1.0', 'vx0'),
    ];
    await kernel.apply(planOn(kernel, [device, ...onIt]).ops);
    expect(texts(planOn(kernel, [{ ...device, ...change }, ...onIt], new Set(['link vx0'])))).toEqual(
      expected,
    );
  });

  it('changes the options of a bridge in place, whatever is on it', async () => {
    const kernel = kernelWithUnderlay();
    const rest = [vxlan(1, 'br0', 1450), port('br0'), macvlan('br0')];
    await kernel.apply(planOn(kernel, [bridge(false), ...rest]).ops);
    const wish = [bridge(true), ...rest];
    const { ops } = planOn(kernel, wish);
    expect(texts({ ops, conflicts: [] })).toEqual(['replace link br0 type bridge up']);
    expect(await kernel.apply(ops)).toMatchObject({ failures: [] });
    expect(planOn(kernel, wish)).toEqual({ ops: [], conflicts: [] });
  });

  it('makes what is stacked on a link again, and puts ports back, where the link is made anew', async () => {
    const kernel = kernelWithUnderlay();
    const rest = [vxlan(1, 'br0', 1450), port('br0'), macvlan('br0')];
    const other: Link = { ...bridge(false), detail: { type: 'vrf', table: 7 } };
    await kernel.apply(planOn(kernel, [other, ...rest]).ops);
    const { ops } = planOn(kernel, [bridge(true), ...rest], new Set(['link br0']));
    expect(texts({ ops, conflicts: [] })).toEqual([
      'remove link vx0 type vxlan id 1 dstport 8472 mtu 1450 up',
      'remove link mv0 type macvlan up',
      'remove link br0 type vrf up',
      'add link br0 type bridge up',
      'replace link port0 type dummy master br0 up',
      'add link vx0 type vxlan id 1 dstport 8472 mtu 1450 up',
      'add link mv0 type macvlan up',
    ]);
    expect(await kernel.apply(ops)).toMatchObject({ failures: [] });
    expect(planOn(kernel, [bridge(true), ...rest])).toEqual({ ops: [], conflicts: [] });
  });

  describe('beside foreign objects', () => {
    const foreign: Link = { kind: 'link', name: 'vx0', detail: { type: 'dummy' }, up: true };
    const address: KernelObject = { kind: 'address', link: 'vx0', address: '10.0.0.0/32' };

    it('names a link of ours in conflict and puts nothing on the foreign one', () => {
      const wish = [vxlan(1, 'eth0', 1450), address, onlink('10.0.1.0/24', '10.0.1.0', 'vx0')];
      expect(plan(stateOf(wish), stateOf([foreign]), { owners: OWNERS })).toEqual({
        ops: [],
        conflicts: [
          { desired: wish[0], actual: foreign, message: 'link vx0 is there already and is not ours' },
        ],
      });
    });

    it('puts on a foreign link what is wanted there, if the link is not to be ours', () => {
      const { ops, conflicts } = plan(stateOf([foreign, address]), stateOf([foreign]), { owners: OWNERS });
      expect({ ops, conflicts }).toEqual({ ops: [{ verb: 'add', object: address }], conflicts: [] });
    });

    it('leaves what belongs to an owner it does not speak for', () => {
      const others: KernelObject[] = [
        { kind: 'link', name: 'lab0', detail: { type: 'dummy' }, alias: LAB.alias },
        { kind: 'address', link: 'lab0', address: '10.9.0.1/24' },
        { kind: 'route', dst: '10.9.1.0/24', nextHops: [], type: 'blackhole', protocol: LAB.protocol },
        { kind: 'nft-table', family: 'ip', name: 'poplin-lab' },
      ];
      expect(plan(new Map(), stateOf(others), { owners: OWNERS }).ops).toEqual([]);
      expect(plan(new Map(), stateOf(others), { owners: [LAB] }).ops).toHaveLength(3);
    });

    it('sets a sysctl whoever set it before, and removes none', () => {
      const set = (value: string): KernelObject => ({ kind: 'sysctl', path: 'net/ipv4/ip_forward', value });
      const { ops, conflicts } = plan(stateOf([set('1')]), stateOf([set('0')]), { owners: OWNERS });
      expect(texts({ ops, conflicts })).toEqual(['replace sysctl net/ipv4/ip_forward=1']);
      expect(plan(new Map(), stateOf([set('1')]), { owners: OWNERS }).ops).toEqual([]);
    });
  });
});

describe('stateOf', () => {
  it('refuses two objects of one key', () => {
    expect(() => stateOf([bridge(true), bridge(false)])).toThrow(new RangeError('wanted twice: link br0'));
  });
});

function pairs<T>(list: readonly T[]): [T, T][] {
  return list.slice(1).map((after, index) => [list[index] as T, after]);
}

describe('the links of pods', () => {
  const pod = (name: string): Link => ({
    kind: 'link',
    name,
    detail: { type: 'veth' },
    up: true,
    alias: 'poplin:cni:net/c1/eth0',
  });
  const routeOn = (link: string): KernelObject => ({
    kind: 'route',
    dst: '10.1.0.2/32',
    nextHops: [{ link }],
    scope: 'link',
    protocol: CNI.protocol,
  });
  const limits = { owners: OWNERS, keep: isAttached, leave: isAttachmentLink };

  it('stay with all that lies on them, and bridges too, when nobody wants them', () => {
    const shared: Link = {
      kind: 'link',
      name: 'cni0',
      detail: { type: 'bridge' },
      up: true,
      alias: CNI.alias,
    };
    const actual = stateOf([
      pod('pop1'),
      routeOn('pop1'),
      shared,
      { kind: 'address', link: 'cni0', address: '10.1.0.1/24' },
    ]);
    expect(plan(stateOf([]), actual, { owners: OWNERS }).ops).not.toEqual([]);
    expect(plan(stateOf([]), actual, limits)).toEqual({ ops: [], conflicts: [] });
  });

  it('are not made when they are missing, nor is anything put on them', () => {
    const desired = stateOf([pod('pop1'), routeOn('pop1')]);
    expect(plan(desired, stateOf([]), limits)).toEqual({ ops: [], conflicts: [] });
    const renamed = stateOf([pod('mine'), routeOn('mine')]);
    expect(plan(desired, renamed, limits)).toEqual({ ops: [], conflicts: [] });
  });

  it('are not made anew as something else', () => {
    const desired = stateOf([{ ...pod('cni0'), detail: { type: 'bridge' }, alias: CNI.alias }]);
    const { ops, conflicts } = plan(desired, stateOf([pod('cni0')]), limits);
    expect(ops).toEqual([]);
    expect(conflicts.map(({ message }) => message)).toEqual([
      'link cni0 is there already and may not be removed',
    ]);
  });
});

describe("a pod's link", () => {
  const veth = (up: boolean): Link => ({
    kind: 'link',
    name: 'veth1',
    detail: { type: 'veth' },
    up,
    alias: `${CNI.alias}:net/pod/eth0`,
  });
  const wanted: KernelObject[] = [
    { kind: 'address', link: 'veth1', address: '10.1.0.1/24' },
    veth(true),
    { kind: 'sysctl', path: 'net/ipv6/conf/all/forwarding', value: '1' },
    { kind: 'sysctl', path: 'net/ipv6/conf/veth1/accept_ra', value: '0' },
  ];
  const order = (found: readonly KernelObject[]) => {
    const { ops } = plan(stateOf(wanted), stateOf(found), { owners: OWNERS });
    return ops.map(
      (op) => `${op.verb} ${keyOf(op.object)}${op.object.kind === 'link' ? ` ${op.object.up}` : ''}`,
    );
  };

  it.each<[string, readonly KernelObject[], string]>([
    ['that is made', [], 'add'],
    ['that is down', [veth(false)], 'replace'],
  ])('%s comes up when its sysctls are set, before what needs it up', (_, found, verb) => {
    expect(order(found)).toEqual([
      `${verb} link veth1 false`,
      'add sysctl net/ipv6/conf/veth1/accept_ra',
      'replace link veth1 true',
      'add sysctl net/ipv6/conf/all/forwarding',
      expect.stringContaining('add address'),
    ]);
  });

  it('that is up stays so', () => {
    expect(order([veth(true)]).filter((each) => each.includes('link veth1'))).toEqual([]);
  });
});
