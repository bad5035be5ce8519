import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { KernelObject, Link, Qdisc, QdiscDetail } from '#core/kernel/index.ts';
import {
  addPlanText,
  cniEnvironment,
  delPlanText,
  nodeFacts,
  planAddOn,
  planDelOn,
} from '#testing/cni/index.ts';
import { rejectionOf, thrownBy } from '#testing/thrown.ts';
import { CniError } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';
import { parseNetworkConfig } from '../../spec/network-config.ts';
import { attachmentAlias, staleLinksOf } from '../identity.ts';
import { bandwidthPlugin, ifbName } from './bandwidth.ts';
import { isShapedAs, type Shape, shapeOf } from './bucket.ts';

const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url), 'utf8');
const attachment = { network: 'dbnet', containerId: 'c1', ifName: 'eth0' };
const BOTH = {
  ingressRate: 8_000_000,
  ingressBurst: 800_000,
  egressRate: 16_000_000,
  egressBurst: 800_001,
};
const prevResult = {
  interfaces: [{ name: 'cni0' }, { name: 'veth0' }, { name: 'eth0', sandbox: '/run/netns/pod1' }],
  ips: [{ address: '10.1.0.2/24', interface: 2 }],
};
const config = (more: JsonObject = BOTH): JsonObject => ({
  cniVersion: '1.1.0',
  name: 'dbnet',
  type: 'bandwidth',
  prevResult,
  ...more,
});
const veth = (alias?: string, name = 'veth0'): Link => ({
  kind: 'link',
  name,
  detail: { type: 'veth' },
  mtuBytes: 1450,
  ...(alias !== undefined && { alias }),
});
const cni0: Link = { kind: 'link', name: 'cni0', detail: { type: 'bridge' } };
const add = (more?: JsonObject, host: readonly KernelObject[] = [cni0, veth()]) =>
  planAddOn('bandwidth', config(more), nodeFacts({}, host));
const IFB = ifbName('dbnet', 'c1');

/** What the reference implementation makes of BOTH. */
const theirs = (root: QdiscDetail = shapeOf(8_000_000, 800_000)): KernelObject[] => [
  { kind: 'qdisc', link: 'veth0', parent: 'root', handle: 1, detail: root },
  { kind: 'link', name: IFB, detail: { type: 'ifb' }, mac: '76:60:d3:39:ec:ad', mtuBytes: 1450 },
  { kind: 'qdisc', link: IFB, parent: 'root', handle: 1, detail: shapeOf(16_000_000, 800_001) },
  { kind: 'qdisc', link: 'veth0', parent: 'ingress', detail: { type: 'ingress' } },
  { kind: 'filter', link: 'veth0', parent: 'ingress', preference: 1, redirect: IFB },
];

