import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etcdLayout, subnetKey } from '#core/lease/etcd/index.ts';
import type { LeaseRegistry, NetConf, RegistryEntry, SubnetLease } from '#core/lease/index.ts';
import { parseNetConf } from '#core/lease/index.ts';
import { FakeEtcd } from '#testing/fake-etcd/index.ts';
import { SimClock } from '#testing/sim-clock.ts';
import { type EtcdRegistry, etcdRegistry } from './etcd.ts';
import type { EtcdOpenOptions } from './etcd-keeper.ts';
import { COLLECT_MS } from './source.ts';

const layout = etcdLayout();
const key = (ipv4?: string, ipv6?: string) =>
  subnetKey(layout, { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) });

const V4 = { Network: '10.5.0.0/16', Backend: { Type: 'vxlan' } };
const DUAL = { ...V4, EnableIPv6: true, IPv6Network: 'fd00:5::/48' };
const V6 = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:5::/48', Backend: { Type: 'host-gw' } };
/** Four subnets. */
const SMALL = {
  Network: '10.5.0.0/22',
  SubnetMin: '10.5.0.0',
  SubnetMax: '10.5.3.0',
  Backend: { Type: 'vxlan' },
};

function netConf(config: object): NetConf {
  const result = parseNetConf(JSON.stringify(config), 'test');
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.value;
}

/** A node and what its registry has told. */
class Node implements AsyncDisposable {
  readonly log: string[] = [];
  readonly entries = new Map<string, RegistryEntry>();
  readonly registry: EtcdRegistry;
  lease: SubnetLease | undefined;
  reachable = true;
  /** Its watches fail, its calls do not. */
  deaf = false;
  /** How long after a change each watch may collect what comes, milliseconds. */
  readonly paces: (number | undefined)[] = [];
  open: LeaseRegistry & { offer: (offer: EtcdOpenOptions['offer']) => void };

  constructor(world: World, index: number, config: object, more: Partial<EtcdOpenOptions> = {}) {
    let seed = index + 1;
    const { clock, etcd } = world;
    this.registry = etcdRegistry({
      etcd: { endpoints: [] },
      client: {
        ...etcd.client(() => this.reachable),
        watch: (request, options) => {
          this.paces.push(options.collectMs);
          return etcd.client(() => this.reachable && !this.deaf).watch(request, options);
        },
      },
      clock,
      elapsedMs: () => clock.now(),
      random: () => {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
        return seed / 2 ** 32;
      },
      logger: pino({ level: 'silent' }),
    });
    this.open = this.registry.open({
      node: `node-${index}`,
      ownerUid: `uid-${index}`,
      netConf: netConf(config),
      offer: {
        backendType: 'vxlan',
        ipv4: { backendData: { VNI: 1, VtepMAC: '02:00:00:00:00:04' } },
        ipv6: { backendData: { VNI: 1, VtepMAC: '02:00:00:00:00:06' } },
      },
      publicIps: { ipv4: `192.0.2.${index}`, ipv6: `2001:db8::${index}` },
      ...more,
    });
    this.open.start({
      held: (lease) => {
        this.lease = lease;
        this.log.push(`held ${[lease.ipv4?.subnet, lease.ipv6?.subnet].filter(Boolean).join(' ')}`);
      },
      lost: (family) => void this.log.push(`lost ${family}`),
      sync: (entries) => {
        this.entries.clear();
        for (const entry of entries) this.entries.set(entry.name, entry);
      },
      upsert: (entry) => void this.entries.set(entry.name, entry),
      remove: (name) => void this.entries.delete(name),
      connection: (state) => void this.log.push(state),
    });
  }

  get subnet(): string {
    return this.lease?.ipv4?.subnet ?? '';
  }

  get key(): string {
    return key(this.lease?.ipv4?.subnet, this.lease?.ipv6?.subnet);
  }

  news(): string[] {
    return this.log.splice(0);
  }

