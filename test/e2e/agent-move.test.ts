/** A subnet whose lease names another host: every other node sends there within a second. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { LEASE_ANNOTATIONS, leaseName } from '#core/lease/index.ts';
import { vtepAddress } from '#core/overlay/index.ts';
import { AgentLab, networkText, until } from './agent-world.ts';

let lab: AgentLab;
const stopped = new Set<number>();
beforeAll(async () => {
  lab = await AgentLab.up('move', 'nodes: 4\npods: 1\n');
});
afterEach(() => {
  for (const pid of stopped) process.kill(pid, 'SIGCONT');
  stopped.clear();
});
afterAll(() => lab?.[Symbol.asyncDispose]());

/** Applies a merge patch to a subnet's lease; the wall clock time in ms when the store had it. */
function patchLease(subnet: string, patch: object): number {
  const script = join(import.meta.dirname, 'agent-lease-patch.ts');
  const command = `${process.execPath} ${script} ${lab.path}/kubeconfig ${leaseName(subnet)} '${JSON.stringify(patch)}'`;
  return (JSON.parse(lab.sh('fabric.', command)) as { patchedAtMs: number }).patchedAtMs;
}

/** Where a node sends packets for a subnet: by the route to the next hop, the neighbour to the MAC, the forwarding entry to the host. */
function pathOf(node: string, subnet: string, family: 4 | 6): { mac?: string; host?: string } {
  const device = family === 4 ? 'flannel.1' : 'flannel-v6.1';
  const nextHop = vtepAddress(subnet);
  if (!lab.sh(node, `ip -${family} route show ${subnet}`).includes(`via ${nextHop} dev ${device}`)) return {};
  const neighbour = lab.sh(node, `ip -${family} neigh show to ${nextHop} dev ${device} nud permanent`);
  const mac = /lladdr (\S+)/.exec(neighbour)?.[1];
  if (mac === undefined) return {};
  const entry = lab
    .sh(node, `bridge fdb show dev ${device}`)
    .split('\n')
    .find((line) => line.startsWith(mac));
  const host = /dst (\S+)/.exec(entry ?? '')?.[1];
  return { mac, ...(host !== undefined && { host }) };
}

function vtepMacOf(node: string, family: 4 | 6): string {
  const link = lab.sh(node, `ip -o link show ${family === 4 ? 'flannel.1' : 'flannel-v6.1'}`);
  return /link\/ether (\S+)/.exec(link)?.[1] as string;
}

async function subnetOf(node: string, family: 4 | 6): Promise<string> {
  const { lease } = await lab.ready(node);
  return lease[family === 4 ? 'ipv4' : 'ipv6'] as string;
}

/** Stops an agent's process without ending it: its host has lost its connection. */
async function freeze(node: string): Promise<void> {
  const pid = await lab.pid(node);
  process.kill(pid, 'SIGSTOP');
  stopped.add(pid);
}

test.for([4, 6] as const)(
  'IPv%d: a lease that names another host moves the subnet there, and its owner takes it back',
  async (family) => {
    const subnet = await subnetOf('node2', family);
    const before = networkText(lab.netns('node1'));
    const home = { mac: vtepMacOf('node2', family), host: lab.address('node2', family) };
    const away = { mac: vtepMacOf('node4', family), host: lab.address('node4', family) };
    expect(pathOf('node1', subnet, family)).toEqual(home);
    await freeze('node2');
    const annotations = {
      [LEASE_ANNOTATIONS.publicIp]: away.host,
      [LEASE_ANNOTATIONS.backendData]: JSON.stringify({ VNI: 1, VtepMAC: away.mac }),
    };
    const patchedAtMs = patchLease(subnet, { metadata: { annotations } });
    for (const node of ['node1', 'node3']) {
      await until(`${node} sends to node4`, () => pathOf(node, subnet, family).host === away.host, 5000);
      const ms = Date.now() - patchedAtMs;
      console.log(`IPv${family}: ${node} sends to the new host after ${ms} ms`);
      expect(ms).toBeLessThan(1000);
      expect(pathOf(node, subnet, family)).toEqual(away);
      const leftover = lab.sh(node, `bridge fdb show; nft list ruleset`);
      expect(leftover, 'the former host is forgotten').not.toContain(home.mac);
      expect(leftover).not.toMatch(new RegExp(`[ ,]${home.host}[ ,]`));
    }
    // An agent that starts on the former host finds the lease its own, and claims it back.
    for (const pid of stopped) process.kill(pid, 'SIGKILL');
    stopped.clear();
    await until('the former path', () => networkText(lab.netns('node1')) === before, 10_000);
  },
);

test.for([4, 6] as const)(
  'IPv%d: a node whose lease has another holder takes another subnet, and all follow both',
  async (family) => {
    const subnet = await subnetOf('node3', family);
    const stranger = { mac: '02:00:00:00:00:77', host: family === 4 ? '192.168.51.77' : 'fd51::77' };
    const annotations = {
      [LEASE_ANNOTATIONS.publicIp]: stranger.host,
      [LEASE_ANNOTATIONS.ownerUid]: 'somebody-else',
      [LEASE_ANNOTATIONS.backendData]: JSON.stringify({ VNI: 1, VtepMAC: stranger.mac }),
    };
    const patchedAtMs = patchLease(subnet, {
      metadata: { annotations },
      spec: { holderIdentity: 'stranger' },
    });
    for (const node of ['node1', 'node2', 'node4']) {
      await until(
        `${node} sends to the stranger`,
        () => pathOf(node, subnet, family).host === stranger.host,
        5000,
      );
      const ms = Date.now() - patchedAtMs;
      console.log(`IPv${family}: ${node} sends to the new holder after ${ms} ms`);
      expect(ms).toBeLessThan(1000);
    }
    const next = await until('another subnet for node3', async () => {
      const status = await lab.status('node3');
      const held = status?.lease[family === 4 ? 'ipv4' : 'ipv6'];
      return status?.ready && held !== subnet && held;
    });
    console.log(`IPv${family}: node3 holds ${next} after ${Date.now() - patchedAtMs} ms`);
    const own = { mac: vtepMacOf('node3', family), host: lab.address('node3', family) };
    for (const node of ['node1', 'node2', 'node4']) {
      await until(
        `${node} sends to node3`,
        () => pathOf(node, next as string, family).host === own.host,
        5000,
      );
      expect(pathOf(node, next as string, family)).toEqual(own);
    }
    await until(
      'node3 sends to the stranger',
      () => pathOf('node3', subnet, family).host === stranger.host,
      5000,
    );
  },
);