describe('ADD', () => {
  test('of both directions is planned whole, and so is its DEL', async () => {
    const plan = await add();
    expect(addPlanText(plan, '1.1.0')).toBe(golden('both.add.txt'));
    const facts = nodeFacts({}, [cni0, veth(), ...plan.hostObjects]);
    expect(delPlanText(planDelOn('bandwidth', config(), facts))).toBe(golden('both.del.txt'));
  });

  test('of what runtimeConfig says, in one direction, adds no interface for ingress', async () => {
    const { ingressRate, ingressBurst } = BOTH;
    const runtimeConfig = { bandwidth: { ingressRate, ingressBurst } };
    const { hostObjects, result } = await add({ runtimeConfig });
    expect(hostObjects).toEqual((await add()).hostObjects.slice(0, 1));
    expect(result.interfaces.map(({ name }) => name)).toEqual(['cni0', 'veth0', 'eth0']);
  });

  test.each([
    ['runtimeConfig', (keys: JsonObject) => ({ runtimeConfig: { bandwidth: keys } })],
    ['the configuration itself', (keys: JsonObject) => keys],
  ])('of %s takes the keys as Go names them', async (_, place) => {
    const keys = Object.entries(BOTH).map(([key, value]) => [
      key.charAt(0).toUpperCase() + key.slice(1),
      value,
    ]);
    expect((await add(place(Object.fromEntries(keys)))).hostObjects).toEqual((await add()).hostObjects);
  });

  test('of egress alone leaves the root of the host link alone', async () => {
    const { egressRate, egressBurst } = BOTH;
    const { hostObjects } = await add({ egressRate, egressBurst });
    expect(hostObjects).toEqual((await add()).hostObjects.slice(1));
  });

  test('of the configuration itself wins over runtimeConfig', async () => {
    const runtimeConfig = { bandwidth: { ingressRate: 8, ingressBurst: 8 } };
    expect((await add({ ...BOTH, runtimeConfig })).hostObjects).toEqual((await add()).hostObjects);
  });

  test.each<[string, JsonObject]>([
    ['no key', {}],
    ['empty runtimeConfig', { runtimeConfig: { bandwidth: {} } }],
    ['null', { runtimeConfig: { bandwidth: null } }],
    ['zeros', { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0, shapedSubnets: [] }],
  ])('without a limit (%s) passes the previous result through', async (_, more) => {
    const plan = await add(more, []);
    expect(plan.hostObjects).toEqual([]);
    expect(plan.result).toEqual(parseNetworkConfig(config()).prevResult);
  });

  test('of several veths takes that of the attachment', async () => {
    const interfaces = [{ name: 'veth9' }, ...prevResult.interfaces];
    const more = { ...BOTH, prevResult: { ...prevResult, interfaces } };
    const host = [veth(attachmentAlias(attachment)), veth(undefined, 'veth9')];
    expect((await add(more, host)).hostObjects[0]).toMatchObject({ link: 'veth0' });
    expect(await rejectionOf(CniError, add(more, [veth(), veth(undefined, 'veth9')]))).toMatchObject({
      code: 7,
      msg: 'prevResult names several veths on the host: veth9, veth0',
    });
  });

  test('again is the same plan, and another interface of the same container is refused', async () => {
    const first = await add();
    const host = [cni0, veth(), ...first.hostObjects];
    expect(await add(BOTH, host)).toEqual(first);
    const other = planAddOn('bandwidth', config(), nodeFacts({}, host), cniEnvironment({ ifName: 'eth1' }));
    expect(await rejectionOf(CniError, other)).toMatchObject({ code: 113, msg: `"${IFB}" already exists` });
  });

  test('warns of a burst that no whole packet fits', async () => {
    expect((await add({ ingressRate: 8_000_000, ingressBurst: 8000 })).warnings).toEqual([
      'ingressBurst: 1000 bytes is less than a packet of 1450 bytes: such packets are dropped',
    ]);
    expect((await add()).warnings).toEqual([]);
  });

  test.each<[string, JsonObject, number, string]>([
    ['a rate without a burst', { ingressRate: 8000 }, 7, 'ingressRate: 8000: if rate is set, burst must'],
    ['a burst without a rate', { egressBurst: 8000 }, 7, 'egressBurst: 8000: if burst is set, rate must'],
    [
      'a burst over 4 GB',
      { egressRate: 8000, egressBurst: 0xffffffff * 8 },
      7,
      'egressBurst: 34359738360: burst cannot be more than 4GB',
    ],
    ['a negative rate', { ingressRate: -1, ingressBurst: 8 }, 7, 'ingressRate: '],
    ['a rate that is text', { ingressRate: '1M', ingressBurst: 8 }, 7, 'ingressRate: '],
    ['a rate under a byte', { ingressRate: 7, ingressBurst: 800 }, 7, 'ingressRate: 7: under 8 bits'],
    [
      'a burst of less than a microsecond',
      { ingressRate: 8_000_000_000, ingressBurst: 7992 },
      7,
      'ingressBurst: 7992: less than what passes in a microsecond',
    ],
    [
      'a burst without a whole byte',
      { runtimeConfig: { bandwidth: { ingressRate: 8000, ingressBurst: 7 } } },
      7,
      'invalid runtimeConfig.bandwidth',
    ],
    ['runtimeConfig that is no object', { runtimeConfig: { bandwidth: 7 } }, 7, '7 is not an object'],
    [
      'shapedSubnets',
      { ...BOTH, shapedSubnets: ['10.0.0.0/8'] },
      2,
      'unsupported field "shapedSubnets": ["10.0.0.0/8"]',
    ],
    [
      'unshapedSubnets',
      { ...BOTH, unshapedSubnets: ['fd00::/8'] },
      2,
      'unsupported field "unshapedSubnets": ["fd00::/8"]',
    ],
    ['no previous result', { ...BOTH, prevResult: null }, 7, 'required prevResult missing'],
    [
      'a previous result without a veth',
      { ...BOTH, prevResult: { interfaces: [{ name: 'cni0' }, { name: 'veth0', sandbox: '/x' }] } },
      7,
      'prevResult names no veth on the host',
    ],
  ])('refuses %s', async (_, more, code, text) => {
    const error = await rejectionOf(CniError, add(more));
    expect(error).toMatchObject({ code });
    expect(error?.message).toContain(text);
  });

  test('refuses a host link that another shapes, unless it is left alone', async () => {
    const host = [cni0, veth(), ...theirs().slice(0, 1)];
    expect(await rejectionOf(CniError, add(BOTH, host))).toMatchObject({
      code: 113,
      msg: '"veth0" has a root qdisc already: tbf 1:',
    });
    const { egressRate, egressBurst } = BOTH;
    expect((await add({ egressRate, egressBurst }, host)).hostObjects).toHaveLength(4);
  });
});

