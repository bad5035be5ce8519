import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KernelLoop } from '#app/agent/kernel-loop.ts';
import { readHost, takeOverFromFlannel } from '#app/agent/take-over.ts';
import { type KernelObject, OVERLAY } from '#core/kernel/index.ts';
import type { VxlanConfig } from '#core/lease/index.ts';
import {
  type Backend,
  hostGwBackend,
  planTakeOver,
  standingVtepMac,
  type Underlay,
  vxlanBackend,
} from '#core/overlay/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

const FAMILIES = [4, 6] as const;
type Family = (typeof FAMILIES)[number];
const CONFIG: VxlanConfig = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  learning: false,
  gbp: false,
  directRouting: false,
};
const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24', '2001:db8::/64'],
  advertisedLinks: [],
};
/** Of node N: its address, and its subnet without the zero or the dot at the end. */
const publicIp = (family: Family, node: number) => (family === 4 ? `192.0.2.${node}` : `2001:db8::${node}`);
const subnetOf = (family: Family, node: number) =>
  family === 4 ? `10.244.${node}.0/24` : `fd00:10:244:${node}::/64`;
const vtepOf = (family: Family, node: number) => subnetOf(family, node).replace(/\/.*/, '');
/** An address of a pod on node N. */
const podOf = (family: Family, node: number) =>
  family === 4 ? `10.244.${node}.5` : `fd00:10:244:${node}::5`;
const macOf = (family: Family, node: number) => `9a:00:00:00:0${family}:0${node}`;
const deviceOf = (family: Family) => (family === 4 ? 'flannel.1' : 'flannel-v6.1');

let folder: NamespaceFolder;
let near: ReturnType<NamespaceFolder['make']>;
let far: typeof near;
let kernel: RealKernel;
let loop: KernelLoop;

/** Two nodes on one link, each with a pod's addresses; node 1 is moved here, node 2 stays flannel's. */
beforeEach(() => {
  folder = new NamespaceFolder('take-over');
  near = folder.make('near');
  far = folder.make('far');
  inNamespace(
    near.path,
    'ip',
    'link',
    'add',
    'eth0',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    far.path,
  );
  for (const [node, { path }] of [near, far].entries()) {
    const ip = (...args: string[]) => inNamespace(path, 'ip', ...args);
    ip('link', 'add', 'pods', 'type', 'bridge');
    for (const name of ['lo', 'eth0', 'pods']) ip('link', 'set', name, 'up');
    for (const family of FAMILIES) {
      const outer = `${publicIp(family, node + 1)}/${family === 4 ? 24 : 64}`;
      const nodad = family === 6 ? ['nodad'] : [];
      ip('address', 'add', outer, 'dev', 'eth0', ...nodad);
      ip('address', 'add', `${podOf(family, node + 1)}/${family === 4 ? 24 : 64}`, 'dev', 'pods', ...nodad);
    }
  }
  openKernel();
});
afterEach(async () => {
  await loop[Symbol.asyncDispose]();
  kernel[Symbol.dispose]();
  folder[Symbol.dispose]();
});

/** As an agent does that starts. */
function openKernel(): void {
  kernel = RealKernel.open(near);
  loop = new KernelLoop({
    kernel,
    owners: [OVERLAY],
    clock: systemClock,
    random: Math.random,
    logger: pino({ level: 'silent' }),
  });
}

/** What flanneld's vxlan backend makes on a node, and for the others. */
function leaveVxlan(netns: string, node: number, others: readonly number[]): void {
  const ip = (...args: string[]) => inNamespace(netns, 'ip', ...args);
  for (const family of FAMILIES) {
    const dev = deviceOf(family);
    const local = publicIp(family, node);
    const mac = macOf(family, node);
    const kind = ['type', 'vxlan', 'id', '1', 'dev', 'eth0', 'local', local, 'dstport', '8472', 'nolearning'];
    ip('link', 'add', dev, 'address', mac, 'mtu', '1450', ...kind);
    ip('link', 'set', dev, 'up');
    ip('address', 'add', `${vtepOf(family, node)}/${family === 4 ? 32 : 128}`, 'dev', dev);
    for (const other of others) {
      const [vtep, otherMac] = [vtepOf(family, other), macOf(family, other)];
      ip(`-${family}`, 'neighbour', 'add', vtep, 'lladdr', otherMac, 'dev', dev, 'nud', 'permanent');
      const to = publicIp(family, other);
      inNamespace(netns, 'bridge', 'fdb', 'add', otherMac, 'dev', dev, 'dst', to, 'self', 'permanent');
      ip(`-${family}`, 'route', 'add', subnetOf(family, other), 'via', vtep, 'dev', dev, 'onlink');
    }
  }
}

