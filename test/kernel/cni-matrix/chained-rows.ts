/** Rows of the plugins that work on what bridge made. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { HOST, pings } from '../cni-world.ts';
import { ask, Server, transferMs } from '../talk.ts';
import { FAR_PORT } from './interface-rows.ts';
import { FAR, type Row, type Subject } from './subject.ts';

function isForgotten(subject: Subject): void {
  expect(subject.isRecorded()).toBe(false);
}

/** Stops the kernel loop, which would put back what goes missing; the next start of the world makes another. */
const lookAway = (subject: Subject) => subject.world.loop[Symbol.asyncDispose]();

const RATE = 16_000_000;
const BURST = 8 * 32_000;
const BYTES = 200_000;
/** What is beyond the burst takes 84 ms at that rate, and a millisecond without. */
const LEAST_MS = 60;

/** The link that what the pod sends goes through, which the result lists last. */
function ifbOf({ result }: Subject): string {
  return ((result['interfaces'] ?? []) as { name: string }[]).at(-1)?.name ?? 'none';
}

const bandwidth: Row = {
  isChained: true,
  isKept: true,
  since: '0.3.0',
  keys: () => ({ ingressRate: RATE, ingressBurst: BURST, egressRate: RATE, egressBurst: BURST }),
  works: async (subject) => {
    const ifb = ifbOf(subject);
    for (const link of [subject.hostLink(), ifb])
      expect(subject.sh(`tc qdisc show dev ${link}`)).toMatch(/tbf 113: root .*rate 16Mbit/);
    expect(subject.sh(`tc filter show dev ${subject.hostLink()} ingress`)).toContain(`to device ${ifb})`);
    for (const digit of subject.digits) {
      const [host, pod] = [subject.gateway(digit), subject.address(digit)];
      const inward = await transferMs({
        from: subject.world.host,
        to: subject.netns,
        address: pod,
        bytes: BYTES,
      });
      const outward = await transferMs({
        from: subject.netns,
        to: subject.world.host,
        address: host,
        bytes: BYTES,
      });
      for (const ms of [inward, outward]) {
        expect(ms, `IPv${digit}`).toBeGreaterThan(LEAST_MS);
        expect(ms, `IPv${digit}`).toBeLessThan(5000);
      }
    }
  },
  damage: async (subject) => {
    await lookAway(subject);
    subject.sh(`tc qdisc del dev ${subject.hostLink()} root`);
  },
  gone: (subject) => {
    isForgotten(subject);
    expect(subject.sh(`tc qdisc show dev ${subject.hostLink()}`)).not.toMatch(/tbf|ingress/);
    expect(subject.sh('ip -o link')).not.toContain(` ${ifbOf(subject)}:`);
  },
};