describe('DEL', () => {
  const del = (host: readonly KernelObject[], more?: JsonObject) =>
    planDelOn('bandwidth', config(more), nodeFacts({}, host)).hostRemovals;

  test('of a container that the reference shaped removes the ifb and what leads there, not the host’s end', () => {
    const [root, ifb, , ingress, filter] = theirs();
    const removed = del([cni0, veth(), ...theirs()]);
    expect(removed).toEqual([filter, ingress, ifb]);
    expect(removed).not.toContain(root);
  });

  test('without a previous result finds its way by the filter and the alias', async () => {
    const { hostObjects } = await add();
    const host = [cni0, veth(attachmentAlias(attachment)), ...hostObjects];
    const whole = del(host).map((object) => object.kind);
    expect(whole).toEqual(['filter', 'qdisc', 'qdisc', 'link']);
    expect(del(host, { prevResult: null }).map((object) => object.kind)).toEqual(whole);
    expect(del(host.slice(0, 3), { prevResult: null })).toEqual([hostObjects[0]]);
  });

  test('leaves an ingress qdisc that others use, and clsact', async () => {
    const { hostObjects } = await add();
    const another: KernelObject = { kind: 'filter', link: 'veth0', parent: 'ingress', preference: 7 };
    const host = [cni0, veth(), ...hostObjects];
    expect(del([...host, another])).not.toContainEqual(hostObjects[3]);
    const clsact: Qdisc = { ...(hostObjects[3] as Qdisc), detail: { type: 'clsact' } };
    expect(del([...host.filter((object) => object !== hostObjects[3]), clsact])).not.toContainEqual(clsact);
  });

  test('leaves a link of that name that is no ifb or another attachment’s, and another pod’s bucket', async () => {
    const { hostObjects } = await add();
    const bucket = hostObjects[0] as KernelObject;
    expect(del([{ ...veth(), name: IFB }])).toEqual([]);
    const others = attachmentAlias({ ...attachment, ifName: 'eth1' });
    expect(del([{ kind: 'link', name: IFB, detail: { type: 'ifb' }, alias: `${others}+bandwidth` }])).toEqual(
      [],
    );
    expect(del([veth(others), bucket])).toEqual([]);
  });

  test('with a broken configuration and nothing there does nothing and does not complain', () => {
    expect(del([], { ingressRate: 'x', shapedSubnets: [1] })).toEqual([]);
  });
});

