import { beforeEach, describe, expect, test } from 'vitest';
import { type KernelObject, keyOf, type Qdisc, type TrafficFilter } from '#core/kernel/index.ts';
import { decodeMessage, encodeMessage, encodeOp, RouteMirror } from '../index.ts';
import { linkMessage } from '../route/link.ts';
import { filterMessage } from './filter.ts';
import { RTM_FILTER, RTM_QDISC } from './header.ts';
import { qdiscMessage } from './qdisc.ts';

const indexes: Readonly<Record<string, number>> = { veth0: 2, ifb0: 3, gone: 99 };
const links = { indexOf: (name: string) => indexes[name], netnsFd: () => 0 };
const encoded = (verb: 'add' | 'remove', object: KernelObject) => encodeOp({ verb, object }, links);
const bytesOf = (object: KernelObject) => encoded('add', object)[0] as Uint8Array;

const tbf = (rateBytesPerSec: number, link = 'veth0'): Qdisc => ({
  kind: 'qdisc',
  link,
  parent: 'root',
  handle: 0x113,
  detail: { type: 'tbf', rateBytesPerSec, bucketTicks: 1_562_500, limitBytes: 125_000 },
});
const ingress: Qdisc = { kind: 'qdisc', link: 'veth0', parent: 'ingress', detail: { type: 'ingress' } };
const redirect: TrafficFilter = {
  kind: 'filter',
  link: 'veth0',
  parent: 'ingress',
  preference: 113,
  redirect: 'ifb0',
};

describe('annotated bytes', () => {
  test('a bucket at the root', () => {
    expect([...bytesOf(tbf(1_000_000))]).toEqual([
      ...[88, 0, 0, 0, 36, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], // nlmsghdr: RTM_NEWQDISC, CREATE | EXCL
      ...[0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0x13, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], // tcmsg: dev 2, handle 113:, root
      ...[8, 0, 1, 0, 0x74, 0x62, 0x66, 0], // TCA_KIND "tbf"
      ...[44, 0, 2, 0x80, 40, 0, 1, 0], // TCA_OPTIONS, TCA_TBF_PARMS
      ...[0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x42, 0x0f, 0], // rate: 1,000,000 bytes in a second
      ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // no peak rate
      ...[0x48, 0xe8, 1, 0, 0x84, 0xd7, 0x17, 0, 0, 0, 0, 0], // limit, buffer, mtu
    ]);
  });

  test('a redirect of everything', () => {
    const bytes = bytesOf(redirect);
    expect([...bytes.subarray(0, 36)]).toEqual([
      ...[bytes.length, 0, 0, 0, 44, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], // nlmsghdr: RTM_NEWTFILTER, CREATE | EXCL
      ...[0, 0, 0, 0, 2, 0, 0, 0, 0, 8, 0, 0, 0xf2, 0xff, 0xff, 0xff, 0, 3, 113, 0], // tcmsg: node 800, ingress, pref 113 all
    ]);
    expect(decodeMessage(filterMessage, bytes).payload.attributes).toMatchObject({
      kind: 'u32',
      options: {
        selector: { flags: 1, keyCount: 1, keys: [{ mask: 0, value: 0 }] },
        actions: [
          { kind: 'mirred', options: { parameters: { what: 'egressRedirect', action: 4, link: 3 } } },
        ],
      },
    });
  });

  test('a rate that 32 bits cannot hold has an attribute of its own', () => {
    const { attributes } = decodeMessage(qdiscMessage, bytesOf(tbf(2 ** 33))).payload;
    expect(attributes.options).toMatchObject({
      parameters: { rate: { rate: 0xffffffff } },
      rate64: BigInt(2 ** 33),
    });
  });

  test('a removed filter takes all of its preference, and a replaced one is made anew', () => {
    expect(encoded('remove', redirect).map((bytes) => bytes[4])).toEqual([RTM_FILTER.DEL]);
    const replaced = encodeOp({ verb: 'replace', object: redirect, previous: redirect }, links);
    expect(replaced.map((bytes) => bytes[4])).toEqual([RTM_FILTER.DEL, RTM_FILTER.NEW]);
  });

  test.each<[string, KernelObject, string]>([
    [
      'a foreign qdisc',
      { ...tbf(1), detail: { type: 'other', qdiscKind: 'htb' } },
      'htb are seen, never made',
    ],
    [
      'a foreign filter',
      { kind: 'filter', link: 'veth0', parent: 'ingress', preference: 1 },
      'seen, never made',
    ],
    ['a filter to nowhere', { ...redirect, redirect: 'nowhere' }, 'link nowhere does not exist'],
    ['a qdisc on no link', tbf(1, 'nowhere'), 'link nowhere does not exist'],
  ])('%s is not made', (_, object, text) => {
    expect(() => bytesOf(object)).toThrow(text);
  });
});