function leaveHostGw(netns: string, others: readonly number[]): void {
  for (const family of FAMILIES) {
    for (const other of others) {
      const way = ['via', publicIp(family, other), 'dev', 'eth0'];
      inNamespace(netns, 'ip', `-${family}`, 'route', 'add', subnetOf(family, other), ...way);
    }
  }
}

/** What an agent on node 1 wants while node 2 is all there is besides. */
function want(backend: Backend): readonly KernelObject[] {
  const locals = FAMILIES.map((family) => ({
    node: 'node-1',
    family,
    subnet: subnetOf(family, 1),
    publicIp: publicIp(family, 1),
  }));
  loop.want('overlay', backend.planLocal(locals));
  for (const family of FAMILIES) {
    const planned = backend.planRemote({
      node: 'node-2',
      family,
      subnet: subnetOf(family, 2),
      publicIp: publicIp(family, 2),
      backendData: { VNI: 1, VtepMAC: macOf(family, 2) },
    });
    if (typeof planned === 'string') throw new Error(planned);
    loop.want(`remote ${family}`, planned);
  }
  return [...loop.desired.state.values()];
}

const vxlan = () => vxlanBackend(CONFIG, UNDERLAY, (family) => standingVtepMac(kernel.state(), family, 1));
const takeOver = () => takeOverFromFlannel({ kernel, namespace: near, logger: pino({ level: 'silent' }) });

async function settle(): Promise<void> {
  loop.start();
  await Promise.all(['overlay', 'remote 4', 'remote 6'].map((part) => loop.inPlace(part)));
}

/** One packet in 5 ms, there and back, from pod to pod. */
class Ping {
  readonly #child: ChildProcess;
  #output = '';

  constructor(netns: string, from: string, to: string) {
    this.#child = spawn('nsenter', [`--net=${netns}`, 'ping', '-n', '-i', '0.005', '-I', from, to], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (text) => {
      this.#output += text;
    });
  }

  /** So many more answers have come; throws if they do not within a few seconds. */
  async answered(count: number): Promise<void> {
    const target = this.#answers() + count;
    await expect.poll(() => this.#answers(), { timeout: 5000, interval: 5 }).toBeGreaterThanOrEqual(target);
  }

  async end(): Promise<{ sent: number; lost: number }> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGINT');
    await closed;
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(this.#output) ?? [];
    if (sent === undefined || received === undefined) throw new Error(`ping: ${this.#output}`);
    return { sent: Number(sent), lost: Number(sent) - Number(received) };
  }

  #answers(): number {
    return this.#output.split('bytes from').length - 1;
  }
}

/** Runs pings in both families and both directions around the work; the most that one of them lost. */
async function lostDuring(work: () => Promise<void>): Promise<number> {
  const pings = FAMILIES.flatMap((family) => [
    new Ping(near.path, podOf(family, 1), podOf(family, 2)),
    new Ping(far.path, podOf(family, 2), podOf(family, 1)),
  ]);
  let results: { sent: number; lost: number }[];
  try {
    await Promise.all(pings.map((ping) => ping.answered(20)));
    await work();
    await Promise.all(pings.map((ping) => ping.answered(40)));
  } finally {
    results = await Promise.all(pings.map((ping) => ping.end()));
  }
  for (const { sent } of results) expect(sent).toBeGreaterThanOrEqual(60);
  return Math.max(...results.map(({ lost }) => lost));
}

const routes = (family: Family) =>
  (
    JSON.parse(inNamespace(near.path, 'ip', '-j', '-d', `-${family}`, 'route', 'show')) as {
      dst: string;
      protocol: string;
      dev?: string;
    }[]
  ).filter(
    ({ dst, protocol }) => (dst.startsWith('10.244.') || dst.startsWith('fd00:')) && protocol !== 'kernel',
  );
const links = () =>
  JSON.parse(inNamespace(near.path, 'ip', '-j', 'link', 'show')) as {
    ifname: string;
    ifindex: number;
    address: string;
    ifalias?: string;
  }[];

