/** An agent that leaves policies to others takes off what the one before it carried out. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Station } from './agent-station.ts';
import { inNetns, until } from './agent-world.ts';

const NET_CONF = JSON.stringify({
  Network: '10.244.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd44::/48',
  Backend: { Type: 'vxlan' },
});
const NETWORK = JSON.stringify({ cniVersion: '1.0.0', name: 'poplin', type: 'poplin' });

async function attach(station: Station, name: string): Promise<string> {
  station.api('POST', '/api/v1/namespaces/default/pods', {
    metadata: { name },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'none' }] },
  });
  const netns = station.pod(name);
  const { exitCode, json, stderr } = await station.plugin('n1', {
    ...{ plugin: 'poplin', command: 'ADD', containerId: `c-${name}`, netns, stdin: NETWORK },
    args: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
  });
  expect({ exitCode, stderr, json }).toMatchObject({ exitCode: 0 });
  return netns;
}

const addressesIn = (netns: string): string[] =>
  inNetns(netns, 'sh', '-ec', "ip -o address show dev eth0 scope global | awk '{print $4}' | cut -d/ -f1")
    .trim()
    .split('\n');

function reaches(netns: string, address: string): boolean {
  try {
    return inNetns(netns, 'ping', '-c1', '-W1', address).includes(' 0% packet loss');
  } catch {
    return false;
  }
}

test('--no-policies takes off what was in force, and an agent with policies puts it back', async () => {
  await using station = await Station.open(NET_CONF);
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'ready', ({ ready }) => ready);
  station.api('POST', '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies', {
    metadata: { name: 'closed' },
    spec: { podSelector: {} },
  });
  const [from, to] = [await attach(station, 'a'), await attach(station, 'b')];
  const addresses = addressesIn(to);
  expect(addresses).toHaveLength(2);
  const { policy } = await station.statusWhere('n1', 'policy', (status) => status.policy?.policies === 1);
  expect(policy).toMatchObject({ known: 'api', endpoints: 2, unknownPods: [] });
  for (const address of addresses) expect(reaches(from, address), address).toBe(false);

  await station.stop('n1');
  for (const address of addresses) expect(reaches(from, address), address).toBe(false);
  station.startAgent('n1', 11, ['--no-policies']);
  const off = await station.statusWhere('n1', 'ready', ({ ready }) => ready);
  expect(off).toMatchObject({ policy: null, problems: [] });
  await until(
    'nothing of it is in the kernel',
    () => !station.sh('n1', 'nft list tables').includes('poplin-policy'),
  );
  for (const address of addresses) expect(reaches(from, address), address).toBe(true);
  expect(existsSync(station.paths('n1').policy)).toBe(false);

  await station.stop('n1');
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'policy', (status) => status.policy?.known === 'api');
  for (const address of addresses) await until(`${address} is closed`, () => !reaches(from, address));
});
