/**
 * Two networks of one host, each with a kernel loop of its own in the same namespaces: both carry packets, a second plan is empty for both,
 * each mends what is broken of it and does not stir at what is broken of the other, and one goes without the other noticing.
 */
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { KernelLoop } from '#app/agent/kernel-loop.ts';
import { loopOfNetwork } from '#app/agent/network-loop.ts';
import { planOwn, removeObjects } from '#app/cleanup/kernel.ts';
import type { IpFamily } from '#base/ip/index.ts';
import { overlayOwner, ownerOf, plan } from '#core/kernel/index.ts';
import type { VxlanConfig, WireguardConfig } from '#core/lease/index.ts';
import {
  type Backend,
  hostGwBackend,
  type Underlay,
  vxlanBackend,
  type WireguardKeys,
  wireguardBackend,
} from '#core/overlay/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { loadWireguardKeys } from '#io/wireguard-key/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import { IS_VIRTUAL } from './virtual.ts';

type Kind = 'vxlan' | 'host-gw' | 'wireguard';
/** Of the host's networks, by number. */
type Numbered = 0 | 1;

interface Row {
  readonly name: string;
  readonly kinds: readonly [Kind, Kind];
  /** A kind of links that not every kernel has. */
  readonly needs?: string;
}

const FAMILIES: readonly IpFamily[] = [4, 6];
const NODES = [1, 2] as const;
const ALL_ROWS: readonly Row[] = [
  { name: 'two vxlan on one port', kinds: ['vxlan', 'vxlan'] },
  { name: 'vxlan beside host-gw', kinds: ['vxlan', 'host-gw'] },
  { name: 'host-gw beside vxlan', kinds: ['host-gw', 'vxlan'] },
  { name: 'two wireguard', kinds: ['wireguard', 'wireguard'], needs: 'wireguard' },
];
const ROWS = ALL_ROWS.filter(({ needs }) => !IS_VIRTUAL || needs !== undefined);
/** Which network's objects are broken, and which one must not stir. */
const HARM = [
  [0, 1],
  [1, 0],
] as const;
const VXLAN: Omit<VxlanConfig, 'vni'> = {
  type: 'vxlan',
  port: 8472,
  learning: false,
  gbp: false,
  directRouting: false,
};
const WIREGUARD: Omit<WireguardConfig, 'listenPort' | 'listenPortV6'> = {
  type: 'wireguard',
  mode: 'separate',
  persistentKeepaliveSec: 0,
};
const publicIp = (family: IpFamily, node: number) => (family === 4 ? `192.0.2.${node}` : `2001:db8::${node}`);
const subnetOf = (network: Numbered, family: IpFamily, node: number) =>
  family === 4 ? `10.${60 + network}.${node}.0/24` : `fd0${network}:60:0:${node}::/64`;
const podOf = (network: Numbered, family: IpFamily, node: number) =>
  subnetOf(network, family, node).replace(/(\.0|::)\/.*/, family === 4 ? '.5' : '::5');

let folder: NamespaceFolder;
let nodes: readonly Namespace[];
let keys: readonly WireguardKeys[];
let agents: readonly (readonly NetworkAgent[])[];

/** What an agent of one network does in the kernel of its node. */
class NetworkAgent implements AsyncDisposable {
  readonly number: Numbered;
  readonly node: number;
  readonly kernel: RealKernel;
  readonly loop: KernelLoop;
  readonly backend: Backend;

  constructor(namespace: Namespace, node: number, number: Numbered, kind: Kind) {
    this.number = number;
    this.node = node;
    this.backend = backendOf(kind, number, node);
    const owners = [overlayOwner(number)];
    this.kernel = RealKernel.open(namespace, { owners });
    this.loop = new KernelLoop({
      kernel: this.kernel,
      owners,
      clock: systemClock,
      random: systemRandom,
      logger: pino({ level: 'silent' }),
    });
  }

  async joinAlone(): Promise<void> {
    const { node, number } = this;
    const locals = FAMILIES.map((family) => ({
      node: `node-${node}`,
      family,
      subnet: subnetOf(number, family, node),
      publicIp: publicIp(family, node),
    }));
    await this.want('overlay', this.backend.planLocal(locals));
  }

