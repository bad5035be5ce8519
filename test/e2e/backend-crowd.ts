/**
 * Nodes on an etcd, a process of their own: `backend-crowd.ts URL`. Some stay, the others come and go; each has its own watch and renews its
 * lease every few seconds. Every key and every node's belief is looked at as it changes. Prints a CrowdReport a line, some times a second; SIGTERM ends it.
 */
import pino from 'pino';
import { type EtcdLeaseRegistry, etcdRegistry } from '#app/agent/index.ts';
import {
  type EtcdKeyValue,
  etcdLayout,
  pairsOverlap,
  readStored,
  type StoredSubnet,
  type SubnetPair,
} from '#core/lease/etcd/index.ts';
import { FAMILY_KEYS, type NetConf } from '#core/lease/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { connectEtcd, followEtcd } from '#io/etcd/index.ts';

export interface CrowdReport {
  /** Nodes that stay, and hold their subnets. */
  readonly staying: number;
  readonly joined: number;
  readonly left: number;
  readonly renewed: number;
  readonly compactions: number;
  /** What must not be. */
  readonly faults: readonly string[];
}

const STAYING = 6;
const COMING = 18;
const PERIOD_MS = 50;
const REPORT_MS = 200;
const LEASE = { durationSec: 30, renewMarginSec: 28 };
const layout = etcdLayout();
const endpoints = [process.argv[2] ?? ''];
const world = { clock: systemClock, random: systemRandom, logger: pino({ level: 'silent' }) };
const over = new AbortController();
const faults: string[] = [];
const counts = { joined: 0, left: 0, renewed: 0, compactions: 0 };

/** Every key as it is, and how it came to be so. */
class Book {
  private live = new Map<string, StoredSubnet>();

  sync(kvs: readonly EtcdKeyValue[]): void {
    const before = this.live;
    this.live = new Map();
    for (const kv of kvs) this.write(kv, before.get(kv.key));
    this.compare();
  }

  upsert(kv: EtcdKeyValue): void {
    this.write(kv, this.live.get(kv.key));
    // What one transaction does comes together: it is looked at when all of it is there.
    queueMicrotask(() => this.compare());
  }

  remove(key: string): void {
    this.live.delete(key);
  }

  private write(kv: EtcdKeyValue, before: StoredSubnet | undefined): void {
    const reading = readStored(layout, kv);
    if (!reading.ok) return void faults.push(`${kv.key} cannot be read: ${reading.reason}`);
    const { stored } = reading;
    if (before?.kv.createRevision === kv.createRevision) {
      counts.renewed++;
      const [was, is] = [before.value.owner?.uid, stored.value.owner?.uid];
      if (was !== is) faults.push(`${kv.key} was ${was}'s and is ${is}'s`);
    }
    this.live.set(kv.key, stored);
  }

  private compare(): void {
    const all = [...this.live.values()].map(({ kv, subnets }) => ({ name: kv.key, subnets }));
    faults.push(...overlapping(all));
  }
}

class CrowdNode {
  readonly name: string;
  private believed: SubnetPair = {};
  private readonly number: number;
  private readonly netConf: NetConf;
  private readonly client = connectEtcd({ endpoints }, world);
  private registry: EtcdLeaseRegistry | undefined;

  constructor(number: number, netConf: NetConf) {
    this.number = number;
    this.netConf = netConf;
    this.name = `crowd-${number}`;
  }

  get isRunning(): boolean {
    return this.registry !== undefined;
  }

  get isComplete(): boolean {
    return FAMILY_KEYS.every((key) => this.believed[key] !== undefined);
  }

  get subnets(): SubnetPair {
    return this.believed;
  }

  start(): void {
    const { name, number, netConf, client } = this;
    const registry = etcdRegistry({ ...world, etcd: { endpoints }, client }).open({
      node: name,
      ownerUid: `uid-${name}`,
      netConf,
      offer: {
        backendType: netConf.backend.type,
        ipv4: { publicIp: `198.18.0.${number}`, backendData: { VNI: 1, VtepMAC: mac(4, number) } },
        ipv6: { publicIp: `2001:db8::${number}`, backendData: { VNI: 1, VtepMAC: mac(6, number) } },
      },
      publicIps: {},
      leaseTimes: LEASE,
    });
    this.registry = registry;
    registry.start({
      held: ({ ipv4, ipv6 }) => {
        const now = { ...(ipv4 && { ipv4: ipv4.subnet }), ...(ipv6 && { ipv6: ipv6.subnet }) };
        if (this.isComplete && JSON.stringify(now) !== JSON.stringify(this.believed))
          faults.push(`${name} had ${JSON.stringify(this.believed)} and has ${JSON.stringify(now)}`);
        this.believed = now;
      },
      lost: (family) => void faults.push(`${name} lost its subnet of ${family}`),
      sync: () => {},
      upsert: () => {},
      remove: () => {},
      connection: () => {},
    });
  }

  async stop(): Promise<void> {
    const { registry } = this;
    this.registry = undefined;
    this.believed = {};
    await registry?.[Symbol.asyncDispose]();
  }
}

const mac = (family: number, number: number) =>
  `02:00:00:00:0${family}:${number.toString(16).padStart(2, '0')}`;

function overlapping(all: readonly { readonly name: string; readonly subnets: SubnetPair }[]): string[] {
  return all.flatMap((one, index) =>
    all
      .slice(index + 1)
      .filter((other) => pairsOverlap(one.subnets, other.subnets))
      .map((other) => `${one.name} and ${other.name} have the same`),
  );
}

/** One of those that come and go does so. */
function happen(coming: readonly CrowdNode[]): void {
  const node = coming[Math.floor(systemRandom() * coming.length)];
  if (node === undefined) return;
  counts[node.isRunning ? 'left' : 'joined']++;
  if (node.isRunning) void node.stop();
  else node.start();
}

async function main(): Promise<void> {
  using registry = etcdRegistry({ ...world, etcd: { endpoints } });
  const netConf = await registry.netConf(over.signal);
  using client = connectEtcd({ endpoints }, world);
  const nodes = Array.from({ length: STAYING + COMING }, (_, at) => new CrowdNode(at + 1, netConf));
  const [staying, coming] = [nodes.slice(0, STAYING), nodes.slice(STAYING)];
  process.once('SIGTERM', () => over.abort());
  for (const node of staying) node.start();
  const timers = [
    setInterval(() => {
      happen(coming);
      faults.push(...overlapping(nodes));
    }, PERIOD_MS),
    setInterval(() => {
      const complete = staying.filter((node) => node.isComplete).length;
      const report: CrowdReport = { staying: complete, ...counts, faults };
      process.stdout.write(`${JSON.stringify(report)}\n`);
    }, REPORT_MS),
  ];
  const book = new Book();
  let syncs = 0;
  await followEtcd(
    client,
    layout.subnets,
    { ...world, signal: over.signal },
    {
      sync: (kvs) => {
        counts.compactions = syncs++;
        book.sync(kvs);
      },
      upsert: (kv) => book.upsert(kv),
      remove: (key) => book.remove(key),
      connection: () => {},
    },
  );
  for (const timer of timers) clearInterval(timer);
  await Promise.all(nodes.map((node) => node.stop()));
}

await main();
// Connections that are kept alive would hold it up.
process.exit();