describe('CHECK', () => {
  const check = (host: readonly KernelObject[], isRecorded = false, more?: JsonObject) => {
    const network = parseNetworkConfig(config(more));
    const environment = cniEnvironment({ command: 'CHECK' });
    return thrownBy(CniError, () =>
      bandwidthPlugin.check?.({ network, environment, facts: nodeFacts({}, host) }, isRecorded),
    );
  };
  const here = [cni0, veth()];

  test('is content with what ADD made, ours and that of the reference', async () => {
    expect(check([...here, ...(await add()).hostObjects], true)).toBeUndefined();
    expect(check([...here, ...theirs()])).toBeUndefined();
    expect(check(here, false, {})).toBeUndefined();
  });

  test('is content with classes of newer releases of the reference, which are not ours', () => {
    const host = [...here, ...theirs({ type: 'other', qdiscKind: 'htb' })];
    expect(check(host)).toBeUndefined();
    expect(check(host, true)).toMatchObject({ details: 'veth0 has a root qdisc of kind htb, not tbf' });
  });

  test('lists all that is missing or different', () => {
    expect(check(here)).toMatchObject({
      code: 114,
      msg: 'container c1 is not shaped as ADD left it',
      details: `veth0 has no root qdisc; interface ${IFB} is missing on the host; no filter redirects what comes in by veth0 to ${IFB}`,
    });
    expect(check([...here, ...theirs(shapeOf(4_000_000, 800_000))])).toMatchObject({
      details:
        'veth0 is shaped to rate 500000 bytes/s, bucket 3125000 ticks, limit 112500 bytes, not to rate 1000000 bytes/s, bucket 1562500 ticks, limit 125000 bytes',
    });
    const lost = theirs().map((object) => (object.kind === 'filter' ? { ...object, redirect: '' } : object));
    expect(check([...here, ...lost])?.details).toBe(`no filter redirects what comes in by veth0 to ${IFB}`);
  });

  test('demands prevResult', () => {
    expect(check(here, false, { prevResult: null })).toMatchObject({ code: 7 });
  });
});

describe('GC', () => {
  test('takes the ifb of an attachment that is not valid, and leaves that of one that is', async () => {
    const { hostObjects } = await add();
    const host = nodeFacts({}, hostObjects).host;
    expect(staleLinksOf('dbnet', [], host).map(({ name }) => name)).toEqual([IFB]);
    expect(staleLinksOf('dbnet', [attachment], host)).toEqual([]);
  });
});

describe('a bucket', () => {
  test('is what the reference makes of rate and burst', () => {
    expect(shapeOf(8_000_000, 800_001)).toEqual({
      type: 'tbf',
      rateBytesPerSec: 1_000_000,
      bucketTicks: 1_562_500,
      limitBytes: 125_000,
    });
  });

  test('that 32 bits cannot hold is as large as they can, and what wrapped around passes', () => {
    const wished = shapeOf(1_000_000, 2 ** 31 - 1);
    expect(wished).toMatchObject({ bucketTicks: 0xffffffff, limitBytes: 268_438_580 });
    const wrapped: Shape = { ...wished, bucketTicks: 3_489_660_803 };
    expect(isShapedAs(wrapped, wished)).toBe(true);
    expect(isShapedAs({ ...wrapped, limitBytes: 1 }, wished)).toBe(false);
  });
});

test('the ifb is called as the reference calls it', () => {
  const hash = createHash('sha512').update('dbnetc1').digest('hex');
  expect(IFB).toBe(`bwp${hash.slice(0, 12)}`);
  expect(ifbName('net', 'c1')).toBe('bwp623e1c388032');
});
