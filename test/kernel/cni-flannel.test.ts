/** The meta plugin flannel, with a bridge of ours and with Debian's, in both families; and what is left when something dies between. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, CniWorld, inNetns, pings } from './cni-world.ts';

/** Where Debian's containernetworking-plugins are. */
const DEBIAN = { CNI_PATH: '/usr/lib/cni' };
const CLIENT = join(import.meta.dirname, '../../dist/poplin-cni');
const SILENT = { exitStatus: 0, json: undefined };

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
  mkdirSync(dataDir());
  writeSubnet('flannel', 71);
});
afterEach(() => world[Symbol.asyncDispose]());

const dataDir = (network = 'cbr0') => join(world.folder, `flannel-${network}`);
const saved = (pod: string, network?: string) => join(dataDir(network), `container-${pod}`);
const subnetFile = (name: string) => join(world.folder, `${name}.env`);

function writeSubnet(name: string, at: number): void {
  writeFileSync(
    subnetFile(name),
    `FLANNEL_NETWORK=10.64.0.0/12,172.20.0.0/16
FLANNEL_SUBNET=10.${at}.0.1/24
FLANNEL_IPV6_NETWORK=fd00::/32
FLANNEL_IPV6_SUBNET=fd00:${at}::1/64
FLANNEL_MTU=1400
FLANNEL_IPMASQ=true
`,
  );
}

/** A network whose addresses are kept in the world's folder by whichever host-local. */
function config(keys: object = {}, name = 'cbr0'): object {
  return {
    cniVersion: '1.0.0',
    name,
    type: 'flannel',
    subnetFile: subnetFile('flannel'),
    dataDir: dataDir(name),
    delegate: { hairpinMode: true, isDefaultGateway: true },
    ipam: { dataDir: join(world.folder, 'networks') },
    ...keys,
  };
}

const flannel = (command: string, pod: string, keys: object = {}, environment = {}): Promise<Answer> => {
  world.pod(pod);
  return world.call('flannel', command, pod, config(keys), environment);
};

async function added(
  pod: string,
  keys: object = {},
  environment = {},
): Promise<Readonly<Record<string, unknown>>> {
  const { exitStatus, json } = await flannel('ADD', pod, keys, environment);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return json ?? {};
}

/** Links of the host that pods hang on. */
const ports = () =>
  world
    .sh('ip -o link show type veth')
    .split('\n')
    .filter((line) => line !== '').length;

async function reachesBoth(pod: string, addresses: readonly string[]): Promise<void> {
  for (const address of addresses)
    await expect.poll(() => pings(world.pod(pod), address), { timeout: 8000, message: address }).toBe(true);
}

