/**
 * Names in policies, carried out by agents from what real name servers answer pods: a server of the world outside, one on the node itself
 * whose packets are not tracked, and one in a pod; in both families.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { dnsAnswer } from '#testing/dns-packet.ts';
import { Talk } from '../kernel/flow-world.ts';
import type { Station } from './agent-station.ts';
import { inNetns, until } from './agent-world.ts';
import { type Plugin, PolicyWorld, type TestPod } from './policy-world.ts';

const CLIENT = join(import.meta.dirname, 'policy-names.py');
const CRDS = join(import.meta.dirname, '../../deploy/kubernetes/policy-crds.yaml');
const POLICIES = '/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies';
const SPACE = 'shop';
const [PORT, ECHO_PORT] = [8080, 8081];
/** The world outside has a name server, and addresses that names stand for. */
const OUT = ['192.168.60.50', 'fd60::50'] as const;
const outside = (number: number) => [`198.51.100.${number}`, `2001:db8::${number}`];
const [DIRECT, TARGET, WILD, NODE_WILD, POD_WILD, OTHER] = [1, 2, 3, 4, 5, 6].map(outside) as Six;
type Six = [string[], string[], string[], string[], string[], string[]];
const ALL = [DIRECT, TARGET, WILD, NODE_WILD, POD_WILD, OTHER].flat();
/** On the node itself, as a cache for its pods. */
const ON_NODE = '169.254.20.10';
const NAMES = ['direct.test', 'alias.test', '*.wild.test'];

let world: PolicyWorld;
let station: Station;
const children: ChildProcess[] = [];

beforeAll(async () => {
  world = await PolicyWorld.open(['n1', 'n2'], {
    // Addresses count as long as the floor says, which is 10 s.
    flags: { n1: ['--dns-extra-ttl', '0'], n2: ['--dns-trusted-servers', OUT.join()] },
    prepare: defineKind,
  });
  station = world.station;
  await layOutside();
  layCache();
  world.addNamespace(SPACE);
  speakOf(NAMES);
}, 90_000);
afterAll(async () => {
  for (const each of children) each.kill('SIGKILL');
  await world?.[Symbol.asyncDispose]();
});

function defineKind(to: Station): void {
  const objects = parseAllDocuments(readFileSync(CRDS, 'utf8')).map((each) => each.toJS() as object);
  const kind = objects.find((each) => JSON.stringify(each).includes('"clusternetworkpolicies"'));
  to.api('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', kind);
}

/** Clients may ask name servers, and reach what these names stand for. */
function speakOf(domainNames: readonly string[]): void {
  const networks = [...OUT, ON_NODE].map((each) => `${each}/${each.includes(':') ? 128 : 32}`);
  const policy = {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'names' },
    spec: {
      tier: 'Admin',
      priority: 10,
      subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'client' } } } },
      egress: [
        {
          name: 'ask',
          action: 'Accept',
          to: [{ networks: [...networks, '10.10.0.0/16', 'fd10::/48'] }],
          protocols: [{ udp: { destinationPort: { number: 53 } } }],
        },
        { name: 'names', action: 'Accept', to: [{ domainNames }] },
        { name: 'rest', action: 'Deny', to: [{ networks: ['0.0.0.0/0', '::/0'] }] },
      ],
    },
  };
  try {
    station.api('DELETE', `${POLICIES}/names`);
  } catch {
    // There was none.
  }
  station.api('POST', POLICIES, policy);
}

function start(netns: string, ...words: readonly string[]): void {
  children.push(spawn('nsenter', [`--net=${netns}`, ...words], { stdio: 'ignore' }));
}

async function layOutside(): Promise<void> {
  station.addHost('out', 50);
  for (const address of ALL)
    station.sh('out', `ip address add ${address}/${address.includes(':') ? 128 : 32} dev lo`);
  for (const [at, node] of ['n1', 'n2'].entries()) {
    const { lease } = await station.statusWhere(
      node,
      'leases',
      ({ lease: { ipv4, ipv6 } }) => !!ipv4 && !!ipv6,
    );
    station.sh(
      'out',
      `ip route add ${lease.ipv4} via 192.168.60.${11 + at}; ip route add ${lease.ipv6} via fd60::${11 + at}`,
    );
    station.sh(node, `ip route add 198.51.100.0/24 via ${OUT[0]}; ip route add 2001:db8::/64 via ${OUT[1]}`);
  }
  serveNames(station.file('host-out'), OUT, WILD);
  start(station.file('host-out'), 'socat', `TCP6-LISTEN:${PORT},fork,reuseaddr`, 'EXEC:/bin/true');
  start(station.file('host-out'), 'socat', `TCP6-LISTEN:${ECHO_PORT},fork,reuseaddr`, 'EXEC:/bin/cat');
}