describe('VXLAN', () => {
  beforeEach(() => {
    leaveVxlan(near.path, 1, [2, 9]);
    leaveVxlan(far.path, 2, [1]);
  });

  test('is taken over in place: same devices, same MACs, hardly a packet lost, nothing left to plan', async () => {
    const before = links().filter(({ ifname }) => ifname.startsWith('flannel'));
    const wanted = want(vxlan());
    const lost = await lostDuring(async () => {
      await takeOver()(wanted);
      await settle();
    });
    expect(lost).toBeLessThanOrEqual(3);
    expect(loop.status()).toMatchObject({ conflicts: [], failures: [] });
    expect(planTakeOver(readHost(near), wanted)).toEqual([]);

    const after = links().filter(({ ifname }) => ifname.startsWith('flannel'));
    expect(after.map(({ ifindex, address }) => [ifindex, address])).toEqual(
      before.map(({ ifindex, address }) => [ifindex, address]),
    );
    expect(after.map(({ ifalias }) => ifalias)).toEqual([OVERLAY.alias, OVERLAY.alias]);
    for (const family of FAMILIES) {
      const dev = deviceOf(family);
      expect(routes(family).filter((route) => route.dev === dev)).toEqual([
        expect.objectContaining({ dst: subnetOf(family, 2), protocol: '112' }),
      ]);
      const neighbours = inNamespace(
        near.path,
        'ip',
        `-${family}`,
        'neighbour',
        'show',
        'dev',
        dev,
        'nud',
        'permanent',
      );
      expect(neighbours).toContain(macOf(family, 2));
      expect(neighbours).not.toContain(macOf(family, 9));
      const entries = inNamespace(near.path, 'bridge', 'fdb', 'show', 'dev', dev);
      expect(entries).toContain(macOf(family, 2));
      expect(entries).not.toContain(macOf(family, 9));
    }
  });

  test('is taken over again when flannel ran in between, on devices that stayed ours', async () => {
    await takeOver()(want(vxlan()));
    await settle();
    await loop[Symbol.asyncDispose]();
    for (const family of FAMILIES) {
      const way = ['via', vtepOf(family, 2), 'dev', deviceOf(family), 'onlink'];
      inNamespace(near.path, 'ip', `-${family}`, 'route', 'replace', subnetOf(family, 2), ...way);
    }
    kernel[Symbol.dispose]();
    openKernel();
    const wanted = want(vxlan());
    const lost = await lostDuring(async () => {
      await takeOver()(wanted);
      await settle();
    });
    expect(lost).toBeLessThanOrEqual(3);
    expect(loop.status()).toMatchObject({ conflicts: [], failures: [] });
    for (const family of FAMILIES)
      expect(routes(family).map(({ dst, protocol }) => [dst, protocol])).toContainEqual([
        subnetOf(family, 2),
        '112',
      ]);
  });

  test('without the take-over the devices are in the way, which is told, and flannel’s go on carrying', async () => {
    want(vxlan());
    const lost = await lostDuring(async () => {
      loop.start();
      await expect.poll(() => loop.status().conflicts.length, { timeout: 5000 }).toBeGreaterThan(0);
    });
    expect(loop.status().conflicts).toContain('link flannel.1 is there already and is not ours');
    expect(lost).toBeLessThanOrEqual(3);
    for (const family of FAMILIES)
      expect(routes(family).filter(({ dev }) => dev === deviceOf(family))).toHaveLength(2);
  });

  test('is repeated after it was broken off anywhere', async () => {
    const wanted = want(vxlan());
    const ops = planTakeOver(readHost(near), wanted);
    expect(ops.length).toBeGreaterThan(8);
    const lost = await lostDuring(async () => {
      for (const op of ops.slice(0, -1)) {
        expect((await kernel.apply([op])).failures).toEqual([]);
        const rest = planTakeOver(readHost(near), wanted);
        expect(rest.length).toBeLessThan(ops.length);
      }
      await takeOver()(wanted);
      await settle();
    });
    expect(lost).toBeLessThanOrEqual(3);
    expect(planTakeOver(readHost(near), wanted)).toEqual([]);
    expect(loop.status()).toMatchObject({ conflicts: [], failures: [] });
  });
});

test('host-gw: routes become ours without a gap, and a stranger’s stay', async () => {
  leaveHostGw(near.path, [2, 9]);
  leaveHostGw(far.path, [1]);
  for (const { path } of [near, far]) {
    inNamespace(path, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
  }
  const wanted = want(hostGwBackend({ type: 'host-gw' }, UNDERLAY));
  const lost = await lostDuring(async () => {
    await takeOver()(wanted);
    await settle();
  });
  expect(lost).toBeLessThanOrEqual(3);
  expect(loop.status()).toMatchObject({ conflicts: [], failures: [] });
  expect(planTakeOver(readHost(near), wanted)).toEqual([]);
  for (const family of FAMILIES) {
    const found = new Map(routes(family).map(({ dst, protocol }) => [dst, protocol]));
    expect(found.get(subnetOf(family, 2))).toBe('112');
    // No device of ours leads there, so nothing says that it was flannel's.
    expect(found.get(subnetOf(family, 9))).toBe('boot');
  }
});