describe('the mirror', () => {
  let mirror: RouteMirror;
  const link = (name: string, type = 16) =>
    encodeMessage(linkMessage, {
      type,
      flags: 0,
      payload: {
        family: 0,
        deviceType: 1,
        index: indexes[name] ?? 0,
        flags: 1,
        change: 0,
        attributes: { name },
      },
    });
  const told = (object: KernelObject, type?: number) => {
    const bytes = bytesOf(object).slice();
    if (type !== undefined) bytes[4] = type;
    return bytes;
  };
  const keys = () => [...mirror.state.keys()].filter((key) => !key.startsWith('link ')).sort();

  beforeEach(() => {
    mirror = new RouteMirror();
    for (const name of ['veth0', 'ifb0']) mirror.apply(link(name));
  });

  test.each([tbf(125_000), tbf(2 ** 33), ingress])('reads $detail.type as it was made', (object) => {
    mirror.apply(told(object));
    expect(mirror.state.get(keyOf(object))).toEqual(object);
    mirror.apply(told(object, RTM_QDISC.DEL));
    expect(keys()).toEqual([]);
  });

  test('reads a filter as it was made, in whichever order the links come', () => {
    mirror = new RouteMirror();
    mirror.apply(told(redirect));
    mirror.apply(link('veth0'));
    expect(keys()).toEqual([]);
    mirror.apply(link('ifb0'));
    expect(mirror.state.get(keyOf(redirect))).toEqual(redirect);
    mirror.apply(told(redirect, RTM_FILTER.DEL));
    expect(keys()).toEqual([]);
  });

  test('passes over what the kernel put there, what lies in another qdisc, and the hash tables of filters', () => {
    mirror.apply(told({ ...tbf(1), handle: 0 }));
    const inner = told(tbf(1));
    inner.set([1, 0, 0x13, 1], 28);
    mirror.apply(inner);
    mirror.apply(
      encodeMessage(filterMessage, {
        type: RTM_FILTER.NEW,
        flags: 0,
        payload: {
          ...decodeMessage(filterMessage, told(redirect)).payload,
          attributes: { kind: 'u32', options: { divisor: 1 } },
        },
      }),
    );
    expect(keys()).toEqual([]);
  });

  test('a qdisc that took the place of another stays when the end of that one is told', () => {
    mirror.apply(told(tbf(125_000)));
    mirror.apply(told({ ...tbf(1), handle: 1 }, RTM_QDISC.DEL));
    expect(mirror.state.get(keyOf(tbf(1)))).toEqual(tbf(125_000));
  });

  test('filters go with their qdisc', () => {
    for (const object of [ingress, redirect]) mirror.apply(told(object));
    expect(keys()).toEqual(['filter dev veth0 ingress pref 113', 'qdisc dev veth0 ingress']);
    mirror.apply(told(ingress, RTM_QDISC.DEL));
    expect(keys()).toEqual([]);
  });

  test('a filter loses its target with the link it redirects to, and goes with its own', () => {
    for (const object of [ingress, redirect]) mirror.apply(told(object));
    mirror.takeChanged();
    mirror.apply(link('ifb0', 17));
    expect(mirror.state.get(keyOf(redirect))).toEqual({ ...redirect, redirect: '' });
    expect([...mirror.takeChanged()]).toContain(keyOf(redirect));
    mirror.apply(link('veth0', 17));
    expect(keys()).toEqual([]);
  });

  test('both follow a link to its new name', () => {
    for (const object of [tbf(1), ingress, redirect]) mirror.apply(told(object));
    const renamed = (index: number, name: string) => {
      const message = decodeMessage(linkMessage, link('veth0'));
      const payload = { ...message.payload, index, attributes: { name } };
      mirror.apply(encodeMessage(linkMessage, { ...message, payload }));
    };
    renamed(2, 'pod0');
    renamed(3, 'shaper0');
    expect(keys()).toEqual([
      'filter dev pod0 ingress pref 113',
      'qdisc dev pod0 ingress',
      'qdisc dev pod0 root',
    ]);
    expect(mirror.state.get('filter dev pod0 ingress pref 113')).toMatchObject({ redirect: 'shaper0' });
  });

  test('asks for the filters of links that have a place for them', () => {
    expect(mirror.filterRequests()).toEqual([]);
    mirror.apply(told(ingress));
    const asked = mirror.filterRequests().map((bytes) => decodeMessage(filterMessage, bytes).payload.index);
    expect(asked).toEqual([2]);
  });
});
