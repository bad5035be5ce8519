/**
 * Tries out what the kernel can do, in a network namespace that is made for it and goes with it. Making a link may load a module, which puts
 * devices of its own into every namespace: so without leave only those things are tried whose modules are there.
 */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  FEATURE_NAMES,
  type FeatureName,
  isPresent,
  type KernelFacts,
  type TrialResult,
} from '#core/install/index.ts';
import type { KernelObject, Link } from '#core/kernel/index.ts';
import { act, field, match, rule } from '#core/nft/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { createNamespace, removeNamespace } from '#io/namespace/index.ts';

const TABLE = 'poplin-check';
const link = (name: string, detail: Link['detail'], more: Partial<Link> = {}): Link => ({
  kind: 'link',
  name,
  detail,
  ...more,
});
const PARENT = 'try-veth';
const table: KernelObject = { kind: 'nft-table', family: 'inet', name: TABLE };
const chain = (
  name: string,
  hook: { hook: 'forward' | 'postrouting'; priority: number; type: 'filter' | 'nat' },
  rules: ReturnType<typeof rule>[],
): KernelObject => ({ kind: 'nft-chain', family: 'inet', table: TABLE, name, hook, rules });

const bridgeTable: KernelObject = { ...table, family: 'bridge' };
const bridgeChain = (name: string, rules: ReturnType<typeof rule>[]): KernelObject => ({
  kind: 'nft-chain',
  family: 'bridge',
  table: TABLE,
  name,
  hook: { hook: 'forward', priority: 0, type: 'filter' },
  rules,
});

/** By feature, what is to be made in turn; all of it must be. Absent: how it is used cannot be said in these objects. */
const OBJECTS: Readonly<Partial<Record<FeatureName, readonly KernelObject[]>>> = {
  veth: [link(PARENT, { type: 'veth', peer: { name: 'try-peer' } })],
  bridge: [link('try-bridge', { type: 'bridge' })],
  'bridge-vlan': [link('try-bridge-v', { type: 'bridge', vlanFiltering: true, vlanDefaultPvid: 0 })],
  nftables: [table],
  'nft-maps': [
    table,
    {
      kind: 'nft-set',
      family: 'inet',
      table: TABLE,
      name: 'ways',
      keyType: ['ifname', 'ipv4_addr'],
      dataType: 'verdict',
    },
    {
      kind: 'nft-element',
      family: 'inet',
      table: TABLE,
      set: 'ways',
      key: ['lo', '127.0.0.1'],
      data: { verdict: 'accept' },
    },
  ],
  'nft-nat': [
    table,
    chain('nat', { hook: 'postrouting', priority: 100, type: 'nat' }, [
      rule('inet', [match.is(field.saddr(4), '127.0.0.0/8'), act.masquerade()]),
    ]),
  ],
  'nft-ct': [
    table,
    chain('ct', { hook: 'forward', priority: 0, type: 'filter' }, [
      rule('inet', [match.is(field.ctState, 'established,related'), act.accept]),
    ]),
  ],
  'policy-ranges': [
    table,
    {
      kind: 'nft-set',
      family: 'inet',
      table: TABLE,
      name: 'ranges',
      keyType: ['ipv4_addr', 'inet_service'],
      interval: true,
    },
    {
      kind: 'nft-element',
      family: 'inet',
      table: TABLE,
      set: 'ranges',
      key: ['127.0.0.0', 80],
      keyEnd: ['127.0.0.255', 90],
    },
  ],
  'policy-marks': [
    table,
    chain('marks', { hook: 'forward', priority: 1, type: 'filter' }, [
      rule('inet', [match.is(field.ctMark, 1), act.setCtMark(2)]),
    ]),
  ],
  'policy-log': [
    table,
    chain('logs', { hook: 'forward', priority: 2, type: 'filter' }, [rule('inet', [act.log({ group: 1 })])]),
  ],
  'policy-bridge': [bridgeTable, bridgeChain('frames', [rule('bridge', [act.accept])])],
  'policy-bridge-ct': [
    bridgeTable,
    bridgeChain('flows', [rule('bridge', [match.is(field.ctState, 'established,related'), act.accept])]),
  ],
  vxlan: [link('try-vxlan', { type: 'vxlan', vni: 1, port: 8472, learning: false, local: '127.0.0.1' })],
  tun: [link('try-tun', { type: 'tun', mode: 'tun' })],
  ipip: [link('try-ipip', { type: 'ipip', local: '127.0.0.1' })],
  ip6tnl: [link('try-ip6tnl', { type: 'ip6tnl', external: true })],
  wireguard: [link('try-wg', { type: 'wireguard' })],
  macvlan: [link('try-macvlan', { type: 'macvlan', parent: PARENT, mode: 'bridge' })],
  ipvlan: [link('try-ipvlan', { type: 'ipvlan', parent: 'try-peer', mode: 'l2' })],
  vlan: [link('try-vlan', { type: 'vlan', parent: PARENT, id: 7 })],
  vrf: [link('try-vrf', { type: 'vrf', table: 1007 })],
  dummy: [link('try-dummy', { type: 'dummy' })],
  ifb: [link('try-ifb', { type: 'ifb' })],
  tbf: [
    {
      kind: 'qdisc',
      link: PARENT,
      parent: 'root',
      handle: 0x112,
      detail: { type: 'tbf', rateBytesPerSec: 125_000, bucketTicks: 1_000_000, limitBytes: 100_000 },
    },
  ],
};

