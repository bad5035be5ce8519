/** The client and the registry against Debian's etcd: TLS, passwords, endpoints, kill -9, compaction, expiry, reservations. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type EtcdRegistryOptions, etcdRegistry } from '#app/agent/index.ts';
import { EtcdError, etcdLayout, listRange, subnetKey } from '#core/lease/etcd/index.ts';
import type { RegistryEntry, SubnetLease } from '#core/lease/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { connectEtcd, type EtcdOptions } from '#io/etcd/index.ts';
import { rejectionOf } from '#testing/thrown.ts';
import { EtcdServer, freePort } from './etcd-server.ts';

const layout = etcdLayout();
const CONFIG = '{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}';
const QUICK = { timeout: 30_000, interval: 50 };
const ALL = { key: 'a', end: 'b' };

/** A node whose registry tells what it does. */
class Node implements AsyncDisposable {
  readonly log: string[] = [];
  readonly output: string[] = [];
  readonly entries = new Map<string, RegistryEntry>();
  lease: SubnetLease | undefined;
  private readonly resources = new AsyncDisposableStack();

  async start(etcd: EtcdOptions, name: string, publicIp: string, durationSec = 86_400): Promise<this> {
    const options: EtcdRegistryOptions = {
      etcd,
      clock: systemClock,
      random: systemRandom,
      logger: pino({ level: 'trace' }, { write: (line: string) => void this.output.push(line) }),
    };
    const registry = this.resources.use(etcdRegistry(options));
    const netConf = await registry.netConf(AbortSignal.timeout(20_000));
    const open = registry.open({
      node: name,
      ownerUid: `uid-${name}`,
      netConf,
      offer: { backendType: netConf.backend.type },
      publicIps: { ipv4: publicIp },
      leaseTimes: { durationSec, renewMarginSec: durationSec / 2 },
    });
    this.resources.use(open);
    open.start({
      held: (lease) => {
        this.lease = lease;
        this.log.push(`held ${lease.ipv4?.subnet}`);
      },
      lost: (family) => void this.log.push(`lost ${family}`),
      sync: (entries) => {
        this.log.push('sync');
        this.entries.clear();
        for (const entry of entries) this.entries.set(entry.name, entry);
      },
      upsert: (entry) => void this.entries.set(entry.name, entry),
      remove: (entry) => void this.entries.delete(entry),
      connection: (state) => void this.log.push(state),
    });
    return this;
  }

  get key(): string {
    return subnetKey(layout, { ipv4: this.lease?.ipv4?.subnet ?? '' });
  }

  async held(): Promise<string> {
    await vi.waitFor(() => expect(this.lease).toBeDefined(), QUICK);
    return this.lease?.ipv4?.subnet ?? '';
  }

  /** Names of the keys it knows of. */
  known(): string[] {
    return [...this.entries.keys()].map((name) => name.split(' ')[0] ?? '').toSorted();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resources.disposeAsync();
  }
}

async function keysOf(server: EtcdServer): Promise<string[]> {
  const text = await server.ctl('get', '--prefix', layout.subnets.key, '--keys-only');
  return text.split('\n').filter((line) => line !== '');
}

interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** A certificate that stands for itself, or is signed by another. */
async function identity(name: string, ca?: Identity): Promise<Identity> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: ca === undefined },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
    ...(ca === undefined ? {} : { ca: { cert: ca.cert, key: ca.key } }),
  });
  return { cert, key };
}

