/** Tries out what the kernel can do, in a network namespace that is made for it and goes with it: nothing of the host's own is touched. */
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROBE_NAMES, type ProbeName, type ProbeResult } from '#core/install/index.ts';
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

/** By probe, what is to be made in turn; all of it must be. */
const OBJECTS: Readonly<Record<ProbeName, readonly KernelObject[]>> = {
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

/** By probe, whether it works; or why none could be tried. Loads modules, as making such links does. */
export async function probeKernel(): Promise<ReadonlyMap<ProbeName, ProbeResult> | string> {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'poplin-check-'));
    const path = join(folder, 'namespace');
    using namespace = createNamespace(path);
    try {
      return await probeIn(namespace);
    } finally {
      removeNamespace(path);
    }
  } catch (error) {
    return `no network namespace could be made: ${messageOf(error)}`;
  } finally {
    if (folder !== undefined) rmdirSync(folder);
  }
}

async function probeIn(namespace: Parameters<typeof RealKernel.open>[0]) {
  const results = new Map<ProbeName, ProbeResult>();
  let kernel: RealKernel;
  try {
    kernel = RealKernel.open(namespace);
  } catch (error) {
    // Its sockets are the first that a kernel without nf_tables refuses.
    for (const name of PROBE_NAMES)
      if (name.startsWith('nft')) results.set(name, { works: false, error: messageOf(error) });
    return results;
  }
  using _ = kernel;
  for (const name of PROBE_NAMES) results.set(name, await probe(kernel, OBJECTS[name]));
  return results;
}

async function probe(kernel: RealKernel, objects: readonly KernelObject[]): Promise<ProbeResult> {
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