type Looked = Omit<KernelFacts, 'trials' | 'untried' | 'newModules'>;
type Trials = Pick<KernelFacts, 'trials' | 'untried' | 'newModules'>;

export interface TrialOptions {
  readonly kernel: Looked;
  /** Modules may be loaded by it. */
  readonly mayLoad: boolean;
  /** The modules that are loaded now. */
  readonly loadedNow: () => ReadonlySet<string>;
}

/** What works of what may be tried; or why nothing could be. */
export async function tryKernel({ kernel, mayLoad, loadedNow }: TrialOptions): Promise<Trials> {
  const known: KernelFacts = { ...kernel, trials: new Map() };
  const names = FEATURE_NAMES.filter((name) => name in OBJECTS && (mayLoad || isPresent(name, known)));
  // The sockets themselves would load it.
  if (!mayLoad && !isPresent('nftables', known)) return { trials: new Map() };
  const before = loadedNow();
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'poplin-check-'));
    const path = join(folder, 'namespace');
    using namespace = createNamespace(path);
    try {
      const trials = await tryIn(namespace, names);
      const newModules = [...loadedNow()].filter((name) => !before.has(name)).toSorted();
      return { trials, ...(mayLoad && { newModules }) };
    } finally {
      removeNamespace(path);
    }
  } catch (error) {
    return { trials: new Map(), untried: `no network namespace could be made: ${messageOf(error)}` };
  } finally {
    if (folder !== undefined) rmdirSync(folder);
  }
}

async function tryIn(namespace: Parameters<typeof RealKernel.open>[0], names: readonly FeatureName[]) {
  const results = new Map<FeatureName, TrialResult>();
  let kernel: RealKernel;
  try {
    kernel = RealKernel.open(namespace);
  } catch (error) {
    // Its sockets are the first that a kernel without nf_tables refuses.
    return results.set('nftables', { works: false, error: messageOf(error) });
  }
  using _ = kernel;
  for (const name of names) results.set(name, await tryFeature(kernel, OBJECTS[name] ?? []));
  return results;
}

async function tryFeature(kernel: RealKernel, objects: readonly KernelObject[]): Promise<TrialResult> {
  try {
    const { failures } = await kernel.apply(objects.map((object) => ({ verb: 'add', object })));
    const [failure] = failures;
    return failure === undefined ? { works: true } : { works: false, error: failure.code };
  } catch (error) {
    return { works: false, error: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
