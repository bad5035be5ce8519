/** Rows of the plugins that make an interface. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type CniWorld, pings } from '../cni-world.ts';
import { ask } from '../talk.ts';
import { FAR, HOST, type Row, type Subject } from './subject.ts';

/** Where far servers listen. */
export const FAR_PORT = 7000;

/** The addresses of the result are on the pod's interface, and no others are asked for. */
export function hasAddresses(subject: Subject): void {
  const text = subject.inPod(`ip -o address show dev ${subject.ifName}`);
  expect(subject.prefixes).toHaveLength(subject.digits.length);
  for (const prefix of subject.prefixes) expect(text).toContain(` ${prefix} `);
}

/** The source that a server beyond the host sees. */
function sourceSeen(subject: Subject, digit: 4 | 6): string | undefined {
  return ask(subject.netns, 'tcp', FAR[digit], FAR_PORT);
}

function loseAddress(subject: Subject): void {
  subject.inPod(`ip address del ${subject.prefixes.at(-1)} dev ${subject.ifName}`);
}

function hasNoInterface(subject: Subject): void {
  expect(subject.inPod('ip -o link')).not.toContain(' eth0');
  isForgotten(subject);
}

function isForgotten(subject: Subject): void {
  expect([subject.isRecorded(), subject.isReserved()]).toEqual([false, false]);
}

const INTERFACE = {
  isPooled: true,
  damage: loseAddress,
  gone: hasNoInterface,
  impossible: (subject) => ({ ...subject.row.keys(subject), ipam: subject.hostLocal(subject.addresses) }),
} as const satisfies Partial<Row>;

const bridge: Row = {
  ...INTERFACE,
  keys: (subject) => ({
    bridge: `br${subject.network}`,
    isGateway: true,
    ipMasq: true,
    ipam: subject.hostLocal(),
  }),
  works: async (subject) => {
    hasAddresses(subject);
    expect(subject.sh(`bridge -o link show dev ${subject.hostLink()}`)).toContain(
      `master br${subject.network} `,
    );
    for (const digit of subject.digits) {
      await subject.reachesSoon(subject.gateway(digit));
      expect(sourceSeen(subject, digit), `IPv${digit} masqueraded`).toBe(HOST[digit]);
      expect(subject.sh('nft list ruleset')).toContain(`${subject.address(digit)} : jump masquerade-`);
    }
  },
  gone: (subject) => {
    hasNoInterface(subject);
    for (const address of subject.addresses)
      expect(subject.sh('nft list ruleset')).not.toMatch(new RegExp(`[ ,]${address}[ ,]`));
  },
};

/** In a file of its own for each family: what the daemon says. */
function subnetFile(subject: Subject): string {
  const path = join(subject.world.folder, `${subject.network}.env`);
  const lines = subject.digits.flatMap((digit) => {
    const name = digit === 4 ? 'FLANNEL' : 'FLANNEL_IPV6';
    const cluster = digit === 4 ? '10.60.0.0/12' : 'fd60::/12';
    return [`${name}_NETWORK=${cluster}`, `${name}_SUBNET=${subject.subnet(digit)}`];
  });
  writeFileSync(path, [...lines, 'FLANNEL_MTU=1400', 'FLANNEL_IPMASQ=false', ''].join('\n'));
  return path;
}

const savedFile = (subject: Subject) =>
  join(subject.world.folder, subject.network, `container-${subject.pod}`);

const flannel: Row = {
  ...INTERFACE,
  keys: (subject) => ({
    subnetFile: subnetFile(subject),
    dataDir: join(subject.world.folder, subject.network),
    delegate: { bridge: `br${subject.network}`, isDefaultGateway: true },
  }),
  impossible: () => ({ subnetFile: '/nowhere/subnet.env' }),
  works: async (subject) => {
    await bridge.works(subject);
    expect(subject.inPod('ip link show eth0')).toContain('mtu 1400 ');
    expect(existsSync(savedFile(subject))).toBe(true);
  },
  gone: async (subject) => {
    await bridge.gone(subject);
    expect(existsSync(savedFile(subject))).toBe(false);
  },
};

const ptp: Row = {
  ...INTERFACE,
  keys: (subject) => ({ ipam: subject.hostLocal() }),
  works: (subject) => {
    hasAddresses(subject);
    for (const digit of subject.digits) {
      expect(subject.sh(`ip -${digit} route get ${subject.address(digit)}`)).toContain(
        `dev ${subject.hostLink()} `,
      );
      expect(subject.reaches(subject.gateway(digit)), `IPv${digit} gateway`).toBe(true);
      expect(sourceSeen(subject, digit), `IPv${digit} as itself`).toBe(subject.address(digit));
    }
  },
};

const poplin: Row = {
  ...INTERFACE,
  keys: (subject) => ({ ipam: subject.hostLocal() }),
  works: (subject) => {
    hasAddresses(subject);
    for (const digit of subject.digits) {
      const own = subject.address(digit);
      expect(subject.sh(`ip -${digit} route show ${own}`)).toContain(`dev ${subject.hostLink()} `);
      expect(subject.reaches(HOST[digit]), `IPv${digit} host`).toBe(true);
      expect(sourceSeen(subject, digit), `IPv${digit} as itself`).toBe(own);
    }
  },
};

