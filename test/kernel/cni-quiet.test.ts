/** What a pod that comes sends to all pods of its bridge: each takes every such packet, and so a node with many pods pays for it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CniWorld, pings } from './cni-world.ts';

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

const bridge = (more: object) => ({
  cniVersion: '1.1.0',
  name: 'quiet',
  type: 'bridge',
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
  ...more,
});

/** Counts in the pod's namespace what comes in. */
function count(pod: string): void {
  world.inPod(
    pod,
    `nft -f - <<'END'
    table ip6 seen {
      counter reports { }
      counter solicitations { }
      chain in {
        type filter hook prerouting priority -300
        icmpv6 type mld2-listener-report counter name reports
        icmpv6 type nd-router-solicit counter name solicitations
      }
    }
    table arp seen {
      counter requests { }
      chain in {
        type filter hook input priority 0
        counter name requests
      }
    }
END`,
  );
}

function counted(pod: string, family: 'ip6' | 'arp', name: string): number {
  const text = world.inPod(pod, `nft list counter ${family} seen ${name}`);
  return Number(/packets (\d+)/.exec(text)?.[1]);
}

const sysctl = (pod: string, key: string) =>
  world.inPod(pod, `cat /proc/sys/net/ipv6/conf/eth0/${key}`).trim();

async function attach(pod: string, config: ReturnType<typeof bridge>): Promise<void> {
  world.pod(pod);
  const { exitStatus, json } = await world.call('bridge', 'ADD', pod, config);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
}

test('where the host is the router no pod looks for one', async () => {
  await attach('a', bridge({ isGateway: true }));
  count('a');
  await attach('b', bridge({ isGateway: true }));
  // Of each of its groups, and once more within a second: by then all else would have been sent.
  await expect.poll(() => counted('a', 'ip6', 'reports'), { timeout: 10_000 }).toBeGreaterThan(2);
  expect(counted('a', 'ip6', 'solicitations')).toBe(0);
  expect(counted('a', 'arp', 'requests')).toBe(0);
  expect(sysctl('b', 'router_solicitations')).toBe('0');
  for (const address of ['10.71.0.2', 'fd71::2']) expect(pings(world.pod('b'), address), address).toBe(true);
  expect(counted('a', 'arp', 'requests')).toBeGreaterThan(0);
});

test('where it is not, pods look for a router among their neighbours', async () => {
  await attach('a', bridge({}));
  count('a');
  await attach('b', bridge({}));
  await expect.poll(() => counted('a', 'ip6', 'solicitations'), { timeout: 10_000 }).toBeGreaterThan(0);
  expect(sysctl('b', 'router_solicitations')).not.toBe('0');
});