describe.each([
  ['ours', {}],
  ['Debian’s', DEBIAN],
])('with the bridge that is %s', (whose, environment) => {
  test('pods reach each other in both families, and DEL leaves nothing, also twice', async () => {
    const first = await added('a', {}, environment);
    await added('b', {}, environment);
    expect(first).toMatchObject({
      cniVersion: '1.0.0',
      ips: [{ address: '10.71.0.2/24' }, { address: 'fd00:71::2/64' }],
    });
    expect(JSON.parse(readFileSync(saved('a'), 'utf8'))).toMatchObject({
      type: 'bridge',
      name: 'cbr0',
      mtu: 1400,
      ipMasq: false,
    });
    await reachesBoth('a', ['10.71.0.1', 'fd00:71::1', '10.71.0.3', 'fd00:71::3']);
    expect(world.inPod('a', 'ip route')).toMatch(/10\.64\.0\.0\/12 via(.*\n)*172\.20\.0\.0\/16 via/);
    // Whose work it was.
    expect(world.recorded()).toHaveLength(whose === 'ours' ? 2 : 0);
    for (let round = 0; round < 2; round++) {
      for (const pod of ['a', 'b']) expect(await flannel('DEL', pod, {}, environment)).toEqual(SILENT);
    }
    expect([ports(), world.reserved('cbr0'), readdirSync(dataDir()), world.recorded()]).toEqual([
      0,
      [],
      [],
      [],
    ]);
  });

  test('an old version gets a result in its shape', async () => {
    const result = await added('a', { cniVersion: '0.2.0' }, environment);
    expect(result).toMatchObject({ ip4: { ip: '10.71.0.2/24' }, ip6: { ip: 'fd00:71::2/64' } });
    expect(await flannel('DEL', 'a', { cniVersion: '0.2.0' }, environment)).toEqual(SILENT);
  });

  test('CHECK says what is wrong', async () => {
    const result = await added('a', {}, environment);
    // Debian's bridge looks for routes without a gateway as such, and never finds those of its own IPAM.
    const prevResult = whose === 'ours' ? result : { ...result, routes: [] };
    expect(await flannel('CHECK', 'a', { prevResult }, environment)).toEqual(SILENT);
    world.inPod('a', 'ip address flush dev eth0');
    expect((await flannel('CHECK', 'a', { prevResult }, environment)).exitStatus).toBe(1);
    rmSync(saved('a'));
    expect((await flannel('CHECK', 'a', { prevResult }, environment)).json).toMatchObject({ code: 114 });
  });

  test('an ADD that is refused leaves nothing, and what was there', async () => {
    world.pod('a');
    world.inPod('a', 'ip link add eth0 type veth peer name other');
    expect((await flannel('ADD', 'a', {}, environment)).exitStatus).toBe(1);
    expect([world.reserved('cbr0'), readdirSync(dataDir())]).toEqual([[], []]);
    await added('b', {}, environment);
    const text = readFileSync(saved('b'), 'utf8');
    writeSubnet('flannel', 72);
    expect((await flannel('ADD', 'b', {}, environment)).exitStatus).toBe(1);
    expect(readFileSync(saved('b'), 'utf8')).toBe(text);
    expect(await flannel('DEL', 'b', {}, environment)).toEqual(SILENT);
    expect(world.reserved('cbr0')).toEqual([]);
  });

  test('GC takes what is not valid, and its file', async () => {
    await added('a', {}, environment);
    await added('b', {}, environment);
    world.removePod('a');
    const valid = [{ containerID: 'container-b', ifname: 'eth0' }];
    const request = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid };
    expect(await flannel('GC', 'b', request, environment)).toEqual(SILENT);
    expect(readdirSync(dataDir())).toEqual(['container-b']);
    expect(world.reserved('cbr0')).toEqual(['10.71.0.3', 'fd00:71::3']);
    await reachesBoth('b', ['10.71.0.1', 'fd00:71::1']);
  });

  test('a pod whose link has another name is taken away', async () => {
    await added('a', {}, environment);
    world.inPod('a', 'ip link set eth0 down; ip link set eth0 name lan0');
    expect(await flannel('DEL', 'a', {}, environment)).toEqual(SILENT);
    expect([world.reserved('cbr0'), readdirSync(dataDir())]).toEqual([[], []]);
    if (whose === 'ours') expect(ports()).toBe(0);
  });
});

describe.each(['ours', 'Debian’s'])('a file that was written before the delegate ran, %s', (whose) => {
  const environment = whose === 'ours' ? {} : DEBIAN;

  test.each(['DEL', 'GC'])('goes with %s', async (command) => {
    await added('a', {}, environment);
    const text = readFileSync(saved('a'), 'utf8');
    expect(await flannel('DEL', 'a', {}, environment)).toEqual(SILENT);
    writeFileSync(saved('a'), text);
    const request = command === 'GC' ? { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] } : {};
    expect(await flannel(command, 'a', request, environment)).toEqual(SILENT);
    expect(readdirSync(dataDir())).toEqual([]);
  });
});

