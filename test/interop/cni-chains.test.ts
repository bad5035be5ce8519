/**
 * Mixed chains: plugins of Poplin before and behind the reference plugins, called as a runtime calls them. Each chained plugin must have
 * its effect on the pod's traffic, in both families, whoever made the interface it works on; CHECK is content, and DEL leaves nothing.
 */
import { once } from 'node:events';
import { describe, type ExpectStatic, expect, test } from 'vitest';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import { until } from '../e2e/agent-world.ts';
import { PodAttachment } from './attachment.ts';
import { ContainerHost, HOST, OUTSIDE, REFERENCE_TYPES } from './container-host.ts';
import { ask, type Protocol, serve } from './traffic.ts';

/** What a chained plugin's effect is judged by. */
interface World {
  readonly host: ContainerHost;
  readonly pod: PodAttachment;
  readonly expect: ExpectStatic;
  /** A pod attached in the same way, and one with the same plugins on another bridge, where there are bridges. */
  readonly near: PodAttachment;
  readonly far: PodAttachment;
}

interface Chained {
  readonly config: object;
  readonly capabilityArgs?: (hostPort: number) => Readonly<Record<string, unknown>>;
  /** The interface plugins it makes sense behind; all of them if absent. */
  readonly behind?: readonly string[];
  /** Whose CHECK, if it is Debian's, finds fault with what is as it should be. */
  readonly uncheckable?: 'chained' | 'interface';
  /** Debian's DEL fails where nothing is left. */
  readonly unrepeatable?: true;
  readonly effect: (world: World) => Promise<void>;
}

const FAMILIES = [4, 6] as const;
const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];
const RATE = 20_000_000;
const BURST = 1_000_000;

const CHAINED: Readonly<Record<string, Chained>> = {
  bandwidth: {
    config: { type: 'bandwidth', capabilities: { bandwidth: true } },
    capabilityArgs: () => {
      return { bandwidth: { ingressRate: RATE, ingressBurst: BURST, egressRate: RATE, egressBurst: BURST } };
    },
    effect: expectRates,
  },
  firewall: {
    config: { type: 'firewall', ingressPolicy: 'same-bridge' },
    behind: ['bridge'],
    effect: expectSameBridgeOnly,
  },
  portmap: {
    config: { type: 'portmap', capabilities: { portMappings: true } },
    capabilityArgs: (hostPort) => {
      return { portMappings: PROTOCOLS.map((protocol) => ({ hostPort, containerPort: 80, protocol })) };
    },
    // It takes an IPv4 address for rules of IPv6 where the pod has both.
    uncheckable: 'chained',
    effect: expectHostPort,
  },
  sbr: {
    config: { type: 'sbr' },
    behind: ['bridge'],
    // The bridge looks for its routes in the main table, from which they have moved.
    uncheckable: 'interface',
    unrepeatable: true,
    effect: expectOwnTable,
  },
  tuning: {
    config: { type: 'tuning', sysctl: { 'net.core.somaxconn': '333' }, mtu: 1400, allmulti: true },
    effect: expectTuned,
  },
};
/** Reference plugins that are chained, but are not in the table, with the reason. */
const APART: Readonly<Record<string, string>> = {
  vrf: 'its links need a kernel module: test/interop/cni-crossing',
};

const INTERFACE_CONFIGS: Readonly<Record<string, object>> = {
  bridge: { type: 'bridge', isGateway: true, hairpinMode: true },
  poplin: { type: 'poplin' },
  ptp: { type: 'ptp' },
};
const ROUTES = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }];

interface Chain {
  readonly interfaceType: string;
  readonly chainedType: string;
  /** The plugins of the chain that are Poplin's. */
  readonly ours: readonly string[];
}

/** Every chain of an interface plugin and a chained one in which at least one is Poplin's. */
const CHAINS: readonly Chain[] = Object.keys(INTERFACE_CONFIGS).flatMap((interfaceType) =>
  Object.entries(CHAINED).flatMap(([chainedType, { behind = [interfaceType] }]) => {
    if (!behind.includes(interfaceType)) return [];
    const choices = [[interfaceType], [chainedType], [interfaceType, chainedType]];
    return choices.flatMap((ours) => {
      const needsReference = [interfaceType, chainedType].filter((type) => !ours.includes(type));
      const exists = needsReference.every((type) => REFERENCE_TYPES.includes(type));
      return exists ? [{ interfaceType, chainedType, ours }] : [];
    });
  }),
);
const served = CHAINS.filter(({ ours }) => ours.every((type) => PLUGIN_TYPES.includes(type)));