const loopback: Row = {
  keys: () => ({}),
  works: (subject) => {
    expect(subject.inPod('ip -o link show lo')).toContain('LOOPBACK,UP');
    for (const digit of subject.digits) {
      const own = digit === 4 ? '127.0.0.1' : '::1';
      expect(subject.inPod('ip -o address show dev lo')).toContain(` ${own}/`);
      expect(subject.reaches(own), own).toBe(true);
    }
  },
  damage: (subject) => subject.inPod('ip link set lo down'),
  gone: (subject) => {
    expect(subject.inPod('ip -o link show lo')).not.toContain('UP');
    for (const digit of subject.digits)
      expect(subject.reaches(digit === 4 ? '127.0.0.1' : '::1')).toBe(false);
    expect(subject.isRecorded()).toBe(false);
  },
  collected: isForgotten,
};

/** Wires to a neighbour that has the gateways' addresses of every family, in VLANs where they are named. */
function prepareWire(ends: readonly string[], vlans: readonly number[] = []) {
  return (world: CniWorld): undefined => {
    const wire = world.pod('wire');
    world.inPod('wire', 'ip link add hub type bridge; ip link set hub up');
    for (const end of ends) {
      world.sh(`ip link add ${end} type veth peer name ${end} netns ${wire}; ip link set ${end} up`);
      const ports = vlans.length === 0 ? [end] : vlans.map((id) => `${end}.${id}`);
      world.inPod('wire', `ip link set ${end} up`);
      for (const id of vlans)
        world.inPod('wire', `ip link add link ${end} name ${end}.${id} type vlan id ${id}`);
      for (const port of ports) world.inPod('wire', `ip link set ${port} master hub up`);
    }
    world.inPod(
      'wire',
      'for n in 1 2 3; do ip address add 10.6$n.0.1/24 dev hub; ip address add fd6$n::1/64 dev hub nodad; done',
    );
    return undefined;
  };
}

function reachesWire(shown: RegExp): (subject: Subject) => Promise<void> {
  return async (subject) => {
    hasAddresses(subject);
    expect(subject.inPod('ip -d link show eth0')).toMatch(shown);
    for (const digit of subject.digits) await subject.reachesSoon(subject.gateway(digit));
  };
}

/** In the pod alone: GC gives back what others could use, and the link goes with the namespace. */
const IN_POD = { ...INTERFACE, collected: isForgotten } as const satisfies Partial<Row>;

/** No default route: what is beyond the wire is the neighbour itself. */
const wired = (keys: object): Pick<Row, 'keys' | 'impossible'> => ({
  keys: (subject) => ({ ...keys, ipam: { ...subject.hostLocal(), routes: [] } }),
  impossible: () => ({ ...keys, master: 'nowhere0' }),
});

const macvlan: Row = {
  ...IN_POD,
  ...wired({ master: 'wire0' }),
  prepare: prepareWire(['wire0']),
  works: reachesWire(/macvlan mode bridge/),
};

const ipvlan: Row = {
  ...IN_POD,
  ...wired({ master: 'wire0' }),
  needs: 'ipvlan',
  prepare: prepareWire(['wire0']),
  works: reachesWire(/ipvlan +mode l2/),
};

/** Of each pod its own: a master has one link of each number, in whatever namespace. */
const VLANS: Readonly<Record<string, number>> = { a1: 7, b1: 8, a2: 9, b2: 10, a3: 11, b3: 12 };

const vlan: Row = {
  ...IN_POD,
  needs: 'vlan',
  keys: (subject) => ({
    master: 'wire0',
    vlanId: VLANS[subject.pod] ?? 0,
    ipam: { ...subject.hostLocal(), routes: [] },
  }),
  impossible: () => ({ master: 'nowhere0', vlanId: 7 }),
  prepare: prepareWire(['wire0'], Object.values(VLANS)),
  works: reachesWire(/vlan protocol 802.1Q id (7|8|9|10|11|12) /),
};

const hostDevice: Row = {
  ...IN_POD,
  keys: (subject) => ({ device: `wire-${subject.pod}`, ipam: { ...subject.hostLocal(), routes: [] } }),
  impossible: () => ({ device: 'nowhere0' }),
  prepare: prepareWire(['a1', 'b1', 'a2', 'b2', 'a3', 'b3'].map((pod) => `wire-${pod}`)),
  works: async (subject) => {
    await reachesWire(/veth/)(subject);
    expect(subject.sh('ip -o link')).not.toContain(` wire-${subject.pod}@`);
  },
  gone: (subject) => {
    hasNoInterface(subject);
    expect(subject.sh('ip -o link')).toContain(` wire-${subject.pod}@`);
  },
};

const dummy: Row = {
  ...IN_POD,
  keys: (subject) => ({ ipam: { ...subject.hostLocal(), routes: [] } }),
  needs: 'dummy',
  before: (subject) => subject.inPod('ip link set lo up'),
  works: (subject) => {
    hasAddresses(subject);
    expect(subject.inPod('ip -d link show eth0')).toContain('dummy');
    for (const address of subject.addresses) expect(pings(subject.netns, address), address).toBe(true);
  },
};

const tap: Row = {
  ...IN_POD,
  keys: (subject) => ({ mtu: 1400, ipam: { ...subject.hostLocal(), routes: [] } }),
  before: (subject) => subject.inPod('ip link set lo up'),
  works: (subject) => {
    hasAddresses(subject);
    expect(subject.inPod('ip -d link show eth0')).toMatch(/mtu 1400 .*\n.*\n? *tun type tap/);
    for (const address of subject.addresses) expect(pings(subject.netns, address), address).toBe(true);
  },
};

export const INTERFACE_ROWS: Readonly<Record<string, Row>> = {
  bridge,
  dummy,
  flannel,
  'host-device': hostDevice,
  ipvlan,
  loopback,
  macvlan,
  poplin,
  ptp,
  tap,
  vlan,
};