test('what flannel’s own plugin attached is taken away, whatever the subnet is by now', async () => {
  await added('a', {}, DEBIAN);
  // As flannel's plugin prints it: keys sorted, by root alone.
  const json = JSON.parse(readFileSync(saved('a'), 'utf8')) as Record<string, unknown>;
  writeFileSync(
    saved('a'),
    JSON.stringify(json, Object.keys(json).sort().concat('type', 'ranges', 'subnet', 'dataDir')),
  );
  rmSync(subnetFile('flannel'));
  expect(await flannel('DEL', 'a', { delegate: { name: 'not allowed in ADD' } })).toEqual(SILENT);
  expect([ports(), world.reserved('cbr0'), readdirSync(dataDir())]).toEqual([0, [], []]);
});

test('our own file in CNI_PATH means us, also as a link, and without a record of ours a file that is lost is no error', async () => {
  const bin = join(world.folder, 'bin');
  mkdirSync(bin);
  symlinkSync(CLIENT, join(bin, 'bridge'));
  await added('a', {}, { CNI_PATH: `${bin}:/usr/lib/cni` });
  expect(world.recorded()).toHaveLength(1);
  rmSync(saved('a'));
  // Debian's comes first by now: the record says who made it.
  expect(await flannel('DEL', 'a', {}, DEBIAN)).toEqual(SILENT);
  expect([ports(), world.reserved('cbr0'), world.recorded()]).toEqual([0, [], []]);
  expect(await flannel('DEL', 'a', {}, DEBIAN)).toEqual(SILENT);
});

test('an agent that comes back takes away what it delegated', async () => {
  await added('a');
  await world.stop();
  await world.start();
  expect(await flannel('DEL', 'a')).toEqual(SILENT);
  expect([ports(), world.reserved('cbr0'), readdirSync(dataDir()), world.recorded()]).toEqual([
    0,
    [],
    [],
    [],
  ]);
});

test('a DEL that was recorded goes before the next ADD, also of a bridge under the same name', async () => {
  await added('a');
  world.record({ plugin: 'flannel', pod: 'a', config: config() });
  await added('a');
  expect([world.recordedDels, existsSync(saved('a')), ports()]).toEqual([[], true, 1]);
  world.record({ plugin: 'flannel', pod: 'a', config: config() });
  const bridge = { cniVersion: '1.0.0', name: 'cbr0', type: 'bridge', bridge: 'b9' };
  expect((await world.call('bridge', 'ADD', 'a', bridge)).exitStatus).toBe(0);
  expect([world.recordedDels, readdirSync(dataDir()), ports()]).toEqual([[], [], 1]);
});

test('two networks of one host, one family each, do not mix', async () => {
  writeFileSync(
    subnetFile('four'),
    'FLANNEL_NETWORK=10.64.0.0/12\nFLANNEL_SUBNET=10.73.0.1/24\nFLANNEL_MTU=1400\nFLANNEL_IPMASQ=true\n',
  );
  writeFileSync(
    subnetFile('six'),
    'FLANNEL_IPV6_NETWORK=fd00::/32\nFLANNEL_IPV6_SUBNET=fd00:74::1/64\nFLANNEL_MTU=1300\nFLANNEL_IPMASQ=false\n',
  );
  world.pod('a');
  const of = (name: string, more: object = {}) =>
    config(
      { subnetFile: subnetFile(name), delegate: { bridge: `br-${name}`, isDefaultGateway: true }, ...more },
      name,
    );
  const call = (name: string, command: string, CNI_IFNAME: string, more: object = {}) =>
    world.call('flannel', command, 'a', of(name, more), { CNI_IFNAME });
  expect((await call('four', 'ADD', 'eth0')).json).toMatchObject({ ips: [{ address: '10.73.0.2/24' }] });
  expect((await call('six', 'ADD', 'eth1')).json).toMatchObject({ ips: [{ address: 'fd00:74::2/64' }] });
  await reachesBoth('a', ['10.73.0.1', 'fd00:74::1']);
  expect(world.inPod('a', 'ip -o link')).toMatch(/eth0@.* mtu 1400 (.*\n)*.*eth1@.* mtu 1300 /);
  expect(await call('four', 'DEL', 'eth0')).toEqual(SILENT);
  await reachesBoth('a', ['fd00:74::1']);
  expect(await call('six', 'DEL', 'eth1')).toEqual(SILENT);
  expect([ports(), world.reserved('four'), world.reserved('six')]).toEqual([0, [], []]);
});

