import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CNI, type KernelObject, type Link } from '#core/kernel/index.ts';
import { addPlanText, cniEnvironment, nodeFacts, planAddOn, planDelOn } from '#testing/cni/index.ts';
import { rejectionOf } from '#testing/thrown.ts';
import { CniError } from '../../spec/error.ts';
import type { JsonObject } from '../../spec/json.ts';
import { parseNetworkConfig } from '../../spec/network-config.ts';
import { attachmentAlias } from '../identity.ts';
import { bridgePlugin } from './bridge.ts';

const golden = (name: string) => readFileSync(new URL(`./golden/${name}`, import.meta.url), 'utf8');

const config = (more: JsonObject = {}, ipam: JsonObject | false = { subnet: '10.1.0.0/24' }) => ({
  cniVersion: '1.1.0',
  name: 'dbnet',
  type: 'bridge',
  ...(ipam && { ipam: { type: 'host-local', ...ipam } }),
  ...more,
});

const dualStack: JsonObject = {
  ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
};

const cni0: Link = { kind: 'link', name: 'cni0', detail: { type: 'bridge' }, mac: '02:00:00:00:00:01' };
const onCni0 = (address: string): KernelObject => ({ kind: 'address', link: 'cni0', address });
const port = (name: string): Link => ({
  kind: 'link',
  name,
  detail: { type: 'veth' },
  master: 'cni0',
});

describe('the network of the introduction, dbnet of version 0.3.1', () => {
  test('is planned as the specification prescribes, dns included', async () => {
    const plan = await planAddOn('bridge', golden('dbnet.conf'), nodeFacts());
    expect(addPlanText(plan, '0.3.1')).toBe(golden('dbnet.add.txt'));
    expect(plan.result.dns).toEqual({ nameservers: ['10.1.0.1'] });
  });
});

