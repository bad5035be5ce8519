import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KernelObject } from '#core/kernel/index.ts';
import { IS_SOAK } from '#testing/soak.ts';
import { RouteWorld } from './rtnetlink-world.ts';

let world: RouteWorld;

beforeAll(() => {
  world = new RouteWorld();
  world.ip('link', 'set', 'lo', 'up');
  for (const name of ['a', 'b', 'c']) makeVeth(name);
  makeVxlan();
  world.drain();
});
afterAll(() => world[Symbol.dispose]());

/** The far end lives in the other namespace: only the near end is walked. */
function makeVeth(name: string): void {
  attempt([
    'link',
    'add',
    name,
    'mtu',
    '1500',
    'type',
    'veth',
    'peer',
    'name',
    `${name}-peer`,
    'netns',
    world.far.path,
  ]);
  attempt(['link', 'set', name, 'addrgenmode', 'none']);
  attempt(['link', 'set', name, 'up']);
}

function makeVxlan(): void {
  attempt([
    'link',
    'add',
    'vx',
    'type',
    'vxlan',
    'id',
    '7',
    'dstport',
    '4789',
    'local',
    '127.0.0.1',
    'nolearning',
  ]);
  attempt(['link', 'set', 'vx', 'addrgenmode', 'none']);
  attempt(['link', 'set', 'vx', 'up']);
}

const COMMANDS: Readonly<Record<string, string>> = { fdb: 'bridge', qdisc: 'tc', filter: 'tc' };

/** Runs `ip`, `bridge` or `tc`; a step that makes no sense where the walk happens to be may fail. */
function attempt(args: readonly string[]): void {
  try {
    world.run(COMMANDS[args[0] ?? ''] ?? 'ip', ...args);
  } catch {
    // refused by the kernel: the state is what it was
  }
}

/** Without link-local addresses, which the kernel makes and announces when it likes. */
function sorted(state: ReadonlyMap<string, KernelObject>): [string, KernelObject][] {
  return [...state].filter(([key]) => !key.startsWith('address fe80:')).sort(([a], [b]) => (a < b ? -1 : 1));
}

function expectInStep(trail: readonly string[]): void {
  world.drain();
  expect(sorted(world.mirror.state), `after: ${trail.slice(-6).join(' ; ')}`).toEqual(sorted(world.dumped()));
}

const NETS: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3, vx: 4 };
const link = fc.constantFrom('a', 'b', 'c', 'vx');
const family = fc.constantFrom(4, 6);
const net = (of: number, name: string, host: number) =>
  of === 4 ? `10.${NETS[name]}.0.${host}` : `fd0${NETS[name]}::${host}`;
const dst = (of: number, n: number) => (of === 4 ? `10.9.${n}.0/24` : `fd09:${n}::/64`);
const words = (text: string) => text.split(' ');