describe.each([
  ['ours', {}],
  ['Debian’s', DEBIAN],
])(
  'one container, interfaces of two networks and two of one of them, one dataDir, the bridge is %s',
  (_, environment) => {
    const shared = 'flannel-shared';
    /** Network and interface, in the order of the ADDs. */
    const INTERFACES = [
      ['red', 'eth0'],
      ['blue', 'net1'],
      ['blue', 'net2'],
    ] as const;
    const call = (command: string, network: string, CNI_IFNAME: string, more: object = {}) => {
      const keys = {
        subnetFile: subnetFile(network),
        dataDir: join(world.folder, shared),
        delegate: { bridge: `br-${network}` },
        ...more,
      };
      world.pod('a');
      return world.call('flannel', command, 'a', config(keys, network), { ...environment, CNI_IFNAME });
    };
    const files = () => readdirSync(join(world.folder, shared)).sort();
    const gateways = (network: string) =>
      network === 'red' ? ['10.75.0.1', 'fd00:75::1'] : ['10.76.0.1', 'fd00:76::1'];

    beforeEach(async () => {
      writeSubnet('red', 75);
      writeSubnet('blue', 76);
      for (const [network, ifName] of INTERFACES) {
        const { exitStatus, json } = await call('ADD', network, ifName);
        expect(exitStatus, JSON.stringify(json)).toBe(0);
      }
    });

    test('each has a file, and each DEL takes its own, also twice', async () => {
      expect(files()).toEqual(['container-a', 'container-a@blue@net1', 'container-a@blue@net2']);
      for (const network of ['red', 'blue']) await reachesBoth('a', gateways(network));
      for (let round = 0; round < 2; round++) expect(await call('DEL', 'blue', 'net1')).toEqual(SILENT);
      expect(files()).toEqual(['container-a', 'container-a@blue@net2']);
      expect(world.reserved('blue')).toEqual(['10.76.0.3', 'fd00:76::3']);
      await reachesBoth('a', [...gateways('red'), ...gateways('blue')]);
      expect(await call('DEL', 'red', 'eth0')).toEqual(SILENT);
      expect([files(), world.reserved('red')]).toEqual([['container-a@blue@net2'], []]);
      await reachesBoth('a', gateways('blue'));
      expect(await call('DEL', 'blue', 'net2')).toEqual(SILENT);
      expect([ports(), files(), world.reserved('blue'), world.recorded()]).toEqual([0, [], [], []]);
    });

    test('GC of one network takes what is not valid there, and nothing of the other', async () => {
      const valid = [{ containerID: 'container-a', ifname: 'net2' }];
      const request = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid };
      expect(await call('GC', 'blue', 'eth0', request)).toEqual(SILENT);
      expect(files()).toEqual(['container-a', 'container-a@blue@net2']);
      expect(world.reserved('blue')).toEqual(['10.76.0.3', 'fd00:76::3']);
      await reachesBoth('a', [...gateways('red'), ...gateways('blue')]);
    });

    test('an ADD that fails leaves the file of the other interface', async () => {
      const text = readFileSync(join(world.folder, shared, 'container-a'), 'utf8');
      expect((await call('ADD', 'red', 'net9', { delegate: { type: 'nowhere' } })).exitStatus).toBe(1);
      expect(readFileSync(join(world.folder, shared, 'container-a'), 'utf8')).toBe(text);
      expect(files()).toHaveLength(INTERFACES.length);
    });
  },
);