  async [Symbol.asyncDispose]() {
    await this.open[Symbol.asyncDispose]();
    this.registry[Symbol.dispose]();
  }
}

class World implements AsyncDisposable {
  readonly clock = new SimClock();
  readonly etcd = new FakeEtcd(this.clock);
  readonly nodes: Node[] = [];

  async node(index: number, config: object = V4, more: Partial<EtcdOpenOptions> = {}): Promise<Node> {
    if (this.value(layout.configKey) === undefined) this.etcd.put(layout.configKey, JSON.stringify(config));
    const node = new Node(this, index, config, more);
    this.nodes.push(node);
    await this.pass(0);
    return node;
  }

  async stop(node: Node): Promise<void> {
    await node[Symbol.asyncDispose]();
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  async pass(seconds: number): Promise<void> {
    for (let turn = 0; turn < 8; turn++) await this.clock.advanceAsync(0);
    await this.clock.advanceAsync(seconds * 1000);
    for (let turn = 0; turn < 8; turn++) await this.clock.advanceAsync(0);
  }

  /** As a flannel node does: a lease, and its key written with it whatever is there. */
  async flannel(name: string, publicIp: string, more: object = {}): Promise<void> {
    const { lease } = await this.etcd.client().grant(86_400);
    this.etcd.put(
      name,
      JSON.stringify({ PublicIP: publicIp, PublicIPv6: null, BackendType: 'vxlan', ...more }),
      lease,
    );
  }

  value(name: string): unknown {
    const found = this.etcd.entries().find(([key]) => key === name);
    return found && JSON.parse(found[1]);
  }

  leaseOf(name: string): string | undefined {
    return this.etcd.entries().find(([key]) => key === name)?.[2];
  }

  async [Symbol.asyncDispose]() {
    for (const node of [...this.nodes]) await this.stop(node);
    expect(this.etcd.openWatches).toBe(0);
    expect(this.clock.pending - this.etcd.leases.length).toBe(0);
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world[Symbol.asyncDispose]());

describe('a lease in etcd', () => {
  it('and the configuration are followed in groups: nobody waits for a single change', async () => {
    const { paces } = await world.node(1);
    expect(paces).toEqual([COLLECT_MS, COLLECT_MS]);
  });

  it('is acquired as flannel writes it, with an owner, and shown to the others', async () => {
    const [a, b] = [await world.node(1), await world.node(2)];
    expect(a.news().toSorted()).toEqual([expect.stringMatching(/^held 10\.5\.\d+\.0\/24$/), 'up']);
    expect(world.value(a.key)).toEqual({
      PublicIP: '192.0.2.1',
      PublicIPv6: null,
      BackendType: 'vxlan',
      BackendData: { VNI: 1, VtepMAC: '02:00:00:00:00:04' },
      PoplinOwner: { Node: 'node-1', UID: 'uid-1' },
    });
    expect(world.leaseOf(a.key)).not.toBe('0');
    expect(a.entries.get(`${b.key} ipv4`)).toMatchObject({
      own: false,
      record: { subnet: b.subnet, node: 'node-2', ownerUid: 'uid-2', publicIp: '192.0.2.2', family: 4 },
    });
    expect(a.entries.get(`${a.key} ipv4`)).toMatchObject({ own: true });
    expect(a.lease).toMatchObject({
      node: 'node-1',
      ownerUid: 'uid-1',
      durationSec: 86_400,
      reserved: false,
    });
  });

  it('covers both families in one key, and IPv6 alone in a key with zeros', async () => {
    const dual = await world.node(1, DUAL);
    const { ipv4, ipv6 } = dual.lease ?? {};
    expect(world.value(key(ipv4?.subnet, ipv6?.subnet))).toMatchObject({
      PublicIP: '192.0.2.1',
      PublicIPv6: '2001:db8::1',
      BackendV6Data: { VtepMAC: '02:00:00:00:00:06' },
    });
    expect([...dual.entries.keys()]).toEqual([`${dual.key} ipv4`, `${dual.key} ipv6`]);
    await world.stop(dual);
    const single = await world.node(2, V6);
    expect(single.key).toMatch(/subnets\/0\.0\.0\.0-0&fd00:5:/);
    expect(world.value(single.key)).toMatchObject({ PublicIP: '0.0.0.0', PublicIPv6: '2001:db8::2' });
  });

  it('is what the node had before: its own key, else the subnet it remembers, else any', async () => {
    const first = await world.node(1);
    const { key: kept, subnet } = first;
    await world.stop(first);
    const second = await world.node(1, V4, { previous: { ipv4: '10.5.77.0/24' } });
    expect([second.key, second.subnet]).toEqual([kept, subnet]);
    await world.stop(second);
    world.etcd.delete(kept);
    const third = await world.node(1, V4, { previous: { ipv4: '10.5.77.0/24' } });
    expect(third.subnet).toBe('10.5.77.0/24');
    const other = await world.node(2, V4, { previous: { ipv4: '10.5.77.0/24' } });
    expect(other.subnet).not.toBe('10.5.77.0/24');
    const outside = await world.node(3, V4, { previous: { ipv4: '10.6.0.0/24' } });
    expect(outside.subnet).toMatch(/^10\.5\./);
  });

  it("is taken over from this host's flannel, with what others wrote into it", async () => {
    const name = key('10.5.52.0/24');
    await world.flannel(name, '192.0.2.1', { 'x-site': 'rack 7' });
    const flannels = world.leaseOf(name);
    const node = await world.node(1);
    expect(node.subnet).toBe('10.5.52.0/24');
    expect(world.value(name)).toMatchObject({ 'x-site': 'rack 7', PoplinOwner: { Node: 'node-1' } });
    expect(world.leaseOf(name)).not.toBe(flannels);
    expect(world.etcd.leases).toContain(flannels);
  });

  it('is given up where it does not fit the network any more, and another made in one step', async () => {
    const old = await world.node(1, { ...V4, SubnetLen: 26 });
    const { key: oldKey } = old;
    await world.stop(old);
    const node = await world.node(1);
    expect(node.subnet).toMatch(/\/24$/);
    expect(world.value(oldKey)).toBeUndefined();
    const { key: v4Key, subnet } = node;
    await world.stop(node);
    const dual = await world.node(1, DUAL, { previous: { ipv4: subnet } });
    expect(dual.subnet).toBe(subnet);
    expect(dual.lease?.ipv6?.subnet).toMatch(/^fd00:5:/);
    expect(world.value(v4Key)).toBeUndefined();
  });

  it('is renewed before it ends, on and on, with one lease at a time', async () => {
    const node = await world.node(1);
    const { key: name } = node;
    const seen = new Set<string | undefined>();
    await world.pass(60);
    for (let day = 0; day < 5; day++) {
      const before = world.leaseOf(name);
      await world.pass(23 * 3600 - 120);
      expect(world.leaseOf(name)).toBe(before);
      await world.pass(120);
      seen.add(world.leaseOf(name));
      expect(world.leaseOf(name)).not.toBe(before);
      expect(world.etcd.leases).toEqual([world.leaseOf(name)]);
    }
    expect(seen.size).toBe(5);
    expect(node.news().filter((line) => line.startsWith('lost'))).toEqual([]);
  });

  it('never writes over another owner', async () => {
    const node = await world.node(1);
    const { key: name, subnet } = node;
    node.reachable = false;
    world.etcd.endWatches();
    await world.pass(86_500);
    expect(world.value(name)).toBeUndefined();
    const other = await world.node(2, V4, { previous: { ipv4: subnet } });
    expect(other.subnet).toBe(subnet);
    const theirs = world.value(name);
    expect(node.news()).not.toContain('lost ipv4');
    expect(node.open.problemTexts()).toContainEqual(
      expect.stringContaining('stays in use until etcd says otherwise'),
    );
    node.reachable = true;
    await world.pass(60);
    expect(world.value(name)).toEqual(theirs);
    expect(node.news()).toEqual(['up', 'lost ipv4', `held ${node.subnet}`]);
    expect(node.subnet).not.toBe(subnet);
    expect(node.open.problemTexts()).toEqual([]);
  });

  it('stays in use through an outage, and is renewed after it', async () => {
    const node = await world.node(1);
    const { key: name } = node;
    node.news();
    await world.pass(22 * 3600);
    world.etcd.outage('down');
    await world.pass(90 * 60);
    expect(node.news()).toEqual(['down']);
    expect(node.open.problemTexts()).toContainEqual(expect.stringMatching(/^etcd: /));
    world.etcd.outage('up');
    const before = world.leaseOf(name);
    await world.pass(60);
    expect(world.leaseOf(name)).not.toBe(before);
    expect(node.news()).toEqual(['up', `held ${node.subnet}`]);
    expect(node.open.problemTexts()).toEqual([]);
  });

  it('and all others are known at the first answer after an outage in which history was forgotten', async () => {
    for (let index = 1; index <= 8; index++) await world.node(index);
    world.etcd.outage('down');
    await world.pass(30 * 60);
    const name = key('10.5.250.0/24');
    world.etcd.put(name, '{"PublicIP":"192.0.2.99"}');
    world.etcd.compact();
    world.etcd.outage('up');
    // The longest that anybody waits before it asks again.
    await world.pass(30);
    expect(world.nodes.filter((node) => !node.entries.has(`${name} ipv4`))).toEqual([]);
  });

  it('that was written over or ended unseen is found out when it is renewed', async () => {
    const [a, b] = [await world.node(1), await world.node(2)];
    const { key: name, subnet } = a;
    // the watch stays away, and calls come through
    a.deaf = true;
    world.etcd.endWatches();
    await world.pass(60);
    world.etcd.put(name, '{"PublicIP":"192.0.2.99"}');
    const { key: other, subnet: ended } = b;
    b.deaf = true;
    world.etcd.delete(other);
    await world.pass(86_400);
    expect(a.subnet).not.toBe(subnet);
    expect(world.value(name)).toEqual({ PublicIP: '192.0.2.99' });
    expect([b.subnet, world.value(other)]).toEqual([ended, expect.anything()]);
  });

  it.each(['revoked', 'deleted'])('that is %s is made again while it is free', async (how) => {
    const node = await world.node(1);
    const { key: name, subnet } = node;
    node.news();
    if (how === 'deleted') world.etcd.delete(name);
    else await world.etcd.client().revoke(world.leaseOf(name) ?? '');
    await world.pass(1);
    expect(world.value(name)).toMatchObject({ PoplinOwner: { UID: 'uid-1' } });
    expect(node.news()).toEqual([`held ${subnet}`]);
  });

  it('that an operator gives to another is lost, and another acquired', async () => {
    const node = await world.node(1);
    const { key: name, subnet } = node;
    node.news();
    world.etcd.put(name, '{"PublicIP":"192.0.2.99"}');
    await world.pass(1);
    expect(node.news()).toEqual(['lost ipv4', `held ${node.subnet}`]);
    expect(node.subnet).not.toBe(subnet);
    expect(world.value(name)).toEqual({ PublicIP: '192.0.2.99' });
  });

  it('publishes what the node has to say now', async () => {
    const node = await world.node(1);
    node.news();
    node.open.offer({ backendType: 'wireguard', ipv4: { backendData: { PublicKey: 'new' } } });
    await world.pass(1);
    expect(world.value(node.key)).toMatchObject({ BackendData: { PublicKey: 'new' }, PublicIP: '192.0.2.1' });
    expect(node.lease).toMatchObject({
      backendType: 'wireguard',
      ipv4: { backendData: { PublicKey: 'new' } },
    });
  });

  it('survives answers that are lost', async () => {
    for (let lost = 1; lost <= 5; lost++) {
      world.etcd.loseAnswers(lost);
      const node = await world.node(lost);
      await world.pass(300);
      expect(node.subnet).not.toBe('');
      expect(world.value(node.key)).toMatchObject({ PoplinOwner: { Node: `node-${lost}` } });
      const own = world.etcd.entries().filter(([, value]) => value.includes(`uid-${lost}`));
      expect(own).toHaveLength(1);
      await world.pass(22 * 3600 + 3500);
      world.etcd.loseAnswers(lost);
      await world.pass(600);
      expect(node.news().filter((line) => line.startsWith('lost'))).toEqual([]);
      expect(world.leaseOf(node.key)).not.toBe('0');
    }
  });
});

describe('a reservation', () => {
  const name = key('10.5.9.0/24');

  it('is used by the node whose address it has, and never given a time to live', async () => {
    world.etcd.put(name, '{"PublicIP":"192.0.2.1"}');
    for (let run = 0; run < 3; run++) {
      const node = await world.node(1);
      expect([node.subnet, node.lease?.reserved]).toEqual(['10.5.9.0/24', true]);
      await world.pass(100_000);
      expect(world.leaseOf(name)).toBe('0');
      await world.stop(node);
    }
    await world.pass(200_000);
    expect(world.value(name)).toMatchObject({ PublicIP: '192.0.2.1', PoplinOwner: { UID: 'uid-1' } });
    expect(world.etcd.leases).toEqual([]);
  });

  it('is what a lease becomes when its key is written without one', async () => {
    const node = await world.node(1);
    const { key: leased } = node;
    const text = world.etcd.entries().find(([found]) => found === leased)?.[1] ?? '';
    node.news();
    world.etcd.put(leased, text);
    await world.pass(100_000);
    expect([world.leaseOf(leased), node.lease?.reserved]).toEqual(['0', true]);
    expect(node.news().filter((line) => line.startsWith('lost'))).toEqual([]);
    world.etcd.put(leased, '{"PublicIP":"192.0.2.1","PublicIPv6":null}');
    await world.pass(1);
    expect(world.value(leased)).toMatchObject({ PoplinOwner: { UID: 'uid-1' } });
    expect(world.leaseOf(leased)).toBe('0');
  });

  it('for another node is nobody else’s, and one that does not fit is named and left', async () => {
    for (let subnet = 1; subnet <= 3; subnet++)
      world.etcd.put(key(`10.5.${subnet}.0/24`), '{"PublicIP":"192.0.2.99"}');
    world.etcd.put(key('10.6.0.0/24'), '{"PublicIP":"192.0.2.1"}');
    const node = await world.node(1, SMALL);
    expect(node.subnet).toBe('10.5.0.0/24');
    expect(node.open.problemTexts()).toEqual([
      expect.stringMatching(/^the reservation .*10\.6\.0\.0-24 is not used: /),
    ]);
    expect(world.value(key('10.6.0.0/24'))).toEqual({ PublicIP: '192.0.2.1' });
  });
});

describe('subnets', () => {
  it('are never double, however many nodes come at once, in both families', async () => {
    const nodes = Array.from({ length: 60 }, (_, index) => new Node(world, index + 1, DUAL));
    world.nodes.push(...nodes);
    await world.pass(30);
    expect(world.etcd.entries()).toHaveLength(60);
    for (const family of ['ipv4', 'ipv6'] as const)
      expect(new Set(nodes.map((node) => node.lease?.[family]?.subnet)).size).toBe(60);
  });

  it('that are all taken are waited for', async () => {
    const nodes = [];
    for (let index = 1; index <= 4; index++) nodes.push(await world.node(index, SMALL));
    const late = await world.node(5, SMALL);
    expect(late.lease).toBeUndefined();
    expect(late.open.problemTexts()).toEqual([expect.stringMatching(/^out of subnets: all 4 /)]);
    const [first] = nodes as [Node];
    const { key: freed, subnet } = first;
    await world.stop(first);
    world.etcd.delete(freed);
    await world.pass(1);
    expect(late.subnet).toBe(subnet);
    expect(late.open.problemTexts()).toEqual([]);
  });

  it('that cannot be read are left alone, and named', async () => {
    for (let subnet = 1; subnet <= 3; subnet++) world.etcd.put(key(`10.5.${subnet}.0/24`), 'rubbish');
    const node = await world.node(1, SMALL);
    expect(node.subnet).toBe('10.5.0.0/24');
    expect(node.entries.get(key('10.5.1.0/24'))).toEqual({
      name: key('10.5.1.0/24'),
      refused: 'its value is not JSON: rubbish',
    });
    expect(node.open.problemTexts()).toHaveLength(3);
    await world.flannel(key('10.5.1.0/24'), '192.0.2.8');
    await world.pass(1);
    expect(node.entries.has(key('10.5.1.0/24'))).toBe(false);
    expect(node.entries.get(`${key('10.5.1.0/24')} ipv4`)).toMatchObject({ record: { node: '192.0.2.8' } });
  });
});

describe("beside flannel's nodes", () => {
  it('a node gives way to one that takes a part of its subnets, in that family alone, and names it', async () => {
    const node = await world.node(1, DUAL);
    const { key: first, lease } = node;
    const [v4, v6] = [lease?.ipv4?.subnet ?? '', lease?.ipv6?.subnet ?? ''];
    node.news();
    const other = await world.node(2, DUAL);
    await world.flannel(key(v4, 'fd00:5:0:ffff::/64'), '192.0.2.50');
    await world.pass(1);
    expect(node.news()).toEqual(['lost ipv4', `held ${node.subnet} ${v6}`]);
    expect(node.subnet).not.toBe(v4);
    expect(world.value(first)).toBeUndefined();
    expect(other.news().filter((line) => line.startsWith('lost'))).toEqual([]);
    await world.flannel(key('10.5.250.0/24', v6), '192.0.2.51');
    await world.pass(1);
    expect(node.news()).toEqual(['lost ipv6', expect.stringMatching(/^held /)]);
    expect(node.lease?.ipv6?.subnet).not.toBe(v6);
  });

  it('a node whose key is written over by a flannel of the same address gives way, and stays away', async () => {
    const node = await world.node(1);
    const { key: name, subnet } = node;
    node.news();
    await world.flannel(name, '192.0.2.1');
    await world.pass(1);
    expect(node.news()).toEqual(['lost ipv4', `held ${node.subnet}`]);
    expect(node.subnet).not.toBe(subnet);
    expect(world.value(name)).not.toHaveProperty('PoplinOwner');
    expect(node.open.problemTexts()).toEqual([
      expect.stringContaining('was written over by another program'),
    ]);
    await world.pass(90_000);
    expect(world.value(node.key)).toMatchObject({ PoplinOwner: { Node: 'node-1' } });
    expect(node.open.problemTexts()).toEqual([]);
  });

  it('doubles of others are named', async () => {
    await world.flannel(key('10.5.1.0/24', 'fd00:5:0:1::/64'), '192.0.2.50');
    await world.flannel(key('10.5.2.0/24', 'fd00:5:0:1::/64'), '192.0.2.51');
    const node = await world.node(1, DUAL);
    expect(node.open.problemTexts()).toEqual([
      expect.stringMatching(/fd00:5:0:1::\/64 of 192\.0\.2\.50 .* overlap$/),
    ]);
    world.etcd.delete(key('10.5.1.0/24', 'fd00:5:0:1::/64'));
    await world.pass(1);
    expect(node.open.problemTexts()).toEqual([]);
    await world.flannel(key('10.5.3.0/24', 'fd00:5:0:1::/64'), '192.0.2.52');
    await world.pass(1);
    expect(node.open.problemTexts()).toHaveLength(1);
  });

  it('two machines of one address or name are told apart', async () => {
    const node = await world.node(1);
    const twin = await world.node(1, V4, { ownerUid: 'uid-other' });
    const alike = await world.node(2, V4, { publicIps: { ipv4: '192.0.2.1' } });
    expect(new Set([node.subnet, twin.subnet, alike.subnet]).size).toBe(3);
    expect(twin.open.problemTexts()).toContainEqual(expect.stringContaining('another machine named node-1'));
    expect(alike.open.problemTexts()).toContainEqual(
      expect.stringContaining("has this node's address 192.0.2.1"),
    );
  });
});

describe('the configuration', () => {
  it('is waited for, read, and its later change named', async () => {
    const node = await world.node(1);
    world.etcd.delete(layout.configKey);
    await world.pass(1);
    let found: NetConf | undefined;
    const reading = node.registry.netConf(new AbortController().signal).then((value) => {
      found = value;
    });
    await world.pass(60);
    expect(found).toBeUndefined();
    world.etcd.put(layout.configKey, JSON.stringify(V4));
    await world.pass(1);
    await reading;
    expect(found).toEqual(netConf(V4));
    expect(node.open.problemTexts()).toEqual([]);
    world.etcd.put(layout.configKey, JSON.stringify({ ...V4, SubnetLen: 24 }, null, 2));
    await world.pass(1);
    expect(node.open.problemTexts()).toEqual([]);
    world.etcd.put(layout.configKey, JSON.stringify({ ...V4, SubnetLen: 25 }));
    await world.pass(1);
    expect(node.open.problemTexts()).toEqual([expect.stringContaining('than when this node started')]);
    world.etcd.put(layout.configKey, '{');
    await world.pass(1);
    expect(node.open.problemTexts()).toEqual([expect.stringContaining('cannot be used any more')]);
    world.etcd.delete(layout.configKey);
    await world.pass(1);
    expect(node.open.problemTexts()).toEqual([expect.stringContaining('is gone')]);
    world.etcd.put(layout.configKey, JSON.stringify(V4));
    await world.pass(1);
    expect(node.open.problemTexts()).toEqual([]);
  });

  it('that is wrong is refused with all problems, and waiting ends with its signal', async () => {
    const node = await world.node(1);
    const stopping = new AbortController();
    world.etcd.delete(layout.configKey);
    const waiting = node.registry.netConf(stopping.signal);
    stopping.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    world.etcd.put(layout.configKey, '{"Network":"10.5.0.0/33","Backend":{"Type":"vxlam"}}');
    const refused = node.registry.netConf(new AbortController().signal);
    await expect(refused).rejects.toThrow(/Network[\s\S]*vxlam/);
  });

  it('needs an address in each of its families', async () => {
    const node = await world.node(1);
    const open = () =>
      node.registry.open({
        node: 'a',
        ownerUid: 'u',
        netConf: netConf(DUAL),
        offer: { backendType: 'vxlan' },
        publicIps: { ipv4: '192.0.2.1' },
      });
    expect(open).toThrow('node a has no ipv6 address, and the network has ipv6');
  });
});

describe('several networks', () => {
  it('lie beside each other in one etcd', async () => {
    const { clock, etcd } = world;
    const leases = [];
    for (const prefix of ['/net/blue', '/net/green']) {
      const registry = etcdRegistry({
        etcd: { endpoints: [], prefix },
        client: etcd.client(),
        clock,
        elapsedMs: () => clock.now(),
        random: () => 0,
        logger: pino({ level: 'silent' }),
      });
      const open = registry.open({
        node: 'a',
        ownerUid: 'u',
        netConf: netConf(V4),
        offer: { backendType: 'vxlan' },
        publicIps: { ipv4: '192.0.2.1' },
      });
      const nothing = () => {};
      open.start({
        held: nothing,
        lost: nothing,
        sync: nothing,
        upsert: nothing,
        remove: nothing,
        connection: nothing,
      });
      leases.push(open);
    }
    await world.pass(1);
    expect(etcd.entries().map(([name]) => name)).toEqual([
      '/net/blue/subnets/10.5.1.0-24',
      '/net/green/subnets/10.5.1.0-24',
    ]);
    for (const open of leases) await open[Symbol.asyncDispose]();
  });
});
