/** Thousands of additions at once, of which the kernel's notifications are left out: the state is the kernel's all the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type KernelObject, type KernelOp, keyOf } from '#core/kernel/index.ts';
import { element } from '#core/nft/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { createNamespace, type Namespace, removeNamespace } from '#io/namespace/index.ts';
import { listen } from './heard.ts';
import { inNamespace } from './ip.ts';

const NODES = 2000;
let folder: string;
let path: string;
let namespace: Namespace;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-additions-'));
  path = join(folder, 'net');
  namespace = createNamespace(path);
  const ip = (...args: string[]) => inNamespace(path, 'ip', ...args);
  ip('link', 'add', 'vx0', 'type', 'vxlan', 'id', '1', 'dstport', '8472', 'local', '127.0.0.1');
  ip('link', 'set', 'vx0', 'up');
  ip('address', 'add', '10.0.0.1/32', 'dev', 'vx0');
});

afterEach(() => {
  namespace.close();
  removeNamespace(path);
  rmSync(folder, { recursive: true });
});

function nodesObjects(node: number): KernelObject[] {
  const [high, low] = [node >> 8, node & 255];
  const mac = `02:00:00:00:${high.toString(16).padStart(2, '0')}:${low.toString(16).padStart(2, '0')}`;
  const common = { protocol: 112 } as const;
  const [via4, via6] = [`10.${high + 1}.${low}.0`, `fd00:${(node + 1).toString(16)}::`];
  const hop = (via: string) => [{ via, link: 'vx0', onlink: true }];
  return [
    { kind: 'neighbour', link: 'vx0', address: via4, mac, ...common },
    { kind: 'neighbour', link: 'vx0', address: via6, mac, ...common },
    { kind: 'fdb', link: 'vx0', mac, dst: `127.1.${high}.${low}` },
    { kind: 'route', dst: `${via4}/24`, nextHops: hop(via4), scope: 1 + (node % 199), ...common },
    { kind: 'route', dst: `${via6}/64`, nextHops: hop(via6), ...common },
  ];
}

function additions(): KernelOp[] {
  const objects = Array.from({ length: NODES }, (_, node) => nodesObjects(node)).flat();
  return [0, 1, 2, 3, 4].flatMap((kind) =>
    objects.filter((_, at) => at % 5 === kind).map((object): KernelOp => ({ verb: 'add', object })),
  );
}

const HERE = { family: 'inet', table: 'poplin-overlay' } as const;
const PEERS = { kind: 'nft-set', ...HERE, name: 'peers', keyType: ['ipv4_addr'] } as const;

function elementAdditions(): KernelOp[] {
  const elements = Array.from({ length: NODES }, (_, at) => element(PEERS, [`10.9.${at >> 8}.${at & 255}`]));
  return [{ kind: 'nft-table', family: 'inet', name: HERE.table } as const, PEERS, ...elements].map(
    (object): KernelOp => ({ verb: 'add', object }),
  );
}

/** What a dump shows of routes, neighbours and forwarding entries. */
function dumped(): Map<string, KernelObject> {
  using fresh = RealKernel.open(namespace);
  return carried(fresh);
}

function carried(kernel: RealKernel): Map<string, KernelObject> {
  const kinds = new Set(['route', 'neighbour', 'fdb', 'nft-element']);
  return new Map([...kernel.state()].filter(([, { kind }]) => kinds.has(kind)).sort());
}

test('are all there afterwards, as a dump shows them, and nobody is told', async () => {
  const { kernel, heard } = listen(namespace);
  const ops = [...additions(), ...elementAdditions()];
  expect(await kernel.apply(ops)).toMatchObject({ applied: ops.length, failures: [] });
  const state = carried(kernel);
  expect(state).toEqual(dumped());
  for (const { object } of ops) expect(kernel.state().has(keyOf(object))).toBe(true);
  expect([...heard.keys].filter((key) => state.has(key))).toEqual([]);
});

test('lead to no notifications: a buffer for a few is enough', async () => {
  const { kernel, heard } = listen(namespace, { receiveBufferBytes: 16 * 1024 });
  const ops = additions();
  expect(await kernel.apply(ops)).toMatchObject({ failures: [] });
  expect(carried(kernel)).toEqual(dumped());
  expect(heard.resyncs).toBe(0);
});

test('are shown where the kernel took them, and what is refused is not', async () => {
  inNamespace(path, 'ip', 'route', 'add', '10.1.7.0/24', 'dev', 'vx0', 'protocol', '99');
  const { kernel } = listen(namespace);
  const { failures } = await kernel.apply(additions());
  expect(failures.map(({ code, op }) => [code, keyOf(op.object)])).toEqual([
    ['EEXIST', 'route 10.1.7.0/24 table 254 metric 0'],
  ]);
  expect(carried(kernel)).toEqual(dumped());
});

test('of elements come between what others do before and after', async () => {
  const { kernel, heard } = listen(namespace);
  const [table, set, ...elements] = elementAdditions() as [KernelOp, KernelOp, ...KernelOp[]];
  await kernel.apply([table, set]);
  for (let round = 0; round < 5; round++) {
    const lines = [0, 1, 2, 3].flatMap((step) => [
      `flush set ${HERE.family} ${HERE.table} ${PEERS.name}`,
      `add element ${HERE.family} ${HERE.table} ${PEERS.name} { 10.9.0.${round * 4 + step}, 10.8.0.${step} }`,
    ]);
    const others = spawn('bash', ['-c', EACH_LINE, path, ...lines], { stdio: 'ignore' });
    const gone = once(others, 'exit');
    expect(await kernel.apply(elements)).toMatchObject({ failures: [] });
    await gone;
    const state = carried(kernel);
    expect(state).toEqual(dumped());
    await Promise.resolve();
    const lost = elements.filter(({ object }) => !state.has(keyOf(object)));
    for (const { object } of lost) expect(heard.keys).toContain(keyOf(object));
  }
});