describe('ADD', () => {
  test('as default gateway in both families is planned whole', async () => {
    const more = { isDefaultGateway: true, mtu: 1400, hairpinMode: true };
    const plan = await planAddOn('bridge', config(more, { ...dualStack, routes: [] }), nodeFacts());
    expect(addPlanText(plan, '1.1.0')).toBe(golden('default-gateway.add.txt'));
  });

  test('made twice is the same plan', async () => {
    const plans = await Promise.all([1, 2].map(() => planAddOn('bridge', config(), nodeFacts())));
    expect(plans[1]).toEqual(plans[0]);
  });

  test('without ipam gives an interface without addresses', async () => {
    const { result, podObjects } = await planAddOn('bridge', config({}, false), nodeFacts());
    expect(result.interfaces.map((link) => link.name)).toEqual(['cni0', 'veth8799b23c', 'eth0']);
    expect([result.ips, result.routes]).toEqual([[], []]);
    expect(podObjects.map((object) => object.kind)).toEqual(['link']);
  });

  test('wants the same bridge for every container', async () => {
    const first = await planAddOn('bridge', config({ mtu: 1400 }), nodeFacts());
    const facts = nodeFacts({}, first.sharedObjects);
    const second = await planAddOn(
      'bridge',
      config({ mtu: 1400 }),
      facts,
      cniEnvironment({ containerId: 'c2' }),
    );
    expect(second.sharedObjects).toEqual(first.sharedObjects);
    expect(second.hostObjects).not.toEqual(first.hostObjects);
  });

  test('keeps an existing bridge of somebody else as it is, with its MAC address', async () => {
    const foreign = { ...cni0, mtuBytes: 9000, alias: 'made by hand' };
    const { result, sharedObjects } = await planAddOn(
      'bridge',
      config({ mtu: 1400 }),
      nodeFacts({}, [foreign]),
    );
    expect(result.interfaces[0]).toEqual({ name: 'cni0', mac: '02:00:00:00:00:01' });
    expect(sharedObjects[0]).toEqual({ kind: 'link', name: 'cni0', detail: { type: 'bridge' }, up: true });
  });

  test('takes the MAC address from runtimeConfig, then args, then CNI_ARGS', async () => {
    const macOf = async (more: JsonObject) => {
      const environment = cniEnvironment({ args: 'IgnoreUnknown=1;MAC=02:00:00:00:00:03' });
      const plan = await planAddOn('bridge', config(more), nodeFacts(), environment);
      return plan.result.interfaces[2]?.mac;
    };
    const args = { cni: { mac: '02-00-00-00-00-02' } };
    expect(await macOf({ args, runtimeConfig: { mac: '02:00:00:00:00:AB' } })).toBe('02:00:00:00:00:ab');
    expect(await macOf({ args })).toBe('02:00:00:00:00:02');
    expect(await macOf({})).toBe('02:00:00:00:00:03');
    const bad = planAddOn('bridge', config({ runtimeConfig: { mac: '01:00:00:00:00:01' } }), nodeFacts());
    expect(await rejectionOf(CniError, bad)).toMatchObject({
      code: 7,
      msg: 'runtimeConfig.mac "01:00:00:00:00:01" is not a unicast MAC address',
    });
  });

  test('gives the dns of the configuration, else that of IPAM', async () => {
    const dns = { nameservers: ['10.9.9.9'] };
    const network = parseNetworkConfig(config());
    const call = { environment: cniEnvironment(), facts: nodeFacts() };
    const ipamResult = { interfaces: [], ips: [{ address: '10.1.0.2/24' }], routes: [], dns };
    expect(bridgePlugin.prepareAdd({ network, ...call }).plan(ipamResult).result.dns).toEqual(dns);
    const own = { ...network, dns: { search: ['lab'] } };
    expect(bridgePlugin.prepareAdd({ network: own, ...call }).plan(ipamResult).result.dns).toEqual({
      search: ['lab'],
    });
  });

  test('does not add a default route where IPAM has one', async () => {
    const { result, podObjects } = await planAddOn(
      'bridge',
      config({ isDefaultGateway: true }, dualStack),
      nodeFacts(),
    );
    expect(result.routes).toEqual([{ dst: '0.0.0.0/0' }, { dst: '::/0' }]);
    expect(podObjects.filter((object) => object.kind === 'route')).toMatchObject([
      { dst: '0.0.0.0/0', nextHops: [{ via: '10.1.0.1', link: 'eth0' }] },
      { dst: '::/0', nextHops: [{ via: 'fd00:1::1', link: 'eth0' }] },
    ]);
  });

  test('behind another plugin adds to its result', async () => {
    const prevResult = {
      interfaces: [{ name: 'eth1', sandbox: '/run/netns/pod1' }],
      ips: [{ address: '10.9.0.2/24', interface: 0 }],
      dns: { nameservers: ['10.9.0.1'] },
    };
    const { result } = await planAddOn('bridge', config({ prevResult }), nodeFacts());
    expect(result.interfaces.map((link) => link.name)).toEqual(['eth1', 'cni0', 'veth8799b23c', 'eth0']);
    expect(result.ips.map((ip) => ip.interface)).toEqual([0, 3]);
    expect(result.dns).toEqual({ nameservers: ['10.9.0.1'] });
  });

  test('avoids a host link name that is in use', async () => {
    const used: Link = { kind: 'link', name: 'veth8799b23c', detail: { type: 'veth' } };
    const { result } = await planAddOn('bridge', config(), nodeFacts({}, [used]));
    expect(result.interfaces[1]?.name).toMatch(/^veth[0-9a-f]{8}$/);
    expect(result.interfaces[1]?.name).not.toBe('veth8799b23c');
  });

  test.each<[string, JsonObject, number, string]>([
    [
      'hairpin and promiscuous mode together',
      { hairpinMode: true, promiscMode: true },
      7,
      'cannot set hairpin mode',
    ],
    ['a bridge name that is none', { bridge: 'a/b' }, 7, 'bridge: "a/b": interface name contains /'],
    ['a flag that is none', { isGateway: 'yes' }, 7, 'isGateway: '],
    ['a negative MTU', { mtu: -1 }, 7, 'mtu: '],
    ['a gateway in a VLAN', { isGateway: true, vlan: 7 }, 2, 'vlan'],
    ['a VLAN that is none', { vlan: 4095 }, 7, 'vlan: '],
  ])('refuses %s', async (_name, more, code, text) => {
    const error = await rejectionOf(CniError, planAddOn('bridge', config(more), nodeFacts()));
    expect(error?.code).toBe(code);
    expect(error?.message).toContain(text);
  });

  test('takes keys at the values that change nothing', async () => {
    const more = {
      ipMasq: false,
      ipMasqBackend: 'iptables',
      vlan: 0,
      vlanTrunk: [],
      macspoofchk: null,
      portIsolation: false,
    };
    expect((await planAddOn('bridge', config(more), nodeFacts())).result.ips).toHaveLength(1);
  });

  test('refuses an interface name that the container has', async () => {
    const eth0: Link = { kind: 'link', name: 'eth0', detail: { type: 'veth' } };
    expect(
      await rejectionOf(CniError, planAddOn('bridge', config(), nodeFacts({}, [], [eth0]))),
    ).toMatchObject({
      code: 4,
      msg: 'CNI_IFNAME: interface "eth0" already exists in /run/netns/pod1',
    });
  });

  test('refuses a bridge name that another link has', async () => {
    const dummy: Link = { kind: 'link', name: 'cni0', detail: { type: 'dummy' } };
    const error = await rejectionOf(CniError, planAddOn('bridge', config(), nodeFacts({}, [dummy])));
    expect(error).toMatchObject({ code: 113, msg: '"cni0" already exists but is not a bridge' });
  });

  test('refuses an IPv6 address where the kernel has no IPv6', async () => {
    const error = await rejectionOf(
      CniError,
      planAddOn('bridge', config({}, dualStack), nodeFacts({ ipv6: false })),
    );
    expect(error?.msg).toBe('the kernel of node node-a has no IPv6, the network gives fd00:1::2/64');
  });
});

