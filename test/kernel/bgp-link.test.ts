/** Speakers that find each other at the ends of a link: whatever becomes of the link, and with more on it than two. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, expect, test, vi } from 'vitest';
import type { ServiceEvent } from '#app/bgp/service/model.ts';
import { BgpService } from '#app/bgp/service/service.ts';
import { parseSpeakerFile } from '#app/bgp/speaker-file.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { BgpLan } from '../interop/bgp/lan.ts';

const NAMES = ['left', 'right', 'third'] as const;
type Name = (typeof NAMES)[number];
const WAIT = { timeout: 30_000, interval: 20 };
const lan = new BgpLan(...NAMES);
afterAll(() => lan[Symbol.dispose]());

/** A speaker's file with one neighbour. */
function setupOn(name: Name, neighbor: object) {
  const number = NAMES.indexOf(name) + 1;
  const file = {
    asn: asnOf(name),
    routerId: `10.0.0.${number}`,
    routes: [`10.${number}.0.0/16`, `fd0${number}::/64`],
    neighbors: [{ name: 'other', connectRetrySec: 0.2, ...neighbor }],
  };
  return parseSpeakerFile(JSON.stringify(file), name);
}

function asnOf(name: Name): number {
  return 65_001 + NAMES.indexOf(name);
}

function serviceOn(name: Name, link: string, more: object = {}): BgpService {
  return new BgpService(setupOn(name, { interface: link, asn: 'external', ...more }), {
    clock: systemClock,
    random: systemRandom,
    namespace: lan.node(name).namespace,
  });
}

const stateOf = (service: BgpService) => {
  const [neighbor] = service.neighbors();
  return [neighbor?.isUp, ...(neighbor?.families.map(({ learned }) => learned) ?? [])];
};

function lay(): void {
  const { path } = lan.node('right').namespace;
  lan.ip('left', `link add cable type veth peer name cable netns ${path}`, 'link set cable up');
  lan.ip('right', 'link set cable up');
}

test.each([
  ['both connect', {}, {}],
  ['one waits', { passive: true }, {}],
])(
  'a link need not be there yet, may go, and may be another of the same name: %s',
  async (_name, ours, theirs) => {
    await using left = serviceOn('left', 'cable', ours);
    await using right = serviceOn('right', 'cable', theirs);
    expect(left.neighbors()[0]).toMatchObject({ phase: 'idle', lastReason: 'there is no link cable' });
    expect(left.neighbors()[0]).not.toHaveProperty('address');
    for (let round = 0; round < 2; round++) {
      lay();
      for (const service of [left, right])
        await vi.waitFor(() => expect(stateOf(service)).toEqual([true, 1, 1]), WAIT);
      expect(left.neighbors()[0]?.address).toMatch(/^fe80::[\da-f:]+%cable$/);
      lan.ip('left', 'link del cable');
      for (const service of [left, right])
        await vi.waitFor(() => expect(stateOf(service)).toEqual([false, 0, 0]), WAIT);
      expect(left.neighbors()[0]).toMatchObject({ lastReason: 'there is no link cable', flaps: round + 1 });
    }
  },
);

test('several on one link are told of, and can be told apart by their addresses', async () => {
  const faults: string[] = [];
  const hear = (event: ServiceEvent): void => {
    if (event.type === 'fault') faults.push(event.text);
  };
  // Who has no session listens to the one that was heard last, and these have none with each other.
  const nobody = { asn: 64_999 };
  await using left = serviceOn('left', 'eth0', nobody);
  await using _right = serviceOn('right', 'eth0', nobody);
  await using third = serviceOn('third', 'eth0', nobody);
  using _watch = left.watch(hear);
  const addresses = [await lan.linkLocal('right'), await lan.linkLocal('third')].toSorted();
  await vi.waitFor(
    () =>
      expect(faults).toContain(
        `${addresses.join(' and ')} are routers on link eth0, where there is to be one: name the neighbor's address`,
      ),
    WAIT,
  );
  const addressOf = async (name: Name) => `${await lan.linkLocal(name)}%eth0`;
  left.configure(setupOn('left', { address: await addressOf('third'), asn: asnOf('third') }));
  third.configure(setupOn('third', { address: await addressOf('left'), asn: asnOf('left') }));
  for (const service of [left, third])
    await vi.waitFor(() => expect(stateOf(service)).toEqual([true, 1, 1]), WAIT);
});

/** Connections that a node has turned away. */
function refusals(name: Name): number {
  return Number(/TcpOutRsts\s+(\d+)/.exec(lan.run(name, 'nstat', '-asz', 'TcpOutRsts'))?.[1]);
}

/** A router advertisement from a node's own address, as Python sends one, with a hop limit. */
const ADVERTISE = `
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, int(sys.argv[1]))
s.bind((sys.argv[2], 0, 0, socket.if_nametoindex('eth0')))
s.sendto(bytes([134, 0]) + bytes(14), ('ff02::1', 0, 0, socket.if_nametoindex('eth0')))
`;

/** Meanwhile the speaker goes on, and does what it would on hearing it. */
async function advertise(name: Name, hopLimit: string, from: string): Promise<void> {
  const { path } = lan.node(name).namespace;
  await promisify(execFile)('nsenter', [`--net=${path}`, 'python3', '-c', ADVERTISE, hopLimit, from]);
}

test('advertisements that may have crossed a router are not heard, others of any router are', async () => {
  await using left = serviceOn('left', 'eth0');
  const [first, second] = [await lan.linkLocal('right'), await lan.linkLocal('third')];
  expect(left.neighbors()[0]?.lastReason).toBe('no router is heard on link eth0');
  const before = { right: refusals('right'), third: refusals('third') };
  await advertise('right', '254', first);
  await advertise('third', '255', second);
  // Nobody listens there, and that is said to whoever tries.
  await vi.waitFor(() => expect(refusals('third')).toBeGreaterThan(before.third), WAIT);
  expect(refusals('right')).toBe(before.right);
});
