import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LoggedPacket } from '#core/netlink/log/index.ts';
import { PolicyCluster } from '#core/policy/index.ts';
import { type DnsRecordWish, dnsAnswer } from '#testing/dns-packet.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { SimClock } from '#testing/sim-clock.ts';
import { PolicyNames } from './names.ts';

const POD = 'pod shop/web';
type Sink = Parameters<ConstructorParameters<typeof PolicyNames>[0]['openAnswers']>[0];

let folder: string;
let clock: SimClock;
let cluster: PolicyCluster;
let sink: Sink | undefined;
/** Why the log cannot be opened. */
let refusal: string | undefined;
let carried: number;
const opened: PolicyNames[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dns-names-'));
  clock = new SimClock();
  [sink, refusal, carried] = [undefined, undefined, 0];
  cluster = new PolicyCluster();
  cluster.upsert({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { nodeName: 'a' },
    status: { podIPs: [{ ip: '10.0.0.1' }] },
  });
  cluster.attach(POD, ['10.0.0.1/32']);
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const file = () => join(folder, 'names');

function open(): PolicyNames {
  const names: PolicyNames = new PolicyNames({
    graph: cluster.graph,
    file: file(),
    terms: { floorSec: 10, extraSec: 5, formerSec: 100 },
    openAnswers: (to) => {
      if (refusal !== undefined) throw new Error(refusal);
      sink = to;
      return { [Symbol.dispose]: () => (sink = undefined) };
    },
    onChanged: () => {
      carried++;
      deltaAddresses();
      names.follow();
    },
    clock,
    logger: pino({ level: 'silent' }),
  });
  opened.push(names);
  names.restore();
  deltaAddresses();
  names.follow();
  return names;
}

const speakOf = (...domainNames: readonly string[]) =>
  cluster.upsert({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'out' },
    spec: {
      tier: 'Admin',
      priority: 1,
      subject: { namespaces: {} },
      egress: [{ name: 'names', action: 'Accept', to: [{ domainNames }] }],
    },
  });

/** What the deltas say of the set of names, all in all. */
let set: Set<string> = new Set();
function deltaAddresses(): void {
  const { sets, dropped } = cluster.graph.takeDelta();
  for (const [id, { set: of, added, removed }] of sets) {
    if (of.kind !== 'domains' || dropped.has(id)) continue;
    for (const each of removed) if ('net' in each) set.delete(each.net);
    for (const each of added) if ('net' in each) set.add(each.net);
  }
}
beforeEach(() => {
  set = new Set();
});

function logged(payload: Uint8Array): LoggedPacket {
  return { group: 113, prefix: '', payload, mark: 0 };
}

function answered(question: string, ...records: readonly DnsRecordWish[]): void {
  const flow = {
    source: '10.0.0.9',
    destination: '10.0.0.1',
    protocol: 17,
    sourcePort: 53,
    destinationPort: 5,
  };
  const packet = packetOf(flow, { payload: dnsAnswer({ question, records }) });
  sink?.onPackets([logged(packet)]);
}

const advance = (sec: number) => clock.advance(sec * 1000);
/** Until the file says so. */
const kept = (text: string) =>
  vi.waitUntil(() => existsSync(file()) && readFileSync(file(), 'utf8').includes(text), { interval: 5 });

test('answers are listened to while policies speak of names', () => {
  const names = open();
  expect(sink).toBeUndefined();
  speakOf('*.example.com');
  deltaAddresses();
  names.follow();
  expect(sink).toBeDefined();
  cluster.removeKey('policy.networking.k8s.io ClusterNetworkPolicy /out');
  deltaAddresses();
  names.follow();
  expect(sink).toBeUndefined();
});

describe('while a policy speaks of names', () => {
  beforeEach(() => speakOf('*.example.com'));

  test('an address is in the set as soon as an answer says it, and as long as that counts', () => {
    const names = open();
    answered(
      'a.b.example.com',
      { name: 'a.b.example.com', target: 'cdn.example.net', ttlSec: 60 },
      { name: 'cdn.example.net', address: '192.0.2.1', ttlSec: 20 },
      { name: 'cdn.example.net', address: '2001:db8::1', ttlSec: 40 },
    );
    expect([...set]).toEqual(['192.0.2.1/32', '2001:db8::1/128']);
    expect([carried, names.status()]).toEqual([1, { known: 1, lost: 0 }]);
    advance(24);
    expect(set.size).toBe(2);
    advance(1);
    expect([...set]).toEqual(['2001:db8::1/128']);
    advance(20);
    expect(set.size).toBe(0);
    // Long after it is not even known that they were.
    advance(200);
    expect(names.status().known).toBe(0);
  });

  test('names that no policy speaks of, and what is no answer, are nothing', () => {
    open();
    answered('example.com', { name: 'example.com', address: '192.0.2.1' });
    sink?.onPackets([logged(Uint8Array.of(0x45, 0, 1)), logged(new Uint8Array(0))]);
    expect([set.size, carried]).toEqual([0, 0]);
  });

  test('what was seen is on disk soon, and counts in an agent that starts anew', async () => {
    open();
    answered('a.example.com', { name: 'a.example.com', address: '192.0.2.1', ttlSec: 60 });
    advance(2);
    await kept('192.0.2.1');
    cluster.graph.removeDomain('a.example.com');
    deltaAddresses();
    expect(set.size).toBe(0);
    const again = open();
    expect([...set]).toEqual(['192.0.2.1/32']);
    expect(again.status().known).toBe(1);
    advance(63);
    expect(set.size).toBe(0);
  });

  test('what was seen just before the end is on disk, too', async () => {
    const names = open();
    answered('a.example.com', { name: 'a.example.com', address: '192.0.2.1' });
    await names[Symbol.asyncDispose]();
    await kept('192.0.2.1');
    expect(sink).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['nothing', ''],
    ['another JSON', '[]'],
    ['addresses that are none', '{"keptMs":1,"names":[["a.example.com",[["1.2.3",99999999999]]]]}'],
    ['half of it', '{"keptMs":1,"names":[["a.exam'],
  ])('a file with %s is as none', (_, text) => {
    writeFileSync(file(), text);
    expect(open().status().known).toBe(0);
    answered('a.example.com', { name: 'a.example.com', address: '192.0.2.1' });
    expect(set.size).toBe(1);
  });

  test('where another listens, that is said, and tried again', () => {
    refusal = 'another process listens to it';
    const names = open();
    expect(names.problemTexts()).toEqual([
      'answers for domainNames are not seen: another process listens to it',
    ]);
    refusal = undefined;
    advance(5);
    expect([sink === undefined, names.problemTexts()]).toEqual([false, []]);
    sink?.onError(new Error('gone'));
    expect(names.problemTexts()).toEqual(['answers for domainNames are not seen: gone']);
    advance(5);
    expect(names.problemTexts()).toEqual([]);
    sink?.onLost(7);
    expect(names.status().lost).toBe(7);
  });

  test('a disk that refuses is said, and nothing else ends', async () => {
    const names = open();
    rmSync(folder, { recursive: true });
    answered('a.example.com', { name: 'a.example.com', address: '192.0.2.1' });
    advance(2);
    await vi.waitUntil(() => names.problemTexts().length > 0, { interval: 5 });
    expect(names.problemTexts()[0]).toContain('addresses of domainNames are not kept on disk: ENOENT');
    expect(set.size).toBe(1);
    mkdirSync(folder);
    advance(60);
    await kept('192.0.2.1');
    await vi.waitUntil(() => names.problemTexts().length === 0, { interval: 5 });
  });
});