describe('an existing bridge with another address', () => {
  const plan = (more: JsonObject, host: readonly KernelObject[], ipam = dualStack) =>
    planAddOn('bridge', config({ isGateway: true, ...more }, ipam), nodeFacts({}, host));

  test('gets the new one when nothing is attached to it', async () => {
    const { hostRemovals, sharedObjects } = await plan({}, [
      cni0,
      onCni0('10.9.0.1/24'),
      onCni0('fd00:1::9/64'),
      onCni0('fd00:2::1/64'),
      onCni0('fe80::1234/64'),
    ]);
    expect(hostRemovals).toEqual([onCni0('10.9.0.1/24'), onCni0('fd00:1::9/64')]);
    expect(sharedObjects.filter((object) => object.kind === 'address')).toEqual([
      { kind: 'address', link: 'cni0', address: '10.1.0.1/24' },
      { kind: 'address', link: 'cni0', address: 'fd00:1::1/64', noDad: true },
    ]);
  });

  test('that is in use is left alone, and the error says what to do', async () => {
    const host = [cni0, onCni0('10.9.0.1/24'), port('veth1')];
    expect(await rejectionOf(CniError, plan({}, host))).toMatchObject({
      code: 113,
      msg: '"cni0" already has an IP address different from 10.1.0.1/24 and fd00:1::1/64: 10.9.0.1/24',
      details:
        '1 interfaces are attached to it: veth1; detach them, set "forceAddress": true, or name another "bridge"',
    });
    const { hostRemovals } = await plan({ forceAddress: true }, host);
    expect(hostRemovals).toEqual([onCni0('10.9.0.1/24')]);
  });

  test('that is neither ours nor called cni0 is left alone too', async () => {
    const lan = [
      { ...cni0, name: 'br-lan' },
      { kind: 'address', link: 'br-lan', address: '192.168.1.1/24' } as const,
    ];
    expect((await rejectionOf(CniError, plan({ bridge: 'br-lan' }, lan)))?.details).toContain(
      'it was not made by Poplin',
    );
    const ours = [{ ...cni0, name: 'br-lan', alias: CNI.alias }, ...lan.slice(1)];
    expect((await plan({ bridge: 'br-lan' }, ours)).hostRemovals).toEqual(lan.slice(1));
  });

  test('with the right addresses keeps them', async () => {
    const host = [cni0, onCni0('10.1.0.1/24'), onCni0('fd00:1::1/64'), port('veth1')];
    expect((await plan({}, host)).hostRemovals).toEqual([]);
  });

  test('may be gateway of two IPv4 networks at once', async () => {
    const ipam = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.2.0.0/24' }]] };
    const host = [cni0, onCni0('10.1.0.1/24'), port('veth1')];
    const { hostRemovals, sharedObjects } = await plan({}, host, ipam);
    expect(hostRemovals).toEqual([]);
    expect(sharedObjects.filter((object) => object.kind === 'address')).toHaveLength(2);
  });
});

describe('DEL', () => {
  const attachment = { network: 'dbnet', containerId: 'c1', ifName: 'eth0' };
  const veth = (name: string, alias?: string): Link => ({
    kind: 'link',
    name,
    detail: { type: 'veth' },
    ...(alias !== undefined && { alias }),
  });

  test('removes the host link that carries the attachment’s alias, and no other', () => {
    const own = veth('veth9', attachmentAlias(attachment));
    const others = [
      veth('veth8799b23c'),
      veth('veth2', attachmentAlias({ ...attachment, containerId: 'c2' })),
    ];
    const plan = planDelOn('bridge', config(), nodeFacts({}, [...others, own]));
    expect(plan).toEqual({ hostRemovals: [own], podRemovals: [], podObjects: [] });
  });

  test('removes the container’s interface where another implementation made the pair', () => {
    const facts = nodeFacts({}, [], [veth('eth0')]);
    expect(planDelOn('bridge', config(), facts).podRemovals).toEqual([veth('eth0')]);
  });

  test('does not touch an interface of another attachment, nor one that is no veth', () => {
    const another = veth('eth0', attachmentAlias({ ...attachment, containerId: 'c2' }));
    const physical: Link = { kind: 'link', name: 'eth0', detail: { type: 'other', linkKind: 'physical' } };
    for (const link of [another, physical]) {
      expect(planDelOn('bridge', config(), nodeFacts({}, [], [link])).podRemovals).toEqual([]);
    }
  });

  test('of what is gone, with a broken configuration, does nothing and does not complain', () => {
    const broken = config({ ipMasq: true, mtu: 'x', bridge: 7 }, { subnet: 'nonsense' });
    expect(planDelOn('bridge', broken, nodeFacts())).toEqual({
      hostRemovals: [],
      podRemovals: [],
      podObjects: [],
    });
  });
});
