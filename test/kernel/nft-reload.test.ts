/** What `nft list ruleset` prints of everything Poplin makes is loaded again by `nft -f`, and is then the same. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { planForward, planMasquerade } from '#core/masquerade/index.ts';
import { planLocal } from '#core/overlay/index.ts';
import { CniWorld } from './cni-world.ts';
import { NETWORKS } from './network-world.ts';

const NETWORK = {
  cniVersion: '1.0.0',
  name: 'all',
  type: 'bridge',
  isGateway: true,
  ipMasq: true,
  macspoofchk: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
};

test('the ruleset that nft prints is one that nft reads', async () => {
  await using world = await CniWorld.open();
  world.pod('a');
  const added = await world.call('bridge', 'ADD', 'a', NETWORK);
  for (const [type, more] of [
    ['portmap', { snat: true, runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } }],
    ['firewall', { ingressPolicy: 'same-bridge' }],
  ] as const) {
    const request = { cniVersion: '1.0.0', name: 'all', type, prevResult: added.json, ...more };
    const answer = await world.call(type, 'ADD', 'a', request);
    expect(answer.exitStatus, JSON.stringify(answer.json)).toBe(0);
  }
  const subnets = NETWORKS.map(({ family, subnet }) => ({
    node: 'n1',
    family,
    subnet,
    publicIp: family === 4 ? '192.168.70.1' : 'fd70::1',
    vtepMac: '02:00:00:00:00:01',
  }));
  const settings = {
    vni: 1,
    port: 8472,
    learning: false,
    gbp: false,
    underlayMtuBytes: 1500,
    underlayLink: 'uplink',
  };
  world.loop.want('overlay', [
    ...planLocal(subnets, settings),
    ...planMasquerade(NETWORKS, { isFullyRandom: true, overlayLinks: ['flannel.1', 'flannel-v6.1'] }),
    ...planForward(NETWORKS),
  ]);
  await world.loop.inPlace('overlay');
  const printed = world.sh('nft list ruleset');
  for (const table of ['inet poplin-cni', 'bridge poplin-cni', 'inet poplin-overlay', 'inet poplin-network'])
    expect(printed).toContain(`table ${table} {`);
  const netns = world.pod('copy');
  const nft = (args: readonly string[], input = '') =>
    execFileSync('nsenter', [`--net=${netns}`, 'nft', ...args], { encoding: 'utf8', input });
  nft(['-f', '-'], printed);
  expect(nft(['list', 'ruleset'])).toBe(printed);
});