/** Each line is a transaction of its own. */
const EACH_LINE = 'for line in "$@"; do nsenter "--net=$0" nft "$line"; done';

const DISTURBANCES: Readonly<Record<string, (round: number) => string[]>> = {
  'removes some': (round) =>
    Array.from({ length: 400 }, (_, step) => (step * 37 + round * 5) % NODES).flatMap((node) => [
      `route del 10.${(node >> 8) + 1}.${node & 255}.0/24`,
      `neigh del 10.${(node >> 8) + 1}.${node & 255}.0 dev vx0`,
      `-6 route del fd00:${(node + 1).toString(16)}::/64`,
    ]),
  'replaces some': (round) =>
    Array.from({ length: 400 }, (_, step) => (step * 41 + round * 3) % NODES).flatMap((node) => [
      `route replace 10.${(node >> 8) + 1}.${node & 255}.0/24 dev vx0 protocol ${node % 2 === 0 ? 112 : 99}`,
      `neigh replace 10.${(node >> 8) + 1}.${node & 255}.0 lladdr 02:00:00:00:99:99 dev vx0 nud permanent`,
    ]),
  'takes the link down and up': () => ['link set vx0 down', 'link set vx0 up'],
  'takes the last address away': () => ['address flush dev vx0', 'address add 10.0.0.1/32 dev vx0'],
  'renames the link': () => ['link set vx0 name vx1', 'link set vx1 name vx0'],
};

test('of forwarding entries are not heard of, and what others do to them meanwhile is in the state at the end', async () => {
  const { kernel, heard } = listen(namespace);
  const macOf = (node: number) =>
    `02:00:00:00:${(node >> 8).toString(16).padStart(2, '0')}:${(node & 255).toString(16).padStart(2, '0')}`;
  const entries = additions().filter(({ object }) => object.kind === 'fdb');
  for (let round = 0; round < 3; round++) {
    const batch = join(folder, 'entries');
    const lines = Array.from({ length: 600 }, (_, step) => (step * 37 + round) % NODES).map((node, at) =>
      at % 2 === 0
        ? `fdb del ${macOf(node)} dev vx0 self`
        : `fdb replace ${macOf(node)} dev vx0 dst 127.9.9.9 self permanent`,
    );
    writeFileSync(batch, lines.join('\n'));
    const others = spawn('nsenter', [`--net=${path}`, 'bridge', '-force', '-batch', batch], {
      stdio: 'ignore',
    });
    const gone = once(others, 'exit');
    const { failures } = await kernel.apply(entries);
    await gone;
    const state = carried(kernel);
    expect(state).toEqual(dumped());
    await Promise.resolve();
    const refused = new Set(failures.map(({ op }) => op));
    for (const { object, ...op } of entries.filter((each) => !refused.has(each))) {
      const found = state.get(keyOf(object));
      const isAsAsked = JSON.stringify(found) === JSON.stringify(object);
      if (!isAsAsked) expect(heard.keys, `${op.verb} ${keyOf(object)}`).toContain(keyOf(object));
    }
  }
  expect(heard.resyncs).toBe(0);
});

test('of routes alone hide nothing of what others do to forwarding entries meanwhile', async () => {
  const { kernel, heard } = listen(namespace);
  const entry = { kind: 'fdb', link: 'vx0', mac: '02:00:00:00:77:01', dst: '127.7.7.7' } as const;
  const batch = join(folder, 'entries');
  const lines = ['add', 'replace'].map(
    (verb, at) => `fdb ${verb} ${entry.mac} dev vx0 dst 127.7.7.${6 + at} self permanent`,
  );
  writeFileSync(batch, lines.join('\n'));
  const routes = additions().filter(({ object }) => object.kind === 'route');
  const applied = kernel.apply(routes);
  // The first request is under way, and nothing of the kernel's is heard before this process has a turn.
  await Promise.resolve();
  inNamespace(path, 'bridge', '-batch', batch);
  expect(await applied).toMatchObject({ failures: [] });
  expect(kernel.state().get(keyOf(entry))).toEqual(entry);
  expect(carried(kernel)).toEqual(dumped());
  await Promise.resolve();
  expect(heard.keys).toContain(keyOf(entry));
});

test.each(Object.entries(DISTURBANCES))(
  'somebody else who %s meanwhile is heard',
  async (_name, commands) => {
    const { kernel, heard } = listen(namespace);
    const batch = join(folder, 'batch');
    const lines = Array.from({ length: 8 }, (_, round) => commands(round)).flat();
    writeFileSync(batch, lines.join('\n'));
    const others = spawn('nsenter', [`--net=${path}`, 'ip', '-force', '-batch', batch], { stdio: 'ignore' });
    const gone = once(others, 'exit');
    const ops = additions();
    const { failures } = await kernel.apply(ops);
    await gone;
    const [state, truth] = [carried(kernel), dumped()];
    expect(state).toEqual(truth);
    await Promise.resolve();
    const refused = new Set(failures.map(({ op }) => op));
    const lost = ops.filter((op) => !refused.has(op) && !state.has(keyOf(op.object)));
    for (const { object } of lost) expect(heard.keys).toContain(keyOf(object));
  },
  60_000,
);
