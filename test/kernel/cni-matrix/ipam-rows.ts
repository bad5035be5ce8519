/**
 * Rows of the plugins that give addresses. They are called by themselves, as another maker of interfaces would, whose part the test takes:
 * it gives the pod's link what the result says. Then bridge calls them.
 */
import { expect } from 'vitest';
import { isAtLeast } from '#core/cni/index.ts';
import type { CniWorld } from '../cni-world.ts';
import { BRIDGE_NAME, DhcpServer } from '../dhcp-server.ts';
import type { Row, Subject } from './subject.ts';

const BRIDGE = 'self0';
const DHCP_GATEWAY = '10.90.0.1';

/** A bridge of the host with the gateways of every family. Its MAC address does not change with its ports. */
function prepareBridge(world: CniWorld): undefined {
  world.sh(`
    ip link add ${BRIDGE} address 02:00:00:00:60:01 type bridge
    for n in 1 2 3; do ip address add 10.6$n.0.1/24 dev ${BRIDGE}; ip address add fd6$n::1/64 dev ${BRIDGE} nodad; done
    ip link set ${BRIDGE} up`);
  return undefined;
}

/** A link of the pod on a bridge. */
const linkOn = (bridge: string) => (subject: Subject) => {
  const name = `to-${subject.pod}`;
  if (!subject.sh('ip -o link').includes(` ${name}@`))
    subject.sh(
      `ip link add ${name} type veth peer name eth0 netns ${subject.netns}; ip link set ${name} master ${bridge} up`,
    );
  subject.inPod('ip link set eth0 up');
};

/** Gives the link the addresses of the result, and then asks bridge to do all of it for another interface. */
async function isUsable(subject: Subject, bridge: string, gateway: (digit: 4 | 6) => string): Promise<void> {
  expect(subject.addresses).toHaveLength(subject.digits.length);
  for (const prefix of subject.prefixes)
    subject.inPod(`ip address replace ${prefix} dev eth0 ${prefix.includes(':') ? 'nodad' : ''}`);
  for (const digit of subject.digits) await subject.reachesSoon(gateway(digit));
  subject.inPod('ip link set eth0 down');
  subject.sh(`ip neigh flush dev ${bridge}`);
  const config = { ...subject.request(), type: 'bridge', bridge };
  const call = (command: string, more: object = {}) =>
    subject.world.call('bridge', command, subject.pod, { ...config, ...more }, { CNI_IFNAME: 'net1' });
  const { exitStatus, json } = await call('ADD');
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  for (const digit of subject.digits) {
    expect(subject.inPod('ip -o address show dev net1')).toMatch(digit === 4 ? / inet \d/ : / inet6 fd/);
    await subject.reachesSoon(gateway(digit));
  }
  if (isAtLeast(subject.version, '0.4.0'))
    expect(await call('CHECK', { prevResult: json })).toEqual({ exitStatus: 0, json: undefined });
  expect((await call('DEL')).exitStatus).toBe(0);
  expect(subject.inPod('ip -o link')).not.toContain(' net1');
}

const hostLocal: Row = {
  isIpam: true,
  isPooled: true,
  prepare: prepareBridge,
  before: linkOn(BRIDGE),
  keys: (subject) => ({ ipam: subject.hostLocal() }),
  works: async (subject) => {
    expect(subject.isReserved()).toBe(true);
    await isUsable(subject, BRIDGE, (digit) => subject.gateway(digit));
  },
  damage: (subject) => subject.world.release(subject.network),
  gone: (subject) => expect(subject.isReserved()).toBe(false),
  impossible: (subject) => ({ ipam: subject.hostLocal(subject.addresses) }),
};

const staticAddresses = (subject: Subject) =>
  subject.digits.map((digit) => ({
    address: `${subject.gateway(digit).replace(/1$/, subject.letter === 'a' ? '2' : '3')}/${digit === 4 ? 24 : 64}`,
    gateway: subject.gateway(digit),
  }));

const fixed: Row = {
  isIpam: true,
  prepare: prepareBridge,
  before: linkOn(BRIDGE),
  keys: (subject) => ({
    ipam: { type: 'static', addresses: staticAddresses(subject), routes: subject.defaultRoutes() },
  }),
  works: async (subject) => {
    expect(subject.prefixes).toEqual(staticAddresses(subject).map(({ address }) => address));
    await isUsable(subject, BRIDGE, (digit) => subject.gateway(digit));
  },
  // There is nothing in the kernel or on disk that could be damaged: what is left is the result.
  damage: (subject) => {
    const [, ...rest] = (subject.result['ips'] ?? []) as object[];
    subject.result = { ...subject.result, ips: rest };
  },
  gone: (subject) => expect([subject.isRecorded(), subject.isReserved()]).toEqual([false, false]),
};

const servers = new WeakMap<CniWorld, DhcpServer>();

const holders = ({ world }: Subject) => world.dhcp.held().map(({ attachment }) => attachment.containerId);

const dhcp: Row = {
  isIpam: true,
  families: ['IPv4'],
  prepare: async (world) => {
    const server = new DhcpServer(world);
    await server.start({ leaseSeconds: 3600 });
    servers.set(world, server);
    return server;
  },
  before: linkOn(BRIDGE_NAME),
  keys: () => ({ ipam: { type: 'dhcp' } }),
  works: async (subject) => {
    expect(subject.address(4)).toMatch(/^10\.90\.0\.\d+$/);
    await servers.get(subject.world)?.says(new RegExp(`ACK to ${subject.address(4)}`));
    await isUsable(subject, BRIDGE_NAME, () => DHCP_GATEWAY);
  },
  // The leases are lost with the disk: the next agent knows of none.
  damage: async ({ world }) => {
    await world.stop();
    world.sh(`rm -r ${world.folder}/dhcp`);
    await world.start();
  },
  gone: (subject) => expect(holders(subject)).not.toContain(`container-${subject.pod}`),
};

export const IPAM_ROWS: Readonly<Record<string, Row>> = { dhcp, 'host-local': hostLocal, static: fixed };
