/**
 * Pod sandboxes of Debian's containerd, made and removed over the Container Runtime Interface as a kubelet does it, on networks of
 * Poplin's plugins: status, traffic in both families, host ports, bandwidth, and that nothing is left.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../e2e/agent-world.ts';
import { ContainerHost, HOST, OUTSIDE } from './container-host.ts';
import { Containerd, type PortMapping, type SandboxOptions } from './containerd.ts';
import { ask, type Protocol, serve } from './traffic.ts';

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp'];
const PORTS: readonly PortMapping[] = [
  { protocol: 'TCP', container_port: 80, host_port: 8080 },
  { protocol: 'UDP', container_port: 80, host_port: 8080 },
];

/** What flannel's daemon says on this host. */
const SUBNET = `FLANNEL_NETWORK=10.81.0.0/16
FLANNEL_SUBNET=10.81.0.1/24
FLANNEL_IPV6_NETWORK=fd81::/48
FLANNEL_IPV6_SUBNET=fd81::1/64
FLANNEL_MTU=1500
FLANNEL_IPMASQ=true
`;

describe.for([
  [
    'bridge',
    { type: 'bridge', bridge: 'cni0', isDefaultGateway: true, hairpinMode: true },
    ['10.81.0.1', 'fd81::1'],
  ],
  ['poplin', { type: 'poplin' }, ['169.254.1.1', 'fe80::1']],
  [
    'flannel',
    { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } },
    ['10.81.0.1', 'fd81::1'],
  ],
] as const)('sandboxes on a network of %s', ([name, plugin, gateways]) => {
  let host: ContainerHost;
  let containerd: Containerd;
  const running = new Set<string>();

  beforeAll(async () => {
    host = await ContainerHost.open();
    host.writeFile('/run/flannel/subnet.env', SUBNET);
    host.writeFile('/etc/cni/net.d/10-pods.conflist', JSON.stringify(network(plugin)));
    containerd = await Containerd.start(host);
    await containerd.networkReady();
  });
  afterAll(async () => {
    containerd?.[Symbol.dispose]();
    await host?.[Symbol.asyncDispose]();
  });

  // What a test that failed left would fail those after it.
  afterEach(async () => {
    for (const id of [...running]) await removed(id);
  });

  test('have an address of each family, and reach each other, the host and the world', async () => {
    const [a, b] = [await run('a'), await run('b')];
    const [statusA, statusB] = [await containerd.status(a), await containerd.status(b)];
    for (const { state, addresses } of [statusA, statusB]) {
      expect(state).toBe('SANDBOX_READY');
      expect(addresses).toEqual([
        expect.stringMatching(/^10\.81\.0\.\d+$/),
        expect.stringMatching(/^fd81::/),
      ]);
    }
    expect(new Set([...statusA.addresses, ...statusB.addresses]).size).toBe(4);
    await using _b = await serve(host.box, statusB.netns, 'b', 80);
    await using _outside = await serve(host.box, host.outside, 'outside', 80);
    for (const [at, family] of ([4, 6] as const).entries()) {
      const address = statusB.addresses[at] ?? '';
      const fromA = { from: statusA.netns, port: 80 };
      expect(await ask(host.box, { ...fromA, address })).toEqual({ name: 'b', peer: statusA.addresses[at] });
      expect(await ask(host.box, { address, port: 80 }), 'from the host').toMatchObject({ name: 'b' });
      expect(await ask(host.box, { ...fromA, address: OUTSIDE[family] })).toEqual({
        name: 'outside',
        peer: statusA.addresses[at],
      });
    }
    for (const id of [a, b]) await removed(id);
  });

  test('have a status that tells the network, and both ends of their pair', async () => {
    const [loopback, pods] = await containerd.networks();
    expect(loopback?.Config.Plugins.map(({ Network }) => Network.type)).toEqual(['loopback']);
    expect(pods?.Config.Name).toBe(`${name}-pods`);
    expect(pods?.Config.Plugins[0]?.Network.type).toBe(name);
    const id = await run('told');
    const { netns, addresses, interfaces } = await containerd.status(id);
    const { eth0, lo, ...others } = interfaces;
    expect(eth0).toEqual({
      IPConfigs: addresses.map((IP, at) => ({ IP, Gateway: gateways[at] })),
      Mac: await macOf('nsenter', `--net=${netns}`, 'ip', 'link', 'show', 'eth0'),
      Sandbox: netns,
    });
    expect(lo).toMatchObject({ Sandbox: netns });
    const inHost = Object.entries(others).filter(([link]) => link !== 'cni0');
    expect(inHost).toHaveLength(1);
    for (const [link, { Mac, Sandbox }] of inHost)
      expect([Mac, Sandbox]).toEqual([await macOf('ip', 'link', 'show', link), '']);
    await removed(id);
  });

  test('answer on their host ports, to the world and to the host itself', async () => {
    const id = await run('web', { ports: PORTS });
    const { netns } = await containerd.status(id);
    await using _web = await serve(host.box, netns, 'web', 80);
    for (const protocol of PROTOCOLS)
      for (const family of [4, 6] as const) {
        const question = { address: HOST[family], port: 8080, protocol };
        expect(await ask(host.box, { ...question, from: host.outside }), `${protocol} ${family}`).toEqual({
          name: 'web',
          peer: OUTSIDE[family],
        });
        expect(await ask(host.box, question), `${protocol} ${family}`).toMatchObject({ name: 'web' });
      }
    expect(await ask(host.box, { address: '127.0.0.1', port: 8080 })).toMatchObject({ name: 'web' });
    await host.box.run('nft', 'flush', 'ruleset');
    for (const protocol of PROTOCOLS)
      for (const address of Object.values(HOST)) {
        const question = { address, port: 8080, protocol, from: host.outside };
        const again = async () => (await ask(host.box, question))?.name === 'web';
        await until(`${protocol} ${address} answers after somebody flushed the rules`, again);
      }
    await removed(id);
    expect(await ask(host.box, { address: HOST[4], port: 8080, from: host.outside })).toBeUndefined();
  });

  test('are held to the bandwidth their annotations name', async () => {
    const before = await shapers();
    const id = await run('slow', {
      annotations: { 'kubernetes.io/ingress-bandwidth': '12M', 'kubernetes.io/egress-bandwidth': '34M' },
    });
    expect((await shapers()).filter((each) => !before.includes(each)).sort()).toEqual([
      'tbf 12Mbit',
      'tbf 34Mbit',
    ]);
    await removed(id);
    await expect.poll(shapers).toEqual(before);
  });

  test('leave nothing: DEL comes twice, the second time without a namespace, and the name can be used again', async () => {
    const first = await run('again', { ports: PORTS });
    await removed(first);
    // Debian's plugins leave what they share.
    const before = await settledState();
    const calls = host.witnessed().length;
    const id = await run('again', { ports: PORTS });
    const { netns } = await containerd.status(id);
    expect(await host.state()).not.toBe(before);
    await containerd.stop(id);
    await expectState(before);
    expect((await containerd.status(id)).state).toBe('SANDBOX_NOTREADY');
    await containerd.remove(id);
    running.delete(id);
    await expectState(before);
    const seen = host.witnessed().slice(calls);
    expect(seen.map(({ environment }) => environment['CNI_COMMAND'])).toEqual(['ADD', 'DEL', 'DEL']);
    expect(seen.map(({ environment }) => environment['CNI_NETNS'] ?? '')).toEqual([netns, netns, '']);
    expect((await host.box.try('ls', netns)).code, 'the namespace is gone').not.toBe(0);
    const processes = () => host.box.processes().then((names) => names.filter(isContainers));
    await until('no shim and no container runs', async () => (await processes()).length === 0);
  });

  test('outlive the agent, and are removed without it: it makes up for that when it is back', async () => {
    const before = await settledState();
    const id = await run('outlives', { ports: PORTS });
    const { netns, addresses } = await containerd.status(id);
    const server = await serve(host.box, netns, 'outlives', 80);
    await host.stopAgent();
    for (const address of addresses)
      expect(await ask(host.box, { from: host.outside, address, port: 80 }), address).toMatchObject({
        name: 'outlives',
      });
    await expect(run('refused')).rejects.toThrow('the Poplin agent does not answer');
    await server[Symbol.asyncDispose]();
    await removed(id);
    await host.startAgent();
    await expectState(before);
    await removed(await run('refused'));
    await expectState(before);
  });

  async function run(pod: string, options?: SandboxOptions): Promise<string> {
    const id = await containerd.run(pod, options);
    running.add(id);
    return id;
  }

  /** Stops and removes a sandbox. */
  async function removed(id: string): Promise<void> {
    await containerd.stop(id);
    await containerd.remove(id);
    running.delete(id);
  }

  /** The host when nothing of the sandboxes removed so far is left. */
  async function settledState(): Promise<string> {
    await until(
      'no link of a pod is left',
      async () => !/\bveth|\bpop/.test(await host.box.run('ip', '-br', 'link')),
    );
    return host.state();
  }

  /** The host becomes as it was: DEL may answer before a link is gone. */
  async function expectState(before: string): Promise<void> {
    await expect.poll(() => host.state(), { timeout: 5000 }).toBe(before);
  }

  /** The MAC address that a command shows. */
  async function macOf(command: string, ...args: string[]): Promise<string> {
    return /link\/ether (\S+)/.exec(await host.box.run(command, ...args))?.[1] ?? '';
  }

  /** Token bucket filters of the host with their rates. */
  async function shapers(): Promise<string[]> {
    const text = await host.box.sh('tc qdisc show');
    return [...text.matchAll(/qdisc (tbf) .* rate (\S+)/g)].map(([, kind, rate]) => `${kind} ${rate}`).sort();
  }

  function network(plugin: object): object {
    const ipam = { type: 'host-local', ranges: [[{ subnet: '10.81.0.0/24' }], [{ subnet: 'fd81::/64' }]] };
    return {
      cniVersion: '1.0.0',
      name: `${name}-pods`,
      plugins: [
        // The subnets of flannel come from its file, and the delegate's default route leads out.
        name === 'flannel' ? plugin : { ...plugin, ipam },
        { type: 'portmap', capabilities: { portMappings: true } },
        { type: 'bandwidth', capabilities: { bandwidth: true } },
        { type: 'witness', capabilities: { portMappings: true, bandwidth: true } },
      ],
    };
  }
});

function isContainers(name: string): boolean {
  return name.startsWith('containerd-shim') || name === 'sleep';
}