test('every chained plugin of Debian is in the table, and each of its chains is run as soon as Poplin serves its part', () => {
  const chained = REFERENCE_TYPES.filter((type) => type in CHAINED || type in APART);
  expect(chained).toEqual(['bandwidth', 'firewall', 'portmap', 'sbr', 'tuning', 'vrf']);
  expect(Object.keys(CHAINED).filter((type) => !REFERENCE_TYPES.includes(type))).toEqual([]);
  const awaited = CHAINS.filter((chain) => !served.includes(chain)).map(nameOf);
  console.log(`${served.length} chains; not yet served: ${awaited.join(', ') || 'none'}`);
});

const GROUPS = Map.groupBy(
  served,
  ({ interfaceType, chainedType }) => `${chainedType} behind ${interfaceType}`,
);

describe.for([...GROUPS])('%s', ([, chains]) => {
  test.concurrent.for(chains.map((chain) => [nameOf(chain), chain] as const))(
    '%s: it has its effect, passes CHECK and leaves nothing',
    async ([name, chain], { expect }) => {
      await using host = await ContainerHost.open();
      await expectWhole(host, name, chain, expect);
    },
  );
});

async function expectWhole(
  host: ContainerHost,
  name: string,
  chain: Chain,
  expect: ExpectStatic,
): Promise<void> {
  const row = CHAINED[chain.chainedType] as Chained;
  const path = host.pluginFolder([...chain.ours, 'host-local']);
  const attach = async (pod: string, number: number, hostPort: number) => {
    await host.addPod(pod);
    const bridge = chain.interfaceType === 'bridge' ? { bridge: `chain${number}` } : {};
    return PodAttachment.add(host, pod, {
      name: `chain-${number}`,
      plugins: [{ ...INTERFACE_CONFIGS[chain.interfaceType], ...bridge, ipam: ipamOf(number) }, row.config],
      path,
      ...(row.capabilityArgs && { capabilityArgs: row.capabilityArgs(hostPort) }),
    });
  };
  const near = await attach('near', 92, 8081);
  const far = await attach('far', 93, 8082);
  const before = await host.state();
  const pod = await attach('pod', 92, 8080);
  await row.effect({ host, pod, near, far, expect });
  const isOurs = {
    chained: chain.ours.includes(chain.chainedType),
    interface: chain.ours.includes(chain.interfaceType),
  };
  if (row.uncheckable === undefined || isOurs[row.uncheckable]) await pod.check();
  for (let round = 0; round < (row.unrepeatable === true && !isOurs.chained ? 1 : 2); round++) {
    await pod.del();
    await expect.poll(() => host.state(), { timeout: 5000, message: name }).toBe(before);
  }
  for (const other of [near, far]) await expectAnswer(host, other);
}

async function expectRates({ host, pod, expect }: World): Promise<void> {
  for (const address of pod.addresses)
    for (const direction of ['to', 'from'] as const) {
      const bitsPerSecond = await rateOf(host, pod, address, direction);
      // A busy machine is slower by itself.
      expect(bitsPerSecond, `${direction} ${address}`).toBeGreaterThan(RATE * 0.1);
      expect(bitsPerSecond, `${direction} ${address}`).toBeLessThan(RATE * 1.5);
    }
}

/** What arrives of half a second's worth, beyond the burst, in bits per second. */
async function rateOf(
  host: ContainerHost,
  pod: PodAttachment,
  address: string,
  direction: 'to' | 'from',
): Promise<number> {
  const server = host.box.spawn('nsenter', [`--net=${pod.netns}`, 'iperf3', '-s', '-1', '--forceflush']);
  const ended = once(server, 'exit');
  if (server.stdout !== null) await once(server.stdout, 'data');
  const reverse = direction === 'from' ? ['-R'] : [];
  const client = ['iperf3', '-J', '-n', '1400K', '-c', address, ...reverse];
  const text = await host.box.run('nsenter', `--net=${host.outside}`, ...client);
  await ended;
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second;
}