/** As NodeLocal DNSCache: its packets are not tracked. */
function layCache(): void {
  station.sh(
    'n1',
    `ip address add ${ON_NODE}/32 dev lo
     nft 'table ip cache {
       chain in { type filter hook prerouting priority -300; ip daddr ${ON_NODE} udp dport 53 notrack; }
       chain out { type filter hook output priority -300; ip saddr ${ON_NODE} udp sport 53 notrack; }
     }'`,
  );
  serveNames(station.file('host-n1'), [ON_NODE], NODE_WILD);
}

/** `*.wild.test` is whatever is asked for there. */
function serveNames(netns: string, addresses: readonly string[], wild: readonly string[]): void {
  start(
    netns,
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--pid-file='],
    ...['--no-resolv', '--no-hosts', '--bind-interfaces', '--local-ttl=1'],
    ...addresses.map((address) => `--listen-address=${address}`),
    `--host-record=direct.test,${DIRECT.join()}`,
    `--host-record=edge.cdn.example,${TARGET.join()}`,
    '--cname=middle.cdn.example,edge.cdn.example',
    '--cname=alias.test,middle.cdn.example',
    ...wild.map((address) => `--address=/wild.test/${address}`),
    ...OTHER.map((address) => `--address=/other.test/${address}`),
  );
}

function run(pod: TestPod, ...words: readonly (string | number)[]): unknown {
  return JSON.parse(inNetns(pod.netns, 'python3', CLIENT, ...words.map(String)));
}

const ask = (pod: TestPod, server: string, name: string) => run(pod, 'ask', server, name) as string[];
/** The addresses with which a connection comes about. */
const open = (pod: TestPod, ...addresses: readonly string[]) =>
  run(pod, 'open', PORT, ...addresses) as string[];
/** After how many milliseconds, by address. */
const reach = (pod: TestPod, server: string, name: string, limitMs = 5000) =>
  run(pod, 'reach', server, name, PORT, limitMs) as Record<string, number | null>;
/** A server answers, which takes it a moment at first. */
const answers = (pod: TestPod, server: string) =>
  until(`answers of ${server}`, () => {
    try {
      return ask(pod, server, 'other.test').length === 2;
    } catch {
      return false;
    }
  });
const expired = (pod: TestPod) =>
  vi.waitFor(() => expect(open(pod, ...ALL)).toEqual([]), { timeout: 30_000, interval: 300 });
const addPod = (node: string, name: string, app: string, plugin: Plugin = 'poplin') =>
  world.addPod({ node, namespace: SPACE, name, labels: { app }, plugin });

