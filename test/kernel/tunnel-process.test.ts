import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseIp } from '#base/ip/index.ts';
import { endTunnel, TunnelConnection, type TunnelCounters } from '#io/tunnel/index.ts';
import { inNamespace } from './ip.ts';
import { makePacket } from './tunnel-harness.ts';
import {
  FAMILIES,
  type Family,
  PORT,
  TunnelWorld,
  tunnelPid,
  until,
  type WorldNode,
} from './tunnel-world.ts';

let world: TunnelWorld;
/** Node 3 has no agent: it is the hostile one. */
let [one, two, three]: WorldNode[] = [];
const nodes = (): [WorldNode, WorldNode, WorldNode] => [one, two, three] as [WorldNode, WorldNode, WorldNode];

beforeAll(async () => {
  world = new TunnelWorld(3);
  [one, two, three] = world.nodes;
}, 30_000);
beforeEach(async () => {
  const [a, b] = nodes();
  if (a.agent === undefined) await a.start([b]);
  if (b.agent === undefined) await b.start([a]);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const connected = (a: WorldNode, b: WorldNode) => FAMILIES.every((family) => a.pings(b, family, 1) === 1);

/** A process that is not the one before. The pings of `connected` hold this one up, and with it the agents: ask for this first. */
const isAnother = (node: WorldNode, before: number | undefined) =>
  ![undefined, before].includes(tunnelPid(node));

describe('the process', () => {
  test('owns no privilege, and few system calls', () => {
    const [a] = nodes();
    const status = readFileSync(`/proc/${tunnelPid(a)}/status`, 'utf8');
    const value = (key: string) => new RegExp(`^${key}:[ \\t]*(.*)$`, 'm').exec(status)?.[1];
    for (const key of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      expect([key, value(key)]).toEqual([key, '0'.repeat(16)]);
    expect(value('Uid')).toBe('65534\t65534\t65534\t65534');
    expect(value('Gid')).toBe('65534\t65534\t65534\t65534');
    expect(value('Groups')?.trim()).toBe('');
    expect([value('NoNewPrivs'), value('Seccomp')]).toEqual(['1', '2']);
  });

  test('takes orders from its owner alone', async () => {
    const [a] = nodes();
    expect(statSync(a.socketPath).mode & 0o777).toBe(0o600);
    // Even one who can open the file is not listened to.
    execFileSync('chmod', ['666', a.socketPath]);
    const stranger = `
import os, socket, sys
os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(2)
try: print('answer', s.recv(99))
except OSError as e: print('error', e)
`;
    execFileSync('chmod', ['755', world.folder.path, `${world.folder.path}/run1`]);
    expect(execFileSync('python3', ['-c', stranger, a.socketPath], { encoding: 'utf8' })).toBe(
      "answer b''\n",
    );
    execFileSync('chmod', ['600', a.socketPath]);
  });

  test.each([
    ['nonsense', 'error nonsense: no such order'],
    ['set 10.1.0.0/24 nowhere', 'error set: no address of that family'],
    ['set 10.1.0.0/33 192.0.2.9', 'error set: no prefix'],
    ['set 10.1.0.0/ 192.0.2.9', 'error set: no prefix'],
    ['set fd00::/64 192.0.2.9', 'error set: no address of that family'],
    ['set 10.1.0.0/24', 'error set: no such order'],
    ['remove 10.99.0.0/24', 'error remove: no such peer'],
  ])('says what is wrong with the order "%s"', async (order, answer) => {
    expect(await said(nodes()[0], `${order}\n`)).toContain(answer);
  });

  test('leaves alone who sends no lines, and goes on', async () => {
    const [a, b] = nodes();
    await said(a, 'x'.repeat(10_000));
    const many = await Promise.all(Array.from({ length: 20 }, () => said(a, 'counters\n')));
    expect(many.filter((text) => text.includes('counters {')).length).toBeGreaterThanOrEqual(5);
    expect(connected(a, b)).toBe(true);
  });

  test('says why it cannot run', async () => {
    const [a] = nodes();
    const run = (...args: string[]) =>
      execFileSync(
        'nsenter',
        [`--net=${a.namespace.path}`, 'sh', '-c', 'dist/poplin-tunnel "$@" 2>&1 || true', 'sh', ...args],
        {
          encoding: 'utf8',
        },
      );
    const path = `${world.folder.path}/other.sock`;
    expect(run(path, 'nothing0,192.0.2.1,8285')).toBe('device nothing0: No such device\n');
    expect(run(path, 'eth0,192.0.2.1,8286')).toContain('device eth0: ');
    expect(run(path, 'flannel0,192.0.2.1,8286')).toContain('another program has it open: device flannel0');
    for (const wrong of [
      'flannel0,192.0.2.1',
      'flannel0,192.0.2.1,0',
      'flannel0,192.0.2,1',
      'a-name-that-is-long,192.0.2.1,1',
    ])
      expect(run(path, wrong)).toContain('usage: ');
    inNamespace(a.namespace.path, 'ip', 'tuntap', 'add', 'mode', 'tun', 'name', 'spare0');
    expect(run(path, 'spare0,192.0.2.1,8285')).toBe('bind port 8285 of spare0: Address already in use\n');
    expect(run(path, 'spare0,203.0.113.1,8286')).toBe(
      'bind port 8286 of spare0: Cannot assign requested address\n',
    );
    inNamespace(a.namespace.path, 'ip', 'link', 'delete', 'spare0');
  });
});

describe('a restart of the agent', () => {
  test('finds the process again and loses no packet', async () => {
    const [a, b] = nodes();
    const pid = tunnelPid(a);
    const before = a.log.length;
    const pings = FAMILIES.map((family) =>
      spawn(
        'nsenter',
        [`--net=${b.pod.path}`, 'ping', '-i', '0.01', '-c', '200', '-W', '1', a.podIp(family)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      ),
    );
    const outputs = pings.map(async (child) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await once(child, 'close');
      return text;
    });
    for (let i = 0; i < 4; i++) await a.start([b]);
    for (const output of outputs)
      expect(await output).toContain('200 packets transmitted, 200 received, 0% packet loss');
    expect(tunnelPid(a)).toBe(pid);
    expect(a.agent?.status().firstPassOps).toBe(0);
    expect(a.log.slice(before).join('')).not.toContain('tunnel');
  });

  test('forgets nodes that went meanwhile, and learns new ones', async () => {
    const [a, b, c] = nodes();
    const peersOf = async () => (await a.agent?.carrier.counters())?.ipv4?.peers;
    await a.start([b, c]);
    expect(await peersOf()).toBe(4);
    await a.start([b]);
    expect(await peersOf()).toBe(2);
    expect(connected(a, b)).toBe(true);
  });

  test('with another address or port replaces the process', async () => {
    const [a, b] = nodes();
    const pid = tunnelPid(a);
    inNamespace(a.namespace.path, 'ip', 'address', 'add', '192.0.2.77/24', 'dev', 'eth0');
    const moved = FAMILIES.map((family) => ({
      ...a.lease(family),
      ...(family === 4 && { publicIp: '192.0.2.77' }),
    }));
    await a.agent?.carrier.local(moved);
    expect(tunnelPid(a)).not.toBe(pid);
    for (const lease of moved) b.agent?.upsert(lease);
    await b.agent?.settled(moved[0] as (typeof moved)[0]);
    await until(() => connected(b, a));
    await a.agent?.carrier.local(FAMILIES.map((family) => a.lease(family)));
    for (const family of FAMILIES) b.agent?.upsert(a.lease(family));
    await b.agent?.settled(a.lease(4));
    await until(() => connected(a, b));
  });
});

describe('a process that ended', () => {
  test('is started again within a second, and counted', async () => {
    const [a, b] = nodes();
    for (let kills = 1; kills <= 2; kills++) {
      const pid = tunnelPid(a) as number;
      const restarts = a.agent?.carrier.restarts ?? 0;
      process.kill(pid, 'SIGKILL');
      await until(
        async () => (await a.agent?.carrier.counters())?.ipv4?.peers === 2 && isAnother(a, pid),
        1000,
      );
      expect(connected(b, a)).toBe(true);
      expect(a.agent?.carrier.restarts).toBe(restarts + 1);
    }
    await until(() => (a.agent?.carrier.problemTexts().length ?? 1) === 0);
    expect(a.agent?.status()).toMatchObject({ failures: [], conflicts: [] });
  });

  test('while no agent runs is started by the next one', async () => {
    const [a, b] = nodes();
    const pid = tunnelPid(a) as number;
    await a.agent?.[Symbol.asyncDispose]();
    process.kill(pid, 'SIGKILL');
    await until(() => tunnelPid(a) === undefined);
    await a.start([b]);
    expect(connected(b, a)).toBe(true);
  });

  test('because its device was removed comes back with it', async () => {
    const [a, b] = nodes();
    const pid = tunnelPid(a);
    inNamespace(a.namespace.path, 'ip', 'link', 'delete', 'flannel0');
    const hasRoute = () =>
      inNamespace(a.namespace.path, 'ip', '-4', 'route', 'show', 'table', 'all').includes(`${b.subnet(4)} `);
    await until(() => isAnother(a, pid) && hasRoute());
    await until(() => connected(b, a));
  });

  test('at the wish of cleanup leaves nothing', async () => {
    const [a] = nodes();
    await a.agent?.[Symbol.asyncDispose]();
    expect(await endTunnel(a.socketPath)).toBe(true);
    expect(tunnelPid(a)).toBeUndefined();
    expect(statSync(a.socketPath, { throwIfNoEntry: false })).toBeUndefined();
    expect(await endTunnel(a.socketPath)).toBe(false);
  });
});

test('a program of others at the socket is named, and not obeyed', async () => {
  const path = `${world.folder.path}/foreign.sock`;
  const server = createServer((socket) => socket.end('hello\n'));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await expect(TunnelConnection.open(path)).rejects.toThrow(
    `${path} is served by another program than poplin-tunnel`,
  );
  server.close();
  await once(server, 'close');
});

describe.each(FAMILIES)('hostile packets, IPv%i', (family) => {
  const inner = (source: number, change?: (packet: Buffer) => Buffer) => {
    const [a, b] = nodes();
    const packet = makePacket({ version: family, protocol: 'udp', payload: Buffer.from('hostile') });
    // From a pod of the node with that number to one of node 1.
    rewrite(packet, family, world.node(source).podIp(family), a.podIp(family));
    expect(b).toBeDefined();
    return change === undefined ? packet : change(packet);
  };

  test.each<[string, keyof TunnelCounters, (packet: Buffer) => Buffer]>([
    ['nothing', 'malformed', () => Buffer.alloc(0)],
    ['one byte', 'malformed', (packet) => packet.subarray(0, 1)],
    ['less than a header', 'malformed', (packet) => packet.subarray(0, family === 4 ? 19 : 39)],
    ['the other version', 'malformed', (packet) => withByte(packet, 0, family === 4 ? 0x65 : 0x45)],
    [
      'a header longer than the packet',
      'malformed',
      (packet) => (family === 4 ? withByte(packet, 0, 0x4f) : packet.subarray(1)),
    ],
    ['a length that is too large', 'malformed', (packet) => withByte(packet, family === 4 ? 3 : 5, 0xff)],
    ['a length that is too small', 'malformed', (packet) => withByte(packet, family === 4 ? 3 : 5, 1)],
    ['bytes behind the packet', 'malformed', (packet) => Buffer.concat([packet, Buffer.from('more')])],
    ['the source of another node', 'spoofedInner', () => inner(3)],
    ['the source of the receiver itself', 'spoofedInner', () => inner(1)],
  ])('%s is dropped and counted', async (_, counter, change) => {
    const [a, b] = nodes();
    expect(await grown(a, counter, () => send(b, a, family, [inner(2, change)]))).toBe(1);
  });

  test('a node that is known is, with the right source, heard: the packets above are wrong in that alone', async () => {
    const [a, b] = nodes();
    expect(await grown(a, 'receivedPackets', () => send(b, a, family, [inner(2)]))).toBe(1);
  });

  test('a stranger and a wrong port are not heard', async () => {
    const [a, b, c] = nodes();
    expect(await grown(a, 'unknownOuter', () => send(c, a, family, [inner(2)]))).toBe(0);
    expect(droppedAtTheDoor(a, family)).toBeGreaterThan(0);
    expect(await grown(a, 'unknownOuter', () => send(b, a, family, [inner(2)], PORT + 1))).toBe(1);
  });

  test('a stranger is not heard by the program either, should nf_tables let him in', async () => {
    const [a, , c] = nodes();
    // Without an agent, which would put the rule back.
    await a.agent?.[Symbol.asyncDispose]();
    using connection = await TunnelConnection.open(a.socketPath);
    const strangers = async () => (await connection?.counters())?.[`ipv${family}`]?.unknownOuter ?? 0;
    const before = await strangers();
    inNamespace(a.namespace.path, 'nft', 'flush', 'chain', 'inet', 'poplin-overlay', 'input');
    await send(c, a, family, [inner(2)]);
    await until(async () => (await strangers()) === before + 1);
  });

  test('a burst of random bytes harms nothing', async () => {
    const [a, b] = nodes();
    const pid = tunnelPid(a);
    const whole = inner(2);
    const burst = Array.from({ length: 2000 }, (_, index) => {
      const packet = Buffer.from(whole);
      for (let i = 0; i < 4; i++)
        packet[(index * 7 + i * 13) % packet.length] = (index * 31 + i * 101) & 0xff;
      return index % 3 === 0 ? packet.subarray(0, index % packet.length) : packet;
    });
    await send(b, a, family, burst);
    await until(() => connected(a, b));
    expect(tunnelPid(a)).toBe(pid);
  });

  test('a destination that no node has is answered', () => {
    const [a] = nodes();
    const address = family === 4 ? '10.50.200.2' : 'fd50:0:0:200::2';
    inNamespace(
      a.namespace.path,
      'ip',
      `-${family}`,
      'route',
      'add',
      address,
      'dev',
      family === 4 ? 'flannel0' : 'flannel-v6.0',
    );
    const output = a.inPod('sh', '-c', `ping -c 1 -W 1 ${address} || true; ${UDP_ASK} ${address}`);
    expect(output).toMatch(/unreachable/);
    inNamespace(a.namespace.path, 'ip', `-${family}`, 'route', 'delete', address);
  });
});

/** ICMP tells of UDP where ping is not told of ICMP. */
const UDP_ASK = `python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2); s.connect((sys.argv[1], 9))
s.setsockopt(0 if s.family == socket.AF_INET else 41, 11 if s.family == socket.AF_INET else 25, 1)
s.send(b"x")
try: s.recv(9)
except OSError as e: print("unreachable" if e.errno in (101, 113) else e)
'`;

async function counted(node: WorldNode, family: Family): Promise<TunnelCounters> {
  const found = (await node.agent?.carrier.counters())?.[`ipv${family}`];
  if (found === undefined) throw new Error('no tunnel');
  return found;
}

/** By how much a counter of either family grows while something is done. */
async function grown(
  node: WorldNode,
  counter: keyof TunnelCounters,
  act: () => Promise<void>,
): Promise<number> {
  const total = async () => {
    const found = await Promise.all(FAMILIES.map((family) => counted(node, family)));
    return found.reduce((sum, each) => sum + each[counter], 0);
  };
  const before = await total();
  await act();
  let now = await total();
  for (let i = 0; i < 10 && now === before; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    now = await total();
  }
  return now - before;
}

const SEND = `
import socket, struct, sys
own, to, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((own, port))
data = sys.stdin.buffer.read()
while data:
  (n,) = struct.unpack('!H', data[:2]); s.sendto(data[2:2 + n], (to, 8285)); data = data[2 + n:]
`;

/** Sends datagrams from a node's own address; from the tunnel's port its own process is stopped meanwhile. */
async function send(
  from: WorldNode,
  to: WorldNode,
  family: Family,
  datagrams: readonly Buffer[],
  port = PORT,
): Promise<void> {
  if (port === PORT && from.agent !== undefined) {
    await from.agent[Symbol.asyncDispose]();
    await endTunnel(from.socketPath);
  }
  const input = Buffer.concat(
    datagrams.flatMap((each) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(each.length);
      return [length, each];
    }),
  );
  execFileSync(
    'nsenter',
    [
      `--net=${from.namespace.path}`,
      'python3',
      '-c',
      SEND,
      from.publicIp(family),
      to.publicIp(family),
      String(port),
    ],
    {
      input,
    },
  );
  const [a, b] = nodes();
  if (from === b && from.agent === undefined) await b.start([a]);
}

function droppedAtTheDoor(node: WorldNode, family: Family): number {
  const text = inNamespace(node.namespace.path, 'nft', 'list', 'chain', 'inet', 'poplin-overlay', 'input');
  return Number(new RegExp(`ip${family === 6 ? '6' : ''} saddr .*packets (\\d+)`).exec(text)?.[1] ?? 0);
}

function withByte(packet: Buffer, place: number, value: number): Buffer {
  const copy = Buffer.from(packet);
  copy[place] = value;
  return copy;
}

/** Puts addresses in; the checksums are left, since nothing here looks at them. */
function rewrite(packet: Buffer, family: Family, source: string, destination: string): void {
  const bytes = (address: string) => Buffer.from(parseIp(address) as Uint8Array);
  bytes(source).copy(packet, family === 4 ? 12 : 8);
  bytes(destination).copy(packet, family === 4 ? 16 : 24);
}

/** What the process answers to some bytes. */
async function said(node: WorldNode, text: string): Promise<string> {
  const socket = connect(node.socketPath);
  let answer = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.end(text);
  await new Promise((resolve) => socket.on('close', resolve));
  return answer;
}
