/** The backends ipip and wireguard with real packets, in all modes and families, among themselves and with peers set up by `ip` and `wg`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IpFamily } from '#base/ip/index.ts';
import type { WireguardConfig } from '#core/lease/index.ts';
import { type Backend, ipipBackend, type WireguardKeys, wireguardBackend } from '#core/overlay/index.ts';
import { loadWireguardKeys } from '#io/wireguard-key/index.ts';
import { IS_SOAK } from '#testing/soak.ts';
import { carries, forge, run, TunnelServer, transfer } from '../backends/tunnel-talk.ts';
import { addresses, ip, pods, type TunnelNode, TunnelWorld } from './tunnel-world.ts';

const BOTH: readonly IpFamily[] = [4, 6];
const NETWORKS = ['10.10.0.0/16', 'fd10::/48'];
const PSK = 'cG9wbGluOiBhIHNlY3JldCBvZiBzb21lIGJ5dGVzIDo=';

let world: TunnelWorld;
let folder: string;
let keys: WireguardKeys[];
const servers: TunnelServer[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-tunnel-keys-'));
  world = new TunnelWorld();
  keys = await Promise.all([1, 2, 3, 4].map((n) => loadWireguardKeys(join(folder, `${n}`))));
  for (const { pod, netns } of world.nodes)
    for (const each of [pod, netns]) servers.push(new TunnelServer(each));
});
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
  world[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

type Kind = (node: TunnelNode, keys: WireguardKeys) => Backend;

const ipip =
  (directRouting: boolean): Kind =>
  ({ underlay, own }) =>
    ipipBackend({ type: 'ipip', directRouting }, underlay, own);
const wireguard =
  (config: Partial<WireguardConfig>): Kind =>
  ({ underlay, own }, pair) =>
    wireguardBackend(
      {
        type: 'wireguard',
        listenPort: 51_820,
        listenPortV6: 51_821,
        mode: 'separate',
        persistentKeepaliveSec: 0,
        ...config,
      },
      underlay,
      { own, keys: pair, networks: NETWORKS },
    );

/** All three nodes; `pairs` are their keys. Gives what each changed. */
async function join3(kind: Kind, families: readonly IpFamily[], pairs = keys): Promise<string[][]> {
  const backends = world.nodes.map((node, at) => kind(node, pairs[at] as WireguardKeys));
  world.setPodMtu((backends[0] as Backend).podMtuBytes(families));
  const changes: string[][] = [];
  for (const [at, node] of world.nodes.entries()) {
    const peers = new Map(backends.map((backend, n) => [n + 1, backend] as const));
    peers.delete(node.number);
    changes.push(await node.carry(backends[at] as Backend, families, peers));
  }
  return changes;
}

/** What pod 1 reaches, and as whom it is seen there: itself. */
function everywhere(families: readonly IpFamily[]): Record<string, string> {
  return Object.fromEntries(
    families.flatMap((family) =>
      [2, 3].flatMap((n) => [
        [pods(n)[family], pods(1)[family]],
        [addresses(n)[family], pods(1)[family]],
      ]),
    ),
  );
}

function sentBy(node: TunnelNode, link: string): number {
  const [shown] = JSON.parse(run(node.netns, 'ip', '-j', '-s', 'link', 'show', link)) as {
    stats64: { tx: { packets: number } };
  }[];
  return shown?.stats64.tx.packets ?? -1;
}

const ROWS: readonly [name: string, kind: Kind, families: readonly IpFamily[], podMtuBytes: number][] = [
  ['ipip', ipip(false), BOTH, 1460],
  ['ipip, IPv4 alone', ipip(false), [4], 1480],
  ['ipip, IPv6 alone', ipip(false), [6], 1460],
  ['ipip with DirectRouting', ipip(true), BOTH, 1460],
  ['wireguard', wireguard({}), BOTH, 1420],
  ['wireguard, IPv6 alone', wireguard({}), [6], 1420],
  ['wireguard, mode auto', wireguard({ mode: 'auto' }), BOTH, 1420],
  ['wireguard, mode auto, IPv4 alone', wireguard({ mode: 'auto' }), [4], 1420],
  ['wireguard, mode ipv4', wireguard({ mode: 'ipv4', psk: PSK }), BOTH, 1420],
  ['wireguard, mode ipv6', wireguard({ mode: 'ipv6' }), BOTH, 1420],
];