test('a file that flannel’s own plugin left for another interface than eth0 is found there', async () => {
  await added('a', {}, { ...DEBIAN, CNI_IFNAME: 'net1' });
  const own = join(dataDir(), 'container-a@cbr0@net1');
  const { 'poplin.dev/interface': _, ...flannels } = JSON.parse(readFileSync(own, 'utf8')) as Record<
    string,
    unknown
  >;
  rmSync(own);
  writeFileSync(saved('a'), JSON.stringify(flannels));
  expect(await flannel('DEL', 'a', {}, { CNI_IFNAME: 'net1' })).toEqual(SILENT);
  expect([ports(), world.reserved('cbr0'), readdirSync(dataDir())]).toEqual([0, [], []]);
});

test('other delegates of ours: poplin and ptp, with the records they have by themselves', async () => {
  for (const type of ['poplin', 'ptp']) {
    await added('a', { delegate: { type } });
    expect(world.recorded()).toEqual([expect.stringMatching(/cbr0\/container-a\/eth0$/)]);
    expect(await flannel('DEL', 'a', { delegate: { type } })).toEqual(SILENT);
    expect([ports(), world.reserved('cbr0'), world.recorded()]).toEqual([0, [], []]);
  }
});

describe('what cannot be', () => {
  test.each<[string, () => object, object]>([
    [
      'a delegate that is nowhere',
      () => ({ delegate: { type: 'nowhere' } }),
      { code: 2, msg: 'failed to find plugin "nowhere" in path [/nowhere]' },
    ],
    [
      'a file that is not there',
      () => ({ subnetFile: '/nowhere/subnet.env' }),
      { code: 11, msg: 'cannot read subnetFile "/nowhere/subnet.env"' },
    ],
    ['a folder for a file', () => ({ subnetFile: '/tmp' }), { code: 5 }],
    ['a delegate with a name', () => ({ delegate: { name: 'x' } }), { code: 7 }],
  ])('%s is told, and leaves nothing', async (_, keys, answer) => {
    expect((await flannel('ADD', 'a', keys())).json).toMatchObject(answer);
    expect(readdirSync(dataDir())).toEqual([]);
    expect((await flannel('STATUS', 'a', { cniVersion: '1.1.0', ...keys() })).exitStatus).toBe(1);
  });

  test('a file that lacks something is told as flannel tells it', async () => {
    writeFileSync(
      subnetFile('flannel'),
      'FLANNEL_NETWORK=10.64.0.0/12\nFLANNEL_SUBNET=10.71.0.1/24\nFLANNEL_IPMASQ=true\n',
    );
    expect((await flannel('ADD', 'a')).json).toMatchObject({
      code: 7,
      msg: `${subnetFile('flannel')} is missing FLANNEL_MTU`,
    });
    expect((await flannel('STATUS', 'a', { cniVersion: '1.1.0' })).json).toMatchObject({ code: 50 });
  });

  test('a container id that leads elsewhere', async () => {
    for (const id of ['../x', '..', 'a/b'])
      expect((await flannel('DEL', 'a', {}, { CNI_CONTAINERID: id })).json).toMatchObject({ code: 4 });
  });
});

test('a large packet goes whole between pods, and the pod’s MTU is the file’s', async () => {
  await added('a');
  await added('b');
  await reachesBoth('a', ['10.71.0.3', 'fd00:71::3']);
  for (const [address, bytes] of [
    ['10.71.0.3', 1372],
    ['fd00:71::3', 1352],
  ] as const) {
    inNetns(world.pod('a'), 'ping', '-nqc1', '-W2', '-Mdo', `-s${bytes}`, address);
    expect(() =>
      inNetns(world.pod('a'), 'ping', '-nqc1', '-W1', '-Mdo', `-s${bytes + 1}`, address),
    ).toThrow();
  }
});