  async meet({ node, number, backend }: NetworkAgent): Promise<void> {
    for (const family of FAMILIES) {
      const backendData = backend.offer(`node-${node}`, family);
      const planned = this.backend.planRemote({
        node: `node-${node}`,
        family,
        subnet: subnetOf(number, family, node),
        publicIp: publicIp(family, node),
        ...(backendData !== undefined && { backendData }),
      });
      if (typeof planned === 'string') throw new Error(planned);
      await this.want(`node-${node} ${family}`, planned);
    }
  }

  /** What an agent that begins now would do. */
  planned() {
    this.kernel.refresh();
    const { ops, conflicts } = plan(this.loop.desired.state, this.kernel.state(), {
      owners: [overlayOwner(this.number)],
    });
    return [...ops, ...conflicts];
  }

  /** Everything of this network, with its key. */
  own(): [string, object][] {
    const state = this.kernel.state();
    return [...state].filter(([, object]) => ownerOf(object, state) === overlayOwner(this.number)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loop[Symbol.asyncDispose]();
    this.kernel[Symbol.dispose]();
  }

  private async want(part: string, objects: ReturnType<Backend['planLocal']>): Promise<void> {
    const marked = loopOfNetwork(this.loop, this.number);
    marked.want(part, objects);
    marked.start();
    await marked.inPlace(part);
  }
}

function backendOf(kind: Kind, network: Numbered, node: number): Backend {
  const underlay: Underlay = {
    link: 'eth0',
    mtuBytes: 1500,
    prefixes: ['192.0.2.0/24', '2001:db8::/64'],
    advertisedLinks: [],
    network,
  };
  const own = { ipv4: publicIp(4, node), ipv6: publicIp(6, node) };
  switch (kind) {
    case 'vxlan':
      return vxlanBackend({ ...VXLAN, vni: 5 + network }, underlay);
    case 'host-gw':
      return hostGwBackend({ type: 'host-gw' }, underlay);
    case 'wireguard': {
      const ports = { listenPort: 51_820 + 2 * network, listenPortV6: 51_821 + 2 * network };
      return wireguardBackend({ ...WIREGUARD, ...ports }, underlay, {
        own,
        keys: keys[node - 1] as WireguardKeys,
        networks: [],
      });
    }
  }
}

/** Two nodes on one link, each with a pod's address in each network. */
async function layNodes(): Promise<void> {
  folder = new NamespaceFolder('two-networks');
  nodes = NODES.map((node) => folder.make(`node-${node}`));
  keys = await Promise.all(NODES.map((node) => loadWireguardKeys(join(folder.path, `key-${node}`))));
  const [near, far] = nodes.map(({ path }) => path) as [string, string];
  inNamespace(near, 'ip', ...'link add eth0 type veth peer name eth0 netns'.split(' '), far);
  for (const node of NODES) {
    const ip = (...words: string[]) => inNamespace(node === 1 ? near : far, 'ip', ...words);
    ip('link', 'add', 'pods', 'type', 'bridge');
    for (const link of ['lo', 'eth0', 'pods']) ip('link', 'set', link, 'up');
    for (const family of FAMILIES) {
      const [bits, nodad] = family === 4 ? ['24', []] : ['64', ['nodad']];
      ip('address', 'add', `${publicIp(family, node)}/${bits}`, 'dev', 'eth0', ...nodad);
      for (const network of [0, 1] as const)
        ip('address', 'add', `${podOf(network, family, node)}/${bits}`, 'dev', 'pods', ...nodad);
    }
  }
}

/** Skips where the kernel does not have the kind of links. */
function requireLinks(context: TestContext, kind: string): void {
  using trial = new NamespaceFolder('links');
  try {
    inNamespace(trial.make('trial').path, 'ip', 'link', 'add', 'trial', 'type', kind);
  } catch {
    context.skip(`the kernel has no ${kind} links`);
  }
}

function pings(netns: string, from: string, to: string): boolean {
  try {
    inNamespace(netns, 'ping', '-nqc1', '-W1', '-I', from, to);
    return true;
  } catch {
    return false;
  }
}

async function expectReach(network: Numbered): Promise<void> {
  for (const family of FAMILIES)
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ] as const)
      await expect
        .poll(
          () =>
            pings(
              (nodes[from - 1] as Namespace).path,
              podOf(network, family, from),
              podOf(network, family, to),
            ),
          { timeout: 10_000, message: `network ${network}: ${podOf(network, family, to)} from node ${from}` },
        )
        .toBe(true);
}