// On an emulated processor a usual run has both families at once.
describe.each(ROWS.filter(([, , families]) => IS_SOAK || families === BOTH))(
  '%s',
  (_name, kind, families, podMtuBytes) => {
    test('pods reach pods and nodes with their own addresses, whole packets, and a second plan is empty', async () => {
      await join3(kind, families);
      expect(transfer(world.node(1).pod, Object.keys(everywhere(families)))).toEqual(everywhere(families));
      for (const family of families)
        for (const n of [2, 3])
          expect(carries(world.node(1).pod, pods(n)[family], podMtuBytes), pods(n)[family]).toBe(true);
      expect(world.nodes.map((node) => node.isSettled())).toEqual([true, true, true]);
    });
  },
);

describe('ipip', () => {
  test('with DirectRouting only what crosses the router goes through the tunnel', async () => {
    const node = world.node(1);
    await join3(ipip(true), BOTH);
    for (const family of BOTH) {
      const link = family === 4 ? 'flannel.ipip' : 'flannel-v6.ipip';
      const before = sentBy(node, link);
      expect(carries(node.pod, pods(2)[family], 1000)).toBe(true);
      expect(sentBy(node, link)).toBe(before);
      expect(carries(node.pod, pods(3)[family], 1000)).toBe(true);
      expect(sentBy(node, link)).toBeGreaterThan(before);
    }
  });

  test.each(BOTH)('takes IPv%i packets from nodes only, and pods send none to nodes', async (family) => {
    const node = world.node(1);
    await join3(ipip(false), BOTH);
    const forged = (text: string) => ({
      outer: addresses(1)[family],
      source: pods(3)[family],
      target: pods(1)[family],
      text,
    });
    const heard = () => (servers[0] as TunnelServer).datagrams.filter((line) => line.endsWith(`${family}`));
    forge(world.stranger, forged(`stranger ${family}`));
    forge(world.node(2).pod, forged(`pod ${family}`));
    forge(world.node(2).netns, forged(`node ${family}`));
    await expect.poll(heard, { timeout: 20_000 }).toEqual([`node ${family}`]);
    const dropped = (each: TunnelNode, chain: string) => {
      const text = run(each.netns, 'nft', 'list', 'chain', 'inet', 'poplin-overlay', chain);
      const rule = new RegExp(`^\\s*.*${family === 4 ? 'ip ' : 'ip6 '}.*counter packets (\\d+) `, 'm').exec(
        text,
      );
      return Number(rule?.[1]);
    };
    expect(dropped(node, 'input')).toBe(1);
    expect(dropped(world.node(2), 'forward')).toBe(1);
  });

  test('speaks with a node that is set up as flannel does it', async () => {
    const [node, other] = [world.node(1), world.node(3)];
    await join3(ipip(false), [4]);
    await other.clear();
    world.setPodMtu(1480);
    ip(
      other.netns,
      'link add flannel.ipip type ipip local 198.51.100.3',
      'link set flannel.ipip mtu 1480 up',
      'address add 10.10.48.0/32 dev flannel.ipip',
      'route add 10.10.16.0/20 via 192.0.2.1 dev flannel.ipip onlink',
    );
    expect(transfer(node.pod, [pods(3)[4], addresses(3)[4]])).toEqual({
      [pods(3)[4]]: pods(1)[4],
      [addresses(3)[4]]: pods(1)[4],
    });
    expect(carries(other.pod, pods(1)[4], 1480)).toBe(true);
    ip(other.netns, 'link delete flannel.ipip');
  });
});

