import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  addPlanText,
  cniEnvironment,
  delPlanText,
  nodeFacts,
  planAddOn,
  planDelOn,
} from '#testing/cni/index.ts';
import { rejectionOf } from '#testing/thrown.ts';
import { CniError } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';

const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url), 'utf8');
const config = (more: JsonObject = {}) => ({ cniVersion: '1.1.0', name: 'pods', type: 'poplin', ...more });

describe('ADD', () => {
  test('in both families from the node’s leases is planned whole', async () => {
    const plan = await planAddOn('poplin', config(), nodeFacts());
    expect(addPlanText(plan, '1.1.0')).toBe(golden('dual-stack.add.txt'));
  });

  test.each([
    ['IPv4', '10.244.1.0/24', 'ipv6', '10.244.1.2/32', '169.254.1.1'],
    ['IPv6', 'fd00:244:1::/64', 'ipv4', 'fd00:244:1::2/128', 'fe80::1'],
  ])('in %s alone leaves the other family alone', async (_name, range, other, address, gateway) => {
    const plan = await planAddOn('poplin', config(), nodeFacts({ defaultRanges: [range] }));
    expect(plan.result.ips).toEqual([{ interface: 1, address, gateway }]);
    const objects = [...plan.sharedObjects, ...plan.hostObjects, ...plan.podObjects];
    const ofOther = objects.filter((object) => JSON.stringify(object).includes(`net/${other}`));
    const host = `net/ipv6/conf/${plan.result.interfaces[0]?.name}`;
    // A router advertisement from the pod must not give the host a route (CVE-2020-10749).
    const shut = ['accept_ra=0', 'autoconf=0', 'disable_ipv6=1'].map((text) => `${host}/${text}`);
    expect(ofOther.map((object) => object.kind === 'sysctl' && `${object.path}=${object.value}`)).toEqual(
      other === 'ipv6' ? shut : [],
    );
    expect(plan.hostObjects[0]).toMatchObject({ kind: 'link', addressGeneration: 'none' });
    expect(JSON.stringify(objects)).not.toContain(other === 'ipv6' ? 'fe80::' : '169.254.');
  });

  test('in IPv4 names no IPv6 setting where the kernel has no IPv6', async () => {
    const facts = nodeFacts({ defaultRanges: ['10.244.1.0/24'], ipv6: false });
    const plan = await planAddOn('poplin', config(), facts);
    expect(JSON.stringify(plan.hostObjects)).not.toMatch(/ipv6|addressGeneration/);
  });

  test('takes the MTU of the configuration before that of the overlay', async () => {
    const mtuOf = async (more: JsonObject, overlayMtuBytes?: number) => {
      const { overlayMtuBytes: _default, ...facts } = nodeFacts();
      const own = overlayMtuBytes === undefined ? facts : { ...facts, overlayMtuBytes };
      const plan = await planAddOn('poplin', config(more), own);
      return plan.podObjects.flatMap((object) => (object.kind === 'link' ? [object.mtuBytes] : []));
    };
    expect(await mtuOf({ mtu: 1300 }, 1450)).toEqual([1300]);
    expect(await mtuOf({}, 1450)).toEqual([1450]);
    expect(await mtuOf({})).toEqual([undefined]);
  });

  test('takes addresses from a configured IPAM', async () => {
    const ipam = { type: 'host-local', ranges: [[{ subnet: '10.9.0.0/24' }]] };
    const plan = await planAddOn('poplin', config({ ipam }), nodeFacts());
    expect(plan.result.ips).toEqual([{ interface: 1, address: '10.9.0.2/32', gateway: '169.254.1.1' }]);
  });

  test('fills a host-local section without ranges from the leases, and keeps the rest of it', async () => {
    const ipam = { type: 'host-local', routes: [{ dst: '10.0.0.0/8' }] };
    const plan = await planAddOn('poplin', config({ ipam }), nodeFacts());
    expect(plan.result.routes).toEqual([
      { dst: '10.0.0.0/8', gw: '169.254.1.1' },
      { dst: '::/0', gw: 'fe80::1' },
    ]);
    expect(plan.result.ips.map((ip) => ip.address)).toEqual(['10.244.1.2/32', 'fd00:244:1::2/128']);
  });

  test('gives a requested address', async () => {
    const environment = cniEnvironment({ args: 'IP=10.244.1.77' });
    const plan = await planAddOn('poplin', config(), nodeFacts(), environment);
    expect(plan.result.ips[0]?.address).toBe('10.244.1.77/32');
  });

  test('without ranges is error 7 where the agent serves CNI alone, and will never have a lease', async () => {
    const { overlayMtuBytes: _none, ...facts } = nodeFacts({ defaultRanges: [] });
    const error = await rejectionOf(CniError, planAddOn('poplin', config(), facts));
    expect(error).toMatchObject({ code: 7, details: expect.stringMatching(/node node-a serves CNI alone/) });
  });

  test('before the node has a lease is error 11', async () => {
    const error = await rejectionOf(
      CniError,
      planAddOn('poplin', config(), nodeFacts({ defaultRanges: [] })),
    );
    expect(error).toMatchObject({ code: 11, msg: 'node node-a has no pod subnet yet' });
  });

  test('refuses keys it does not know, by name and value', async () => {
    expect(
      await rejectionOf(CniError, planAddOn('poplin', config({ mtuu: 1400 }), nodeFacts())),
    ).toMatchObject({
      code: 2,
      msg: 'unsupported field "mtuu": 1400',
    });
    const fromRuntime = { capabilities: {}, args: {}, runtimeConfig: {}, 'cni.dev/x': 1, ipMasq: false };
    expect((await planAddOn('poplin', config(fromRuntime), nodeFacts())).result.ips).toHaveLength(2);
  });

  test('pods of one node get names and MAC addresses of their own', async () => {
    const plans = await Promise.all(
      ['c1', 'c2'].map((containerId) =>
        planAddOn('poplin', config(), nodeFacts(), cniEnvironment({ containerId })),
      ),
    );
    const [first, second] = plans.map((plan) => plan.result.interfaces);
    expect(first?.[0]?.name).not.toBe(second?.[0]?.name);
    expect(first?.[1]?.mac).not.toBe(second?.[1]?.mac);
    expect(first?.[0]?.name).toMatch(/^pop[0-9a-f]{11}$/);
  });
});

test('DEL removes what ADD made on the host', async () => {
  const { hostObjects } = await planAddOn('poplin', config(), nodeFacts());
  const plan = planDelOn('poplin', config(), nodeFacts({}, hostObjects));
  expect(plan.hostRemovals).toEqual(hostObjects.slice(0, 1));
  expect(delPlanText(plan)).toContain('"alias":"poplin:cni:pods/c1/eth0"');
});