async function expectHostPort({ host, pod, expect }: World): Promise<void> {
  await using _server = await serve(host.box, pod.netns, 'pod', 80);
  await expectAnswering(host, pod, 80);
  for (const protocol of PROTOCOLS)
    for (const family of FAMILIES) {
      const question = { address: HOST[family], port: 8080, protocol };
      expect(await ask(host.box, { ...question, from: host.outside }), `${protocol} ${family}`).toEqual({
        name: 'pod',
        peer: OUTSIDE[family],
      });
      expect(await ask(host.box, question), `${protocol} ${family} from the host`).toMatchObject({
        name: 'pod',
      });
    }
  const local = { address: '127.0.0.1', port: 8080 };
  expect(await ask(host.box, local), 'from the host by 127.0.0.1').toMatchObject({ name: 'pod' });
  // To itself, by its host's address.
  const own = { from: pod.netns, address: HOST[4], port: 8080 };
  expect(await ask(host.box, own), 'from the pod itself').toMatchObject({ name: 'pod' });
}

async function expectTuned({ host, pod, expect }: World): Promise<void> {
  const inside = (command: string) => host.box.sh(`nsenter --net=${pod.netns} ${command}`);
  expect(await inside('cat /proc/sys/net/core/somaxconn')).toBe('333\n');
  expect(await inside('ip -d -o link show eth0')).toMatch(/mtu 1400 .* allmulti 1/);
  await expectAnswer(host, pod);
}

async function expectOwnTable({ host, pod, expect }: World): Promise<void> {
  for (const [at, family] of FAMILIES.entries()) {
    const rules = await host.box.run('ip', '-n', 'pod', `-${family}`, 'rule');
    const table = new RegExp(`from ${pod.addresses[at]} lookup (\\d+)`).exec(rules)?.[1] ?? '';
    expect(Number(table), rules).toBeGreaterThanOrEqual(100);
    expect(await host.box.run('ip', '-n', 'pod', `-${family}`, 'route', 'show', 'table', table)).toContain(
      'default via',
    );
    expect(await host.box.run('ip', '-n', 'pod', `-${family}`, 'route')).not.toContain('default');
  }
  await expectAnswer(host, pod);
}

async function expectSameBridgeOnly({ host, pod, near, far, expect }: World): Promise<void> {
  await using _server = await serve(host.box, pod.netns, 'pod', 80);
  await expectAnswering(host, pod, 80);
  await expectAnswer(host, far);
  for (const address of pod.addresses) {
    expect(await ask(host.box, { from: near.netns, address, port: 80 }), `near → ${address}`).toMatchObject({
      name: 'pod',
    });
    expect(await ask(host.box, { from: far.netns, address, port: 80 }), `far → ${address}`).toBeUndefined();
  }
}

/** The pod answers the neighbour outside in both families. */
async function expectAnswer(host: ContainerHost, pod: PodAttachment): Promise<void> {
  await using _server = await serve(host.box, pod.netns, 'answers', 81);
  await expectAnswering(host, pod, 81);
}

async function expectAnswering(
  host: ContainerHost,
  { addresses }: PodAttachment,
  port: number,
): Promise<void> {
  if (addresses.length !== 2) throw new Error(`not one address of each family: ${addresses.join(', ')}`);
  for (const address of addresses)
    await until(
      `${address} answers`,
      async () => (await ask(host.box, { from: host.outside, address, port })) !== undefined,
    );
}

function nameOf({ interfaceType, chainedType, ours }: Chain): string {
  const makerOf = (type: string) => (ours.includes(type) ? 'Poplin' : 'Debian');
  return `${interfaceType} of ${makerOf(interfaceType)}, ${chainedType} of ${makerOf(chainedType)}`;
}

function ipamOf(number: number): object {
  return {
    type: 'host-local',
    ranges: [[{ subnet: `10.${number}.0.0/24` }], [{ subnet: `fd${number}::/64` }]],
    routes: ROUTES,
  };
}