describe('etcd with certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-etcd-tls-'));
  const file = (name: string) => join(folder, name);
  let server: EtcdServer;

  beforeAll(async () => {
    const ca = await identity('etcd authority');
    for (const name of ['server', 'client', 'renewed']) {
      const { cert, key } = await identity(name, ca);
      writeFileSync(file(`${name}.crt`), cert);
      writeFileSync(file(`${name}.key`), key);
    }
    writeFileSync(file('ca.crt'), ca.cert);
    const stranger = await identity('another authority');
    writeFileSync(file('stranger.crt'), stranger.cert);
    writeFileSync(file('stranger.key'), stranger.key);
    const tls = { cert: file('server.crt'), key: file('server.key'), ca: file('ca.crt') };
    server = await EtcdServer.start({ tls });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const options = (): EtcdOptions => ({
    endpoints: [server.url],
    caFile: file('ca.crt'),
    certFile: file('client.crt'),
    keyFile: file('client.key'),
  });

  it('serves a node that shows its own and trusts its authority, and nobody else', async () => {
    await server.ctl('put', layout.configKey, CONFIG);
    await using node = await new Node().start(options(), 'a', '192.0.2.1');
    await node.held();
    expect(await keysOf(server)).toEqual([node.key]);
    const wrong: EtcdOptions[] = [
      { endpoints: [server.url] },
      { endpoints: [server.url], caFile: file('ca.crt') },
      { ...options(), caFile: file('stranger.crt') },
      { ...options(), certFile: file('stranger.crt'), keyFile: file('stranger.key') },
    ];
    for (const etcd of wrong) {
      using client = connectEtcd(etcd, { clock: systemClock });
      expect((await rejectionOf(EtcdError, client.range(ALL)))?.failure).toBe('unavailable');
    }
    expect(() => connectEtcd({ ...options(), keyFile: file('server.key') }, { clock: systemClock })).toThrow(
      /etcd certificates .*client\.crt/,
    );
  });

  it('goes on when certificates are renewed in their files, one after the other', async () => {
    const [cert, key] = [file('rotating.crt'), file('rotating.key')];
    copyFileSync(file('client.crt'), cert);
    copyFileSync(file('client.key'), key);
    const warnings: string[] = [];
    const logger = { debug: () => {}, warn: (_: object, text: string) => void warnings.push(text) };
    let now = 0;
    const clock = { ...systemClock, now: () => now };
    using client = connectEtcd({ ...options(), certFile: cert, keyFile: key }, { clock, logger });
    await client.range(ALL);
    copyFileSync(file('renewed.crt'), cert);
    now += 2000;
    await client.range(ALL);
    expect(warnings).toEqual(['etcd certificates cannot be read again: the earlier ones stay in use']);
    copyFileSync(file('renewed.key'), key);
    now += 2000;
    await client.range(ALL);
    expect(warnings).toHaveLength(1);
    writeFileSync(key, 'rubbish');
    now += 2000;
    await client.range(ALL);
    expect(warnings).toHaveLength(2);
  });
});

describe('etcd with passwords', () => {
  it('serves a node whose tokens end, and logs no secret', async () => {
    // a token of simple tokens lives for some seconds here
    await using server = await EtcdServer.start({ args: ['--auth-token-ttl', '2'] });
    await server.ctl('put', layout.configKey, CONFIG);
    await server.ctl('user', 'add', 'root:root-secret');
    await server.ctl('user', 'add', 'flannel:pass-secret');
    await server.ctl('role', 'add', 'flannel');
    await server.ctl(
      'role',
      'grant-permission',
      'flannel',
      'readwrite',
      '--prefix=true',
      `${layout.prefix}/`,
    );
    await server.ctl('user', 'grant-role', 'flannel', 'flannel');
    await server.ctl('user', 'grant-role', 'root', 'root');
    await server.ctl('auth', 'enable');
    const endpoints = [server.url];
    const etcd = { endpoints, username: 'flannel', password: 'pass-secret' };
    await using node = await new Node().start(etcd, 'a', '192.0.2.1', 6);
    await node.held();
    await using other = await new Node().start(etcd, 'b', '192.0.2.2', 6);
    await other.held();
    const before = node.log.length;
    await vi.waitFor(
      () =>
        expect(node.log.slice(before).filter((line) => line.startsWith('held')).length).toBeGreaterThan(2),
      QUICK,
    );
    await vi.waitFor(() => expect(node.known()).toEqual([node.key, other.key].toSorted()), QUICK);
    expect([...node.log, ...other.log].filter((line) => line.startsWith('lost'))).toEqual([]);

    using wrong = connectEtcd({ ...etcd, password: 'guessed-secret' }, { clock: systemClock });
    const refused = await rejectionOf(EtcdError, wrong.range(layout.subnets));
    expect(refused?.failure).toBe('denied');
    using nobody = connectEtcd({ endpoints }, { clock: systemClock });
    expect((await rejectionOf(EtcdError, nobody.range(layout.subnets)))?.failure).toBe('denied');
    using flannel = connectEtcd(etcd, { clock: systemClock });
    expect((await rejectionOf(EtcdError, flannel.range(ALL)))?.failure).toBe('denied');
    expect([...node.output, ...other.output, refused?.message].join()).not.toMatch(/secret/);
  });
});