const steps: readonly fc.Arbitrary<string[]>[] = [
  fc.tuple(link, fc.constantFrom('up', 'up', 'down')).map(([l, to]) => words(`link set ${l} ${to}`)),
  fc
    .tuple(family, link, fc.constantFrom('add', 'add', 'del'), fc.constantFrom(1, 2))
    .map(([f, l, verb, host]) =>
      words(
        `address ${verb} ${net(f, l, host)}/${f === 4 ? 24 : 64} dev ${l}${f === 6 && verb === 'add' ? ' nodad' : ''}`,
      ),
    ),
  fc
    .tuple(family, link, fc.nat(3), fc.constantFrom('112', '113', '4'))
    .map(([f, l, n, protocol]) =>
      words(`-${f} route replace ${dst(f, n)} via ${net(f, l, 9)} dev ${l} onlink proto ${protocol}`),
    ),
  fc
    .tuple(family, link, fc.nat(3))
    .map(([f, l, n]) => words(`-${f} route add ${dst(f, n)} dev ${l} proto 112 metric 7`)),
  fc
    .tuple(family, link, link, fc.nat(3))
    .map(([f, l, m, n]) =>
      words(
        `-${f} route replace ${dst(f, n)} proto 112 nexthop via ${net(f, l, 9)} dev ${l} onlink nexthop via ${net(f, m, 8)} dev ${m} onlink weight 2`,
      ),
    ),
  fc
    .tuple(family, link, link)
    .map(([f, l, m]) =>
      words(
        `-${f} route replace ${dst(f, 8)} via ${net(f, l, 9)} dev ${l} onlink src ${net(f, m, 1)} proto 113`,
      ),
    ),
  fc
    .tuple(family, link)
    .map(([f, l]) => words(`-${f} route replace local ${dst(f, 9)} dev ${l} table 300 proto 112`)),
  fc.tuple(family, fc.nat(3)).map(([f, n]) => words(`-${f} route replace blackhole ${dst(f, n)} proto 112`)),
  fc.tuple(family, fc.nat(3)).map(([f, n]) => words(`-${f} route del ${dst(f, n)}`)),
  fc
    .tuple(family, link, fc.nat(3))
    .map(([f, l, n]) => words(`-${f} route del ${dst(f, n)} via ${net(f, l, 9)} dev ${l}`)),
  fc
    .tuple(family, link, fc.nat(3))
    .map(([f, l, n]) =>
      words(`-${f} route append ${dst(f, n + 20)} via ${net(f, l, 9)} dev ${l} onlink proto 112`),
    )
    .filter((args) => args[0] === '-6'),
  fc
    .tuple(family, link, fc.constantFrom('permanent', 'permanent', 'stale'), fc.constantFrom('112', '4'))
    .map(([f, l, state, protocol]) =>
      words(
        `neigh replace ${net(f, l, 9)} lladdr 02:00:00:00:0${protocol.length}:0${NETS[l]} dev ${l} nud ${state} proto ${protocol}`,
      ),
    ),
  fc.tuple(family, link).map(([f, l]) => words(`neigh del ${net(f, l, 9)} dev ${l}`)),
  fc
    .tuple(fc.constantFrom('replace', 'del'), fc.nat(2), fc.nat(2))
    .map(([verb, mac, n]) => words(`fdb ${verb} 02:00:00:00:00:0${mac} dev vx dst 192.0.2.${n}`)),
  fc
    .tuple(fc.constantFrom('append', 'del'), fc.nat(2))
    .map(([verb, n]) => words(`fdb ${verb} 00:00:00:00:00:00 dev vx dst 192.0.2.${n}`)),
  fc.tuple(link, fc.nat(9)).map(([l, n]) => words(`link set ${l} address 02:00:00:00:01:0${n}`)),
  fc.tuple(link, fc.constantFrom(1000, 1400)).map(([l, mtu]) => words(`link set ${l} mtu ${mtu}`)),
  fc
    .tuple(family, fc.constantFrom('add', 'del'), fc.nat(2))
    .map(([f, verb, n]) => words(`-${f} rule ${verb} pref 10${n} from ${dst(f, n)} lookup 30${n} proto 112`)),
  fc
    .tuple(link, fc.constantFrom('add', 'replace'), fc.constantFrom('1:', '113:'), fc.constantFrom(1, 2))
    .map(([l, verb, handle, rate]) =>
      words(`qdisc ${verb} dev ${l} root handle ${handle} tbf rate ${rate}mbit burst 9kb latency 25ms`),
    ),
  link.map((l) => words(`qdisc replace dev ${l} root handle 7: htb default 1`)),
  link.map((l) => words(`qdisc del dev ${l} root`)),
  fc
    .tuple(link, fc.constantFrom('ingress', 'clsact'))
    .map(([l, kind]) => words(`qdisc add dev ${l} ${kind}`)),
  link.map((l) => words(`qdisc del dev ${l} ingress`)),
  fc
    .tuple(link, link, fc.constantFrom(1, 113), fc.constantFrom('redirect', 'redirect', 'mirror'))
    .map(([l, m, preference, what]) =>
      words(
        `filter add dev ${l} ingress protocol all pref ${preference} u32 match u32 0 0 action mirred egress ${what} dev ${m}`,
      ),
    ),
  fc
    .tuple(link, fc.constantFrom('', ' pref 1', ' pref 113'))
    .map(([l, preference]) => words(`filter del dev ${l} ingress${preference}`)),
  fc.constantFrom('a', 'b', 'c', 'vx').map((l) => words(`remake ${l}`)),
  fc.constantFrom('a', 'b').map((l) => words(`rename ${l}`)),
  fc.constantFrom('0', '1').map((value) => words(`quiet ${value}`)),
];

/** A step, which for some words is more than one command. */
function walk(args: readonly string[]): void {
  const [verb, name = ''] = args;
  if (verb === 'remake') {
    attempt(['link', 'del', name]);
    world.drain();
    if (name === 'vx') makeVxlan();
    else makeVeth(name);
  } else if (verb === 'rename') {
    attempt(['link', 'set', name, 'name', 'renamed']);
    expectInStep([args.join(' ')]);
    attempt(['link', 'set', 'renamed', 'name', name]);
  } else if (verb === 'quiet') {
    world.run('sysctl', '-qw', `net.ipv6.route.skip_notify_on_dev_down=${name}`);
  } else {
    attempt(args);
    // As encode-address.ts does: without it the kernel announces such an address some time later.
    if (args.at(-1) === 'nodad') attempt(args.map((word) => (word === 'add' ? 'change' : word)));
  }
}

test('a mirror that listens is always what a dump shows, wherever the walk leads', {
  timeout: 120_000,
}, () => {
  const count = IS_SOAK ? 10_000 : 500;
  const seed = Number(process.env['POPLIN_SEED'] ?? 7);
  const trail: string[] = [];
  for (const args of fc.sample(fc.oneof(...steps), { numRuns: count, seed })) {
    trail.push(args.join(' '));
    walk(args);
    expectInStep(trail);
  }
});