/** All that a network has in the kernel of node 1, taken away by somebody else, in the words of ip and nft. */
function vandalise({ number, kernel }: NetworkAgent): void {
  const { path } = nodes[0] as Namespace;
  const { protocol, alias, tables } = overlayOwner(number);
  const quietly = (...words: [string, ...string[]]) => {
    try {
      inNamespace(path, ...words);
    } catch {
      // It has none of this kind.
    }
  };
  const links = [...kernel.state().values()].flatMap((object) =>
    object.kind === 'link' && object.alias === alias ? [object.name] : [],
  );
  for (const family of FAMILIES) {
    quietly('ip', `-${family}`, 'route', 'flush', 'table', 'all', 'proto', String(protocol));
    quietly('ip', `-${family}`, 'rule', 'del', 'protocol', String(protocol));
  }
  for (const link of links) inNamespace(path, 'ip', 'link', 'delete', link);
  for (const table of tables) quietly('nft', 'delete', 'table', 'inet', table);
}

describe.for(ROWS)('$name', ({ kinds, needs }) => {
  beforeEach(async (context) => {
    if (needs !== undefined) requireLinks(context, needs);
    await layNodes();
    agents = nodes.map((namespace, at) =>
      ([0, 1] as const).map((number) => new NetworkAgent(namespace, at + 1, number, kinds[number])),
    );
  });
  afterEach(async () => {
    for (const agent of agents.flat()) await agent[Symbol.asyncDispose]();
    agents = [];
    folder?.[Symbol.dispose]();
  });

  const agent = (node: 1 | 2, number: Numbered) => agents[node - 1]?.[number] as NetworkAgent;
  const meet = async (number: Numbered) => {
    await agent(1, number).meet(agent(2, number));
    await agent(2, number).meet(agent(1, number));
  };

  test('both carry packets, leave each other alone, mend themselves, and one goes', async () => {
    for (const each of agents.flat()) await each.joinAlone();
    await meet(1);
    // Nobody is known in the first network yet: what it drops is its own.
    await expectReach(1);
    await meet(0);
    await expectReach(0);
    await expectReach(1);
    for (const each of agents.flat()) {
      expect(each.planned()).toEqual([]);
      expect(each.loop.status()).toMatchObject({ conflicts: [], failures: [] });
    }

    for (const [broken, other] of IS_VIRTUAL ? HARM.slice(1) : HARM) {
      const before = { broken: agent(1, broken).own(), other: agent(1, other).own() };
      const { ops } = agent(1, other).loop.status();
      vandalise(agent(1, broken));
      await expect.poll(() => agent(1, broken).planned(), { timeout: 10_000 }).toEqual([]);
      await expectReach(broken);
      await expectReach(other);
      expect(
        agent(1, broken)
          .own()
          .map(([key]) => key),
      ).toEqual(before.broken.map(([key]) => key));
      expect(agent(1, other).own()).toEqual(before.other);
      expect(agent(1, other).loop.status().ops).toBe(ops);
    }

    const first = agent(1, 0).own();
    const { kernel, loop } = agent(1, 1);
    await loop[Symbol.asyncDispose]();
    const rows = await removeObjects(kernel, planOwn(kernel.state(), [overlayOwner(1)]), false);
    expect(rows.filter(({ done }) => done !== 'removed')).toEqual([]);
    expect(agent(1, 1).own()).toEqual([]);
    expect(agent(1, 0).own()).toEqual(first);
    expect(agent(1, 0).planned()).toEqual([]);
    await expectReach(0);
  });
});