describe('wireguard', () => {
  const handshakes = ({ netns }: TunnelNode, link: string) => {
    const lines = run(netns, 'wg', 'show', link, 'latest-handshakes').trim().split('\n');
    return new Map(lines.map((line) => line.split('\t') as [string, string]));
  };

  test.each<WireguardConfig['mode']>(['separate', 'auto'])(
    'a node with a new key is another peer, and no other is touched (mode %s)',
    async (mode) => {
      const [node1] = world.nodes as [TunnelNode];
      await join3(wireguard({ mode }), BOTH);
      transfer(node1.pod, Object.keys(everywhere(BOTH)));
      const third = (keys[2] as WireguardKeys).publicKey;
      const before = handshakes(node1, 'flannel-wg').get(third);
      expect(Number(before)).toBeGreaterThan(0);
      const [before2, after2] = [keys[1], keys[3]] as [WireguardKeys, WireguardKeys];
      const [changes] = await join3(wireguard({ mode }), BOTH, [keys[0], after2, keys[2]] as WireguardKeys[]);
      const links = mode === 'separate' ? ['flannel-wg', 'flannel-wg-v6'] : ['flannel-wg'];
      for (const link of links) {
        expect(changes).toContain(`remove wireguard peer ${before2.publicKey} dev ${link}`);
        expect(changes).toContain(`add wireguard peer ${after2.publicKey} dev ${link}`);
      }
      expect(changes?.filter((change) => !/ wireguard (peer|allowed-ip) /.test(change))).toEqual([]);
      expect(changes?.join()).not.toContain(third);
      expect(transfer(node1.pod, Object.keys(everywhere(BOTH)))).toEqual(everywhere(BOTH));
      expect(handshakes(node1, 'flannel-wg').get(third)).toBe(before);
      expect(handshakes(node1, 'flannel-wg').has(before2.publicKey)).toBe(false);
      expect(world.nodes.map((node) => node.isSettled())).toEqual([true, true, true]);
    },
  );

  test('what no peer has does not leave in clear', async () => {
    const node = world.node(1);
    await join3(wireguard({}), BOTH);
    const before = sentBy(node, 'under0');
    expect(carries(node.pod, '10.10.96.5', 1000)).toBe(false);
    expect(carries(node.pod, 'fd10:0:0:9::5', 1000)).toBe(false);
    expect(sentBy(node, 'under0') - before).toBeLessThan(2);
  });

  test('speaks with a node that is set up as flannel does it', async () => {
    const [node, other] = [world.node(1), world.node(3)];
    await join3(wireguard({ psk: PSK }), BOTH);
    await other.clear();
    const file = (name: string, content: string) => {
      const path = join(folder, name);
      writeFileSync(path, `${content}\n`, { mode: 0o600 });
      return path;
    };
    const [mine, theirs] = [keys[0], keys[2]] as [WireguardKeys, WireguardKeys];
    for (const family of BOTH) {
      const link = family === 4 ? 'flannel-wg' : 'flannel-wg-v6';
      const port = family === 4 ? '51820' : '51821';
      const endpoint = family === 4 ? `192.0.2.1:${port}` : `[2001:db8::1]:${port}`;
      ip(other.netns, `link add ${link} mtu 1420 type wireguard`);
      const device = ['listen-port', port, 'private-key', file('private', theirs.privateKey)];
      const peer = ['peer', mine.publicKey, 'preshared-key', file('psk', PSK), 'endpoint', endpoint];
      const allowed = family === 4 ? '10.10.16.0/20' : 'fd10:0:0:1::/64';
      run(other.netns, 'wg', 'set', link, ...device, ...peer, 'allowed-ips', allowed);
      ip(
        other.netns,
        `address add ${family === 4 ? '10.10.48.0/32' : 'fd10:0:0:3::/128'} dev ${link}`,
        `link set ${link} up`,
        family === 4 ? `route add 10.10.0.0/16 dev ${link} scope link` : `route add fd10::/48 dev ${link}`,
      );
    }
    // It speaks first: node 1 still has a session with the one before, and finds out after 15 s of silence.
    expect(
      transfer(
        other.pod,
        BOTH.map((family) => pods(1)[family]),
      ),
    ).toEqual({
      [pods(1)[4]]: pods(3)[4],
      [pods(1)[6]]: pods(3)[6],
    });
    const hosts = BOTH.flatMap((family) => [pods(3)[family], addresses(3)[family]]);
    expect(transfer(node.pod, hosts)).toEqual(
      Object.fromEntries(hosts.map((host) => [host, pods(1)[host.includes(':') ? 6 : 4]])),
    );
    ip(other.netns, 'link delete flannel-wg', 'link delete flannel-wg-v6');
  });
});