describe('an etcd that fails', () => {
  it('is left for another endpoint, and a dead one costs nothing afterwards', async () => {
    await using server = await EtcdServer.start();
    const dead = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
    await server.ctl('put', layout.configKey, CONFIG);
    const etcd = { endpoints: [`${dead[0]},${server.url}`, dead[1] ?? ''] };
    await using node = await new Node().start(etcd, 'a', '192.0.2.1');
    await node.held();
    expect(node.output.filter((line) => line.includes('does not answer'))).toHaveLength(1);
    using none = connectEtcd({ endpoints: dead }, { clock: systemClock });
    expect((await rejectionOf(EtcdError, none.range(ALL)))?.message).toMatch(
      /ECONNREFUSED.*; .*ECONNREFUSED/,
    );
  });

  it('that is stopped in its tracks is known by its silence, and whether it did what it was asked is left open', async () => {
    await using server = await EtcdServer.start();
    using client = connectEtcd({ endpoints: [server.url] }, { clock: systemClock, requestTimeoutMs: 300 });
    await client.range(ALL);
    server.signal('SIGSTOP');
    const put = { type: 'put', key: 'a', value: '1' } as const;
    const failure = await rejectionOf(EtcdError, client.txn({ compare: [], success: [put], failure: [] }));
    server.signal('SIGCONT');
    expect(failure).toMatchObject({ failure: 'unavailable', mayBeDone: true });
    const { kvs } = await client.range({ key: 'a' });
    expect(kvs.map(({ modRevision }) => modRevision)).toEqual(kvs.length === 0 ? [] : [2]);
  });

  it('is killed and started again: nothing is lost, and news comes', async () => {
    await using server = await EtcdServer.start();
    await server.ctl('put', layout.configKey, CONFIG);
    const etcd = { endpoints: [server.url] };
    await using node = await new Node().start(etcd, 'a', '192.0.2.1', 20);
    const subnet = await node.held();
    for (let round = 0; round < 2; round++) {
      node.log.length = 0;
      await server.kill();
      await vi.waitFor(() => expect(node.log).toEqual(['down']), QUICK);
      await server.start();
      await vi.waitFor(() => expect(node.log).toContain('up'), QUICK);
      await server.ctl('put', `${layout.subnets.key}10.5.${200 + round}.0-24`, '{"PublicIP":"192.0.2.77"}');
      await vi.waitFor(() => expect(node.entries.size).toBe(2 + round), QUICK);
      expect(node.log.filter((line) => line === 'lost ipv4' || line === 'sync')).toEqual([]);
    }
    await vi.waitFor(() => expect(node.log.some((line) => line.startsWith('held'))).toBe(true), QUICK);
    expect([node.lease?.ipv4?.subnet, await keysOf(server)]).toEqual([
      subnet,
      expect.arrayContaining([node.key]),
    ]);
  });

  it('that lost all it knew is told again, and that a watch waits for a revision of the past', async () => {
    const port = await freePort();
    const peer = await freePort();
    const first = await EtcdServer.start({ port, peerPort: peer });
    await first.ctl('put', layout.configKey, CONFIG);
    await using node = await new Node().start({ endpoints: [first.url] }, 'a', '192.0.2.1');
    const subnet = await node.held();
    for (let index = 0; index < 20; index++) await first.ctl('put', `${layout.subnets.key}x`, String(index));
    await vi.waitFor(() => expect(node.entries.size).toBe(2), QUICK);
    await first[Symbol.asyncDispose]();
    node.log.length = 0;
    await using second = await EtcdServer.start({ port, peerPort: peer });
    await second.ctl('put', layout.configKey, CONFIG);
    await vi.waitFor(async () => expect(await keysOf(second)).toEqual([node.key]), QUICK);
    await vi.waitFor(() => expect(node.known()).toEqual([node.key]), QUICK);
    expect(node.lease?.ipv4?.subnet).toBe(subnet);
    expect(node.log).not.toContain('lost ipv4');
  });

  it('compacts while a node is away: everything is listed anew', async () => {
    await using server = await EtcdServer.start();
    await server.ctl('put', layout.configKey, CONFIG);
    await using node = await new Node().start({ endpoints: [server.url] }, 'a', '192.0.2.1');
    await node.held();
    const gone = `${layout.subnets.key}10.5.240.0-24`;
    await server.ctl('put', gone, '{"PublicIP":"192.0.2.77"}');
    await vi.waitFor(() => expect(node.known()).toContain(gone), QUICK);
    node.log.length = 0;
    await server.kill();
    await vi.waitFor(() => expect(node.log).toEqual(['down']), QUICK);
    await server.start();
    // the node waits before it comes back: in the meantime things happen and are forgotten
    await server.ctl('del', gone);
    await server.ctl('put', `${layout.subnets.key}10.5.241.0-24`, '{"PublicIP":"192.0.2.78"}');
    await server.compact();
    await vi.waitFor(
      () => expect(node.known()).toEqual([node.key, `${layout.subnets.key}10.5.241.0-24`].toSorted()),
      QUICK,
    );
    expect(node.log).not.toContain('lost ipv4');
  });

  it('compacts under a running watch: it goes on', async () => {
    await using server = await EtcdServer.start();
    await server.ctl('put', layout.configKey, CONFIG);
    await using node = await new Node().start({ endpoints: [server.url] }, 'a', '192.0.2.1');
    await node.held();
    for (let index = 1; index <= 5; index++) {
      await server.ctl('put', `${layout.subnets.key}10.5.25${index}.0-24`, '{"PublicIP":"192.0.2.77"}');
      await server.compact();
    }
    await vi.waitFor(() => expect(node.entries.size).toBe(6), QUICK);
    expect(node.log.filter((line) => line === 'down')).toEqual([]);
  });
});

