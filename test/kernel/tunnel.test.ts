import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAMILIES, type Family, iperf, TunnelWorld, type WorldNode } from './tunnel-world.ts';

/** Nodes 1 and 2 are Poplin's; 3 is a plain peer. */
let world: TunnelWorld;
let [one, two, plain]: WorldNode[] = [];
const nodes = (): [WorldNode, WorldNode, WorldNode] => [one, two, plain] as [WorldNode, WorldNode, WorldNode];

beforeAll(async () => {
  world = new TunnelWorld(3);
  [one, two, plain] = world.nodes;
  const [a, b, c] = nodes();
  await c.startPlain([a, b]);
  await a.start([b, c]);
  await b.start([a, c]);
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const PAIRS: readonly (readonly [string, 1 | 2 | 3, 1 | 2 | 3])[] = [
  ['between Poplin nodes', 1, 2],
  ['from Poplin to a plain peer', 1, 3],
  ['from a plain peer to Poplin', 3, 2],
];
const CASES = PAIRS.flatMap(([title, from, to]) =>
  FAMILIES.map((family) => ({ title, from, to, family, name: `${title}, IPv${family}` })),
);

describe.each(CASES)('$name', ({ from, to, family }) => {
  const ends = () => [world.node(from), world.node(to)] as const;

  test('pings are answered', () => {
    const [source, target] = ends();
    expect(source.pings(target, family)).toBe(3);
  });

  test('the MTU is what is promised, and no byte more', () => {
    const [source, target] = ends();
    const ping = (size: number) =>
      source.inPod('sh', '-c', `ping -M do -c 1 -W 1 -s ${size} ${target.podIp(family)} || true`);
    const setMtu = (mtu: number) => {
      for (const end of [source, target]) end.inPod('ip', 'link', 'set', 'eth0', 'mtu', String(mtu));
    };
    // With larger packets than it should send a pod is told by its node.
    setMtu(1500);
    const [mtu, headers] = family === 4 ? [1472, 28] : [1452, 48];
    expect(ping(mtu - headers)).toContain(' 1 received');
    expect(ping(mtu - headers + 1)).toMatch(family === 4 ? /mtu = 1472/ : /too big: mtu=1452/);
    source.inPod('ip', `-${family}`, 'route', 'flush', 'cache');
    setMtu(1452);
  });

  test('a large transfer arrives byte for byte, both ways', async () => {
    const [source, target] = ends();
    const bytes = from === 3 || to === 3 ? 4_000_000 : 60_000_000;
    expect(await transferred(source, target, family, bytes)).toBe(true);
    expect(await transferred(target, source, family, bytes)).toBe(true);
  });

  test('datagrams of all sizes arrive whole, and larger ones in fragments', () => {
    const [source, target] = ends();
    const sizes = [0, 1, 7, 8, 100, 512, 1399, 1404, 1424, 1425, 3000, 20_000];
    expect(echoed(source, target, family, sizes)).toBe(sizes.map((size) => `${size} same`).join('\n'));
  });
});

test.each(FAMILIES)(
  'TCP between Poplin nodes uses segmentation offload, both ways, IPv%i',
  async (family) => {
    const [a, b] = nodes();
    const before = await counters(a, family);
    expect((await iperf(a, b, family, '-t', '1')).mbit).toBeGreaterThan(100);
    expect((await iperf(a, b, family, '-t', '1', '-R')).mbit).toBeGreaterThan(100);
    const after = await counters(a, family);
    const grown = (key: keyof typeof after) => (after[key] as number) - (before[key] as number);
    expect(grown('sentPackets') / grown('deviceReads')).toBeGreaterThan(4);
    expect(grown('sentPackets') / grown('socketSends')).toBeGreaterThan(4);
    expect(grown('receivedPackets') / grown('deviceWrites')).toBeGreaterThan(4);
    for (const key of [
      'noPeer',
      'uncut',
      'malformed',
      'unknownOuter',
      'spoofedInner',
      'deviceFailed',
    ] as const)
      expect([key, grown(key)]).toEqual([key, 0]);
  },
);

test.each(FAMILIES)('several flows of TCP and UDP at once leave each other alone, IPv%i', async (family) => {
  const [a, b] = nodes();
  const all = await Promise.all([
    transferred(a, b, family, 20_000_000),
    transferred(b, a, family, 20_000_000),
    transferred(a, b, family, 20_000_000),
  ]);
  expect(all).toEqual([true, true, true]);
  const udp = await iperf(a, b, family, '-u', '-b', '50M', '-l', '200', '-t', '1');
  expect(udp.bytes).toBeGreaterThan(4_000_000);
  expect(udp.lostPercent).toBeLessThan(5);
});

test.each(FAMILIES)(
  'each packet on the wire is one bare IP packet in one datagram of its own, IPv%i',
  async (family) => {
    const [a, , c] = nodes();
    // What a card without segmentation would send: the far end of the wire sees single packets.
    for (const feature of ['tx-udp-segmentation', 'gso', 'tso'])
      execFileSync('nsenter', [`--net=${a.namespace.path}`, 'ethtool', '-K', 'eth0', feature, 'off']);
    try {
      const lengths = await capturedLengths(
        c,
        family,
        async () => void (await transferred(a, c, family, 300_000)),
      );
      expect(lengths.length).toBeGreaterThan(150);
      // Inner packets of at most 1452 bytes.
      expect(Math.max(...lengths)).toBeLessThanOrEqual(1452 + 8);
    } finally {
      for (const feature of ['tx-udp-segmentation', 'gso', 'tso'])
        execFileSync('nsenter', [`--net=${a.namespace.path}`, 'ethtool', '-K', 'eth0', feature, 'on']);
    }
  },
);

test.each(FAMILIES)(
  'pods reach other nodes by their own addresses, and see the true source, IPv%i',
  (family) => {
    const [a, b] = nodes();
    expect(a.inPod('ping', '-c', '1', '-W', '1', b.publicIp(family))).toContain(' 1 received');
  },
);

test.each(FAMILIES)('the node itself reaches pods of other nodes, IPv%i', (family) => {
  const [a, b] = nodes();
  const output = execFileSync(
    'nsenter',
    [`--net=${a.namespace.path}`, 'ping', '-c', '1', '-W', '1', b.podIp(family)],
    { encoding: 'utf8' },
  );
  expect(output).toContain(' 1 received');
});

test('a second plan is empty, and nothing is refused', () => {
  for (const node of nodes().slice(0, 2)) {
    expect(node.agent?.status()).toMatchObject({ failures: [], conflicts: [] });
    expect(node.agent?.carrier.problemTexts()).toEqual([]);
  }
});

async function counters(node: WorldNode, family: Family) {
  const found = (await node.agent?.carrier.counters())?.[`ipv${family}`];
  if (found === undefined) throw new Error(`node${node.number} has no tunnel`);
  return found;
}

let nextPort = 5000;

/** Random bytes through `socat`; compared by hash. */
async function transferred(from: WorldNode, to: WorldNode, family: Family, bytes: number): Promise<boolean> {
  const port = nextPort++;
  const file = join(world.folder.path, `file-${port}`);
  const content = randomBytes(bytes);
  writeFileSync(file, content);
  const sink = spawn(
    'nsenter',
    [`--net=${to.pod.path}`, 'socat', '-u', `TCP${family}-LISTEN:${port},reuseaddr`, '-'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const hash = createHash('sha256');
  sink.stdout.on('data', (chunk: Buffer) => hash.update(chunk));
  const address = family === 4 ? to.podIp(4) : `[${to.podIp(6)}]`;
  const source = spawn(
    'nsenter',
    [
      `--net=${from.pod.path}`,
      'socat',
      '-u',
      `OPEN:${file}`,
      `TCP${family}:${address}:${port},retry=50,interval=0.05`,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  await Promise.all([once(sink, 'close'), once(source, 'close')]);
  return hash.digest('hex') === createHash('sha256').update(content).digest('hex');
}

const ECHO = `
import os, socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM); s.bind((sys.argv[1], 9999)); print('ready', flush=True)
while True:
  data, peer = s.recvfrom(65535); s.sendto(data, peer)
`;
const ASK = `
import os, socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(2); s.connect((sys.argv[1], 9999))
for size in map(int, sys.argv[2:]):
  data = os.urandom(size); s.send(data)
  try: print(size, 'same' if s.recv(65535) == data else 'other')
  except TimeoutError: print(size, 'lost')
`;

function echoed(
  from: WorldNode,
  to: WorldNode,
  family: Family,
  sizes: readonly number[],
): string | undefined {
  const server = spawn('nsenter', [`--net=${to.pod.path}`, 'python3', '-c', ECHO, to.podIp(family)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    execFileSync('nsenter', [
      `--net=${to.pod.path}`,
      'sh',
      '-c',
      'until ss -Huln | grep -q :9999; do sleep 0.05; done',
    ]);
    return from.inPod('python3', '-c', ASK, to.podIp(family), ...sizes.map(String))?.trim();
  } finally {
    server.kill('SIGKILL');
  }
}

/** The UDP payload lengths, with their header, of datagrams that arrive at a node while something is done. */
async function capturedLengths(node: WorldNode, family: Family, act: () => Promise<void>): Promise<number[]> {
  const child = spawn('nsenter', [`--net=${node.namespace.path}`, 'python3', '-c', CAPTURE, String(family)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child.stdout, 'data');
  await act();
  child.stdin.end();
  await once(child, 'close');
  return text.split('\n').slice(1, -1).map(Number);
}

const CAPTURE = `
import select, socket, sys
version = int(sys.argv[1])
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800 if version == 4 else 0x86dd))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
s.bind(('eth0', 0))
print('ready', flush=True)
while True:
  ready = select.select([s, 0], [], [])[0]
  if s in ready:
    data, where = s.recvfrom(70000)
    start = 20 if version == 4 else 40
    is_udp = data[9 if version == 4 else 6] == 17
    if where[2] == 0 and is_udp and int.from_bytes(data[start + 2:start + 4], 'big') == 8285:
      print(len(data) - start)
  elif 0 in ready: break
`;