describe.each<Plugin>(['poplin', 'bridge'])('a pod attached by %s', (plugin) => {
  let client: TestPod;
  let server: TestPod;
  beforeAll(async () => {
    client = await addPod('n1', `client-${plugin}`, 'client', plugin);
    server = await addPod('n1', `server-${plugin}`, 'server', plugin);
    serveNames(server.netns, [server.ipv4, server.ipv6], POD_WILD);
    for (const each of [...OUT, ON_NODE, server.ipv4, server.ipv6]) await answers(client, each);
    await expired(client);
  }, 90_000);

  test('reaches what it asked for once it is answered, and nothing else', async () => {
    const found = async (name: string, wanted: readonly string[], of: string = OUT[0]) => {
      const ms = reach(client, of, name);
      expect(Object.keys(ms).toSorted(), name).toEqual([...wanted].toSorted());
      for (const [address, each] of Object.entries(ms)) expect(each, `${name} ${address}`).toBeLessThan(1000);
    };
    await found('direct.test', DIRECT);
    expect(open(client, ...ALL)).toEqual(DIRECT);
    await found('alias.test', TARGET, OUT[1]);
    await found('a.b.Wild.test', WILD);
    await found('c.wild.test', NODE_WILD, ON_NODE);
    await found('d.wild.test', POD_WILD, plugin === 'poplin' ? server.ipv4 : server.ipv6);
    expect(Object.values(reach(client, OUT[0], 'other.test', 300))).toEqual([null, null]);
    expect(open(client, ...OTHER)).toEqual([]);
  }, 60_000);

  test('reaches it no more when that has come to its end, but goes on with what began', async () => {
    ask(client, OUT[0], 'direct.test');
    await vi.waitFor(() => expect(open(client, ...DIRECT)).toEqual(DIRECT));
    await using talk = new Talk(client.netns, 'tcp', DIRECT[0] as string, ECHO_PORT);
    await using talk6 = new Talk(client.netns, 'tcp', DIRECT[1] as string, ECHO_PORT);
    await until('echoes', () => talk.answers > 3 && talk6.answers > 3);
    await expired(client);
    // Also if policies change: the address was right when it began.
    speakOf([...NAMES, `${plugin}.test`]);
    const before = [talk.answers, talk6.answers] as const;
    await until('more echoes', () => talk.answers > before[0] + 30 && talk6.answers > before[1] + 30);
    expect(open(client, ...ALL)).toEqual([]);
    // What no rule speaks of any more ends.
    speakOf(['alias.test', '*.wild.test']);
    await until('silence', () => talk.silentMs > 500 && talk6.silentMs > 500);
    speakOf(NAMES);
  }, 90_000);
});

test('a forged answer says nothing, whoever it is for', async () => {
  const [client, forger] = [await addPod('n1', 'client', 'client'), await addPod('n1', 'forger', 'other')];
  await answers(client, OUT[0]);
  const known = async () => (await station.status('n1'))?.policy?.names?.known ?? 0;
  const before = await known();
  const forged = dnsAnswer({
    question: 'forged.wild.test',
    records: OTHER.map((address) => ({ name: 'forged.wild.test', address, ttlSec: 600 })),
  });
  const hex = Buffer.from(forged).toString('hex');
  for (const pod of [client, forger])
    for (const address of [pod.ipv4, pod.ipv6]) run(forger, 'send', 53, address, 5353, hex);
  // It also answers itself: a pod that is asked by nobody but itself.
  for (const address of [forger.ipv4, forger.ipv6]) run(forger, 'send', 53, address, 53, hex);
  // What comes behind it was seen, so it was, too.
  expect(Object.values(reach(client, OUT[0], 'true.wild.test'))).toEqual([
    expect.any(Number),
    expect.any(Number),
  ]);
  expect(await known()).toBe(before + 1); // what has come to its end is known yet
  expect(open(client, ...OTHER)).toEqual([]);
}, 60_000);

test('what was seen counts in an agent that starts anew, and while there is none', async () => {
  const client = await addPod('n1', 'again', 'client');
  await answers(client, OUT[0]);
  const open6 = () => open(client, ...DIRECT);
  ask(client, OUT[0], 'direct.test');
  await vi.waitFor(() => expect(open6()).toEqual(DIRECT));
  await station.stop('n1', 'SIGTERM');
  expect(open6()).toEqual(DIRECT);
  station.startAgent('n1', 11, ['--dns-extra-ttl', '0']);
  await station.statusWhere('n1', 'ready', (status) => status.ready && status.policy?.known === 'api');
  expect(open6()).toEqual(DIRECT);
}, 90_000);

test('servers that are not trusted say nothing', async () => {
  const [client, server] = [await addPod('n2', 'far', 'client'), await addPod('n2', 'untrusted', 'other')];
  serveNames(server.netns, [server.ipv4, server.ipv6], POD_WILD);
  for (const each of [server.ipv4, server.ipv6, ...OUT]) await answers(client, each);
  for (const each of [server.ipv4, server.ipv6])
    expect(Object.values(reach(client, each, 'a.wild.test', 300))).toEqual([null, null]);
  for (const [at, each] of OUT.entries())
    expect(Object.keys(reach(client, each, ['direct.test', 'alias.test'][at] as string))).toHaveLength(2);
  expect(open(client, ...DIRECT, ...TARGET, ...POD_WILD)).toEqual([...DIRECT, ...TARGET]);
}, 60_000);