describe('leases in a real etcd', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.start();
    await server.ctl('put', layout.configKey, CONFIG);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const etcd = () => ({ endpoints: [server.url] });

  it('end when their node does, and are renewed while it lives', async () => {
    const short = await new Node().start(etcd(), 'short', '192.0.2.1', 4);
    await using other = await new Node().start(etcd(), 'other', '192.0.2.2', 4);
    await short.held();
    const kept = await other.held();
    await vi.waitFor(() => expect(other.known()).toContain(short.key), QUICK);
    const { key } = short;
    await short[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(other.known()).not.toContain(key), QUICK);
    expect(await keysOf(server)).toEqual([other.key]);
    expect([other.lease?.ipv4?.subnet, other.log.filter((line) => line.startsWith('lost'))]).toEqual([
      kept,
      [],
    ]);
  });

  it('do not come to what is reserved, and a reservation lasts', async () => {
    const key = `${layout.subnets.key}10.5.33.0-24`;
    await server.ctl('put', key, '{"PublicIP":"192.0.2.3","x-rack":7}');
    for (let run = 0; run < 2; run++) {
      await using node = await new Node().start(etcd(), 'c', '192.0.2.3', 2);
      expect(await node.held()).toBe('10.5.33.0/24');
      expect(node.lease?.reserved).toBe(true);
    }
    using client = connectEtcd(etcd(), { clock: systemClock });
    const [kv] = (await listRange(client, { key })).kvs;
    expect(kv?.lease).toBe('0');
    expect(JSON.parse(kv?.value ?? '')).toEqual({
      PublicIP: '192.0.2.3',
      'x-rack': 7,
      BackendType: 'vxlan',
      PoplinOwner: { Node: 'c', UID: 'uid-c' },
    });
  });

  it('go to each of many nodes at once, in IPv4 alone', async () => {
    const begun = performance.now();
    const nodes = await Promise.all(
      Array.from({ length: 60 }, (_, index) => new Node().start(etcd(), `m${index}`, `198.18.1.${index}`)),
    );
    await Promise.all(nodes.map((node) => node.held()));
    process.stdout.write(`60 nodes held their subnets after ${Math.round(performance.now() - begun)} ms\n`);
    expect(new Set(nodes.map((node) => node.lease?.ipv4?.subnet)).size).toBe(60);
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
  });
});