const OTHER = {
  cniVersion: '1.0.0',
  name: 'other',
  type: 'bridge',
  bridge: 'br-other',
  isGateway: true,
  ipam: {
    type: 'host-local',
    ranges: [[{ subnet: '10.69.0.0/24' }], [{ subnet: 'fd69::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
};

const firewall: Row = {
  isChained: true,
  isKept: true,
  since: '0.3.0',
  keys: () => ({ ingressPolicy: 'same-bridge' }),
  prepare: async (world) => {
    world.pod('other');
    const { json } = await world.call('bridge', 'ADD', 'other', OTHER);
    const config = { ...OTHER, type: 'firewall', ingressPolicy: 'same-bridge', prevResult: json };
    expect((await world.call('firewall', 'ADD', 'other', config)).exitStatus).toBe(0);
  },
  works: async (subject) => {
    for (const digit of subject.digits) {
      const own = subject.address(digit);
      expect(isListed(subject, digit)).toBe(true);
      await subject.reachesSoon(subject.gateway(digit));
      expect(ask(subject.netns, 'tcp', FAR[digit], FAR_PORT), `IPv${digit} out`).toBe(own);
      expect(knocks(subject, digit), `IPv${digit} from another bridge`).toBe(false);
    }
  },
  damage: async (subject) => {
    await lookAway(subject);
    const digit = subject.digits.at(-1) as 4 | 6;
    subject.sh(`nft delete element inet poplin-cni firewall-pods${digit} '{ ${subject.address(digit)} }'`);
  },
  gone: (subject) => {
    isForgotten(subject);
    for (const digit of subject.digits) {
      expect(isListed(subject, digit)).toBe(false);
      expect(knocks(subject, digit), `IPv${digit} from another bridge`).toBe(true);
    }
  },
  // Its bridge stays closed as long as a pod on it is.
  collected: (subject) => {
    isForgotten(subject);
    for (const digit of subject.digits) expect(isListed(subject, digit)).toBe(false);
  },
};

function isListed(subject: Subject, digit: 4 | 6): boolean {
  return new RegExp(`[ {,]${subject.address(digit)}[ ,]`).test(subject.sh('nft list ruleset'));
}

/** True if the pod of the other network gets an answer. */
function knocks(subject: Subject, digit: 4 | 6): boolean {
  return pings(subject.world.pod('other'), subject.address(digit), 0.4);
}

const portmap: Row = {
  isChained: true,
  isKept: true,
  keys: (subject) => ({
    runtimeConfig: { portMappings: [{ hostPort: hostPort(subject), containerPort: 80, protocol: 'tcp' }] },
  }),
  works: async (subject) => {
    await using _server = await Server.start(subject.netns, 'tcp', 80);
    for (const digit of subject.digits) {
      const element = `tcp . ${hostPort(subject)}`;
      expect(subject.sh(`nft list map inet poplin-cni hostports${digit}`)).toContain(element);
      const far = subject.world.pod('far');
      expect(ask(far, 'tcp', HOST[digit], hostPort(subject)), `IPv${digit} from outside`).toBe(FAR[digit]);
    }
  },
  damage: async (subject) => {
    await lookAway(subject);
    subject.sh(`nft flush map inet poplin-cni hostports${subject.digits.at(-1)}`);
  },
  gone: async (subject) => {
    isForgotten(subject);
    await using _server = await Server.start(subject.netns, 'tcp', 80);
    expect(subject.sh('nft list ruleset')).not.toContain(`tcp . ${hostPort(subject)}`);
    for (const digit of subject.digits)
      expect(ask(subject.world.pod('far'), 'tcp', HOST[digit], hostPort(subject))).toBeUndefined();
  },
};

const hostPort = ({ letter }: Subject) => (letter === 'a' ? 8080 : 8081);

const MTU_BYTES = 1350;
/** With its IP and ICMP headers a packet of this much is above that MTU and below the usual one. */
const TOO_MUCH_BYTES = 1400;

const tuning: Row = {
  isChained: true,
  keys: ({ world }) => ({
    dataDir: join(world.folder, 'tuning'),
    mtu: MTU_BYTES,
    sysctl: { 'net.core.somaxconn': '777' },
  }),
  works: async (subject) => {
    expect(subject.inPod('ip -o link show eth0')).toContain(` mtu ${MTU_BYTES} `);
    expect(subject.inPod('cat /proc/sys/net/core/somaxconn')).toBe('777\n');
    for (const digit of subject.digits) {
      await subject.reachesSoon(subject.gateway(digit));
      expect(passes(subject, digit, TOO_MUCH_BYTES), `IPv${digit} above the MTU`).toBe(false);
    }
  },
  damage: (subject) => subject.inPod('echo 5 > /proc/sys/net/core/somaxconn'),
  gone: (subject) => {
    isForgotten(subject);
    expect(subject.inPod('ip -o link show eth0')).toContain(' mtu 1500 ');
    for (const digit of subject.digits) expect(passes(subject, digit, TOO_MUCH_BYTES)).toBe(true);
    expect(backups(subject)).not.toContain(`container-${subject.pod}_`);
  },
  collected: (subject) => {
    isForgotten(subject);
    expect(backups(subject)).not.toContain(`container-${subject.pod}_`);
  },
};

const backups = (subject: Subject) => subject.sh(`ls ${join(subject.world.folder, 'tuning')}`);

/** True if an echo request with so many bytes reaches the gateway in one piece. */
function passes(subject: Subject, digit: 4 | 6, bytes: number): boolean {
  const text = subject.inPod(`ping -nqc1 -W0.3 -M do -s ${bytes} ${subject.gateway(digit)} 2>&1 || true`);
  return text.includes(' 1 received');
}

const sbr: Row = {
  isChained: true,
  keys: () => ({}),
  works: (subject) => {
    for (const digit of subject.digits) {
      const own = subject.address(digit);
      expect(subject.inPod(`ip -${digit} rule`)).toMatch(new RegExp(`from ${own} lookup 10\\d`));
      expect(subject.inPod(`ip -${digit} route show table main`)).not.toContain('default');
      // IPv6 looks for a source address with the rules.
      if (digit === 4) expect(ask(subject.netns, 'tcp', FAR[4], FAR_PORT), 'by no table').toBeUndefined();
      expect(ask(subject.netns, 'tcp', FAR[digit], FAR_PORT, own), `IPv${digit} by its table`).toBe(own);
    }
  },
  damage: (subject) => {
    const digit = subject.digits.at(-1) as 4 | 6;
    subject.inPod(`ip -${digit} rule del from ${subject.address(digit)}`);
  },
  gone: (subject) => {
    isForgotten(subject);
    for (const digit of subject.digits) {
      expect(subject.inPod(`ip -${digit} rule`)).not.toMatch(/lookup 10\d/);
      const own = subject.address(digit);
      expect(ask(subject.netns, 'tcp', FAR[digit], FAR_PORT, own)).toBeUndefined();
    }
  },
  collected: isForgotten,
};

const vrf: Row = {
  isChained: true,
  needs: 'vrf',
  keys: () => ({ vrfname: 'red', table: 77 }),
  works: (subject) => {
    expect(subject.inPod('ip -d link show red')).toContain('vrf table 77');
    expect(subject.inPod('ip -o link show eth0')).toContain(' master red ');
    for (const digit of subject.digits) {
      expect(subject.inPod(`ip -${digit} route show table 77`)).toContain('default via');
      expect(subject.inPod(`ping -nqc1 -W1 -I red ${subject.gateway(digit)}`)).toContain(' 1 received');
      expect(subject.reaches(subject.gateway(digit)), `IPv${digit} past the VRF`).toBe(false);
    }
  },
  damage: (subject) => subject.inPod('ip link set eth0 nomaster'),
  gone: (subject) => {
    isForgotten(subject);
    expect(subject.inPod('ip -o link')).not.toMatch(/ red:|master red/);
  },
  collected: isForgotten,
};

export const CHAINED_ROWS: Readonly<Record<string, Row>> = { bandwidth, firewall, portmap, sbr, tuning, vrf };
