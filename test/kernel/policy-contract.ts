/** What policies do on a kernel, one property a test, whichever way packets go: routed, over a bridge that br_netfilter watches, or one that is tracked. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ipBytes } from '#base/ip/index.ts';
import { PolicyCompiler } from '#core/policy/compile/index.ts';
import { PolicyGraph } from '#core/policy/engine/index.ts';
import type { EndMatch, Flow, Member, Policy, PolicyRule, Selector } from '#core/policy/index.ts';
import { packetOf } from '#testing/flow-packet.ts';
import {
  addressOf,
  BRIDGE_MODES,
  frame,
  hasBridgeNetfilter,
  macOf,
  NO_BRIDGE_NETFILTER,
  NODE_ADDRESSES,
  PolicyWorld,
  type WorldMode,
} from './policy-world.ts';

const FAMILIES = [4, 6] as const;
/** Somebody beyond the uplink. */
export const STRANGER = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;

/** Pods 2, 3, … with the label app=podN, their policies, and the kernel that keeps them. */
export class Enforced implements Disposable {
  readonly graph = new PolicyGraph();
  readonly compiler: PolicyCompiler;
  readonly kernel: PolicyWorld;

  constructor(mode: WorldMode) {
    this.kernel = new PolicyWorld(mode);
    this.compiler = new PolicyCompiler({ bridge: BRIDGE_MODES[mode], flows: true });
    this.graph.upsertTier({ name: 'default', order: 1, defaultAction: 'deny' });
  }

  attach(number: number, state: 'closed' | 'open' = 'closed', isNumbered?: boolean): void {
    const key = `pod shop/pod${number}`;
    const addresses = [addressOf(number, 4), addressOf(number, 6)];
    this.compiler.setEndpoint(this.kernel.endpoint(key, addresses, isNumbered), state);
    this.graph.setLocal(key);
  }

  /** The API knows the pod. */
  know(number: number): void {
    const nets = [`${addressOf(number, 4)}/32`, `${addressOf(number, 6)}/128`];
    this.graph.upsertMember(podMember(number, nets));
  }

  isolate(number: number, more: Partial<Policy>): void {
    const ref = { kind: 'NetworkPolicy', namespace: 'shop', name: `of-pod${number}` } as const;
    this.graph.upsertPolicy({ ref, tier: 'default', order: 1, subject: ofPod(number), ...more });
  }

  async flush(): Promise<void> {
    this.compiler.apply(this.graph.takeDelta());
    await this.kernel.amend(this.compiler.takeAmendment());
  }

  [Symbol.dispose](): void {
    this.kernel[Symbol.dispose]();
  }
}

function podMember(number: number, nets: readonly string[]): Member {
  const name = `pod${number}`;
  const labels = { app: name };
  return {
    key: `pod shop/${name}`,
    kind: 'pod',
    namespace: 'shop',
    name,
    labels,
    node: 'here',
    nets,
    ports: [],
  };
}

function ofPod(number: number): Selector {
  return { op: 'in', of: 'member', key: 'app', values: [`pod${number}`] };
}

function allow(source: EndMatch, destination: EndMatch = {}, protocol?: number): PolicyRule {
  const origin = { index: 0, path: 'rule' };
  return { origin, action: 'allow', source, destination, ...(protocol !== undefined && { protocol }) };
}

/** Lets TCP to a port through. */
export const allowTcp = (number: number): PolicyRule =>
  allow({}, { ports: [{ from: number, to: number }] }, 6);

/** So many that a transaction with them runs beside this thread, which sends packets meanwhile. */
export const MANY_RULES: readonly PolicyRule[] = Array.from({ length: 150 }, (_, at) => allowTcp(1000 + at));

export function tcp(source: string, destination: string, destinationPort = 80): Flow {
  return { source, destination, protocol: 6, sourcePort: 40_000, destinationPort };
}

export function udp(source: string, destination: string, destinationPort = 80): Flow {
  return { ...tcp(source, destination, destinationPort), protocol: 17 };
}

/** Defines the tests. */
export function policyContract(mode: WorldMode): void {
  describe(`pods that are ${mode}`, () => {
    beforeEach((context) => {
      context.skip(mode === 'bridged' && !hasBridgeNetfilter(), NO_BRIDGE_NETFILTER);
    });

    test('speak from their own addresses, and from no others', async () => {
      using pods = new Enforced(mode);
      const { kernel } = pods;
      for (const isNumbered of [true, false]) {
        for (const number of [2, 3]) pods.attach(number, 'open', isNumbered);
        await pods.flush();
        const found = kernel.sh('nft list ruleset').match(/"pod[23]" : goto from-pod[23]/g);
        expect(found, 'by name, and by number if it is known').toHaveLength(isNumbered ? 4 : 2);
        for (const family of FAMILIES) {
          const about = `IPv${family}, number ${isNumbered ? '' : 'not '}known`;
          const to = addressOf(3, family);
          expect(kernel.passes(udp(addressOf(2, family), to)), `${about}, its own`).toBe(true);
          for (const other of [addressOf(4, family), NODE_ADDRESSES[family], STRANGER[family]])
            expect(kernel.passes(udp(other, to), { from: 2 }), `${about}, ${other}`).toBe(false);
          expect(kernel.passes(udp(addressOf(2, family), STRANGER[family])), `${about}, out`).toBe(true);
          expect(kernel.passes(udp(addressOf(3, family), STRANGER[family]), { from: 2 })).toBe(false);
          // Nobody has said that pod 5 is ours.
          expect(kernel.passes(udp(addressOf(6, family), to), { from: 5 }), `${about}, others`).toBe(true);
        }
      }
      pods.compiler.removeEndpoint('pod shop/pod2');
      await pods.flush();
      for (const family of FAMILIES)
        expect(kernel.passes(udp(STRANGER[family], addressOf(3, family)), { from: 2 })).toBe(true);
    });

    test('are out of reach as long as nobody knows them, but for their own node', async () => {
      using pods = new Enforced(mode);
      const { kernel } = pods;
      pods.attach(2, 'closed');
      pods.attach(3, 'open');
      await pods.flush();
      const [from, to] = [addressOf(2, 4), addressOf(2, 6)];
      for (const family of FAMILIES) {
        const [unknown, open] = [addressOf(2, family), addressOf(3, family)];
        expect(kernel.passes(tcp(unknown, open)), `IPv${family} from it`).toBe(false);
        expect(kernel.passes(tcp(open, unknown)), `IPv${family} to it`).toBe(false);
        expect(kernel.passes(tcp(STRANGER[family], unknown))).toBe(false);
        expect(kernel.passes(tcp(unknown, NODE_ADDRESSES[family]))).toBe(false);
        expect(kernel.passes(tcp(open, STRANGER[family]))).toBe(true);
      }
      kernel.received(2);
      kernel.sh(`ping -c1 -W0.1 ${from} || true; ping -c1 -W0.1 ${to} || true`);
      const probes = kernel.received(2).map((bytes) => (mode === 'routed' ? bytes : bytes.subarray(14)));
      expect(probes.filter((bytes) => bytes[0] === 0x45 && bytes[9] === 1)).toHaveLength(1);
      expect(probes.filter((bytes) => bytes[0] === 0x60 && bytes[40] === 128)).toHaveLength(1);
      pods.know(2);
      await pods.flush();
      for (const family of FAMILIES)
        expect(kernel.passes(tcp(STRANGER[family], addressOf(2, family)))).toBe(true);
    });

    test('reach themselves by a service, whatever policies say, and others by it as policies say', async () => {
      using pods = new Enforced(mode);
      const { kernel } = pods;
      for (const number of [2, 3]) {
        pods.attach(number);
        pods.know(number);
        pods.isolate(number, { ingress: [], egress: [] });
      }
      await pods.flush();
      kernel.sh(`nft -f - <<'END'
table inet service {
  chain p { type nat hook prerouting priority dstnat
    ip daddr 10.96.0.1 dnat ip to ${addressOf(2, 4)}
    ip6 daddr fd96::1 dnat ip6 to ${addressOf(2, 6)}
  }
}
END`);
      for (const [family, service] of [
        [4, '10.96.0.1'],
        [6, 'fd96::1'],
      ] as const) {
        const arrives = (from: number): boolean => {
          kernel.received(2);
          kernel.passes(udp(addressOf(from, family), service));
          const wanted = Buffer.from(ipBytes(addressOf(from, family)));
          return kernel.received(2).some((bytes) => Buffer.from(bytes).includes(wanted));
        };
        expect([arrives(2), arrives(3)], `IPv${family}`).toEqual([true, false]);
      }
      pods.isolate(3, { egress: [allow({}, { selector: ofPod(2) })] });
      pods.isolate(2, { ingress: [allow({ selector: ofPod(3) })] });
      await pods.flush();
      expect(kernel.passes(udp(addressOf(3, 4), addressOf(2, 4)))).toBe(true);
    });

    test('keep a flow that was allowed when it began, until it is marked to be cut', async () => {
      using pods = new Enforced(mode);
      const { kernel } = pods;
      pods.attach(2);
      pods.know(2);
      await pods.flush();
      for (const family of FAMILIES) {
        const out = udp(addressOf(2, family), STRANGER[family]);
        const back: Flow = { ...udp(STRANGER[family], addressOf(2, family), 40_000), sourcePort: 80 };
        expect([kernel.passes(out), kernel.passes(back)], `IPv${family}`).toEqual([true, true]);
      }
      pods.isolate(2, { ingress: [], egress: [] });
      await pods.flush();
      for (const family of FAMILIES) {
        const out = udp(addressOf(2, family), STRANGER[family]);
        const back: Flow = { ...udp(STRANGER[family], addressOf(2, family), 40_000), sourcePort: 80 };
        expect([kernel.passes(out), kernel.passes(back)], `IPv${family} kept`).toEqual([true, true]);
        expect(kernel.passes({ ...out, destinationPort: 81 }), `IPv${family} new`).toBe(false);
      }
      kernel.sh(
        `nft 'table inet cut { chain p { type filter hook prerouting priority 0; ct mark set ct mark | 0x00800000; }; }'`,
      );
      for (const family of FAMILIES)
        expect(kernel.passes(udp(addressOf(2, family), STRANGER[family])), `IPv${family} cut`).toBe(false);
    });

    test('are asked about what no connection is known of, and whatever mark others have set, which stays theirs', async () => {
      using pods = new Enforced(mode);
      const { kernel } = pods;
      for (const number of [2, 3]) {
        pods.attach(number);
        pods.know(number);
      }
      const port = (number: number): EndMatch => ({ ports: [{ from: number, to: number }] });
      pods.isolate(2, { egress: [allow({}, port(80), 17), allow({}, port(81), 17)] });
      pods.isolate(3, { ingress: [allow({}, port(80), 17)] });
      await pods.flush();
      const expectAsked = (when: string): void => {
        for (const family of FAMILIES) {
          const [from, to, stranger] = [addressOf(2, family), addressOf(3, family), STRANGER[family]];
          const flows = [udp(from, to, 80), udp(from, stranger, 81), udp(stranger, to, 80)];
          const refused = [udp(from, to, 81), udp(from, stranger, 82), udp(stranger, to, 81)];
          expect(
            [...flows, ...refused].map((flow) => kernel.passes(flow)),
            `IPv${family} ${when}`,
          ).toEqual([true, true, true, false, false, false]);
        }
      };
      kernel.sh(
        `nft 'table inet others { counter marked { }; counter changed { }
          chain p { type filter hook prerouting priority 0; meta mark set 0xffdfffff; };
          chain q { type filter hook postrouting priority 0; meta l4proto udp meta mark & 0x00200000 != 0 counter name marked; meta l4proto udp meta mark & 0xffdfffff != 0xffdfffff counter name changed; }; }'`,
      );
      expectAsked('tracked');
      kernel.sh(`nft 'add rule inet others p meta mark set 0xffffffff'`);
      expectAsked('marked');
      expect(kernel.sh('nft list counters table inet others').match(/packets \d+/g)).toEqual([
        'packets 0',
        'packets 0',
      ]);
      kernel.sh(
        `nft 'table inet untracked { chain p { type filter hook prerouting priority raw; notrack; }; }'`,
      );
      expectAsked('untracked');
    });

    test('have rules with other sets when a net is among the addresses of one, and again when it is not', async () => {
      using pods = new Enforced(mode);
      const { kernel } = pods;
      for (const number of [2, 3, 4]) {
        pods.attach(number);
        pods.know(number);
      }
      const partners: Member = { ...podMember(3, []), key: 'set shop/partners', kind: 'network-set' };
      const reach = (): boolean[] =>
        FAMILIES.flatMap((family) =>
          [addressOf(3, family), addressOf(4, family), STRANGER[family]].map((from) =>
            kernel.passes(tcp(from, addressOf(2, family))),
          ),
        );
      pods.isolate(2, { ingress: [allow({ selector: ofPod(3) })] });
      await pods.flush();
      expect(reach()).toEqual([true, false, false, true, false, false]);
      pods.graph.upsertMember({
        ...partners,
        kind: 'network-set',
        nets: ['192.0.2.0/24', '192.0.2.9/32', '10.1.1.3/32', '2001:db8::/32'],
      });
      await pods.flush();
      expect(reach()).toEqual([true, false, true, true, false, true]);
      pods.graph.upsertMember({ ...partners, nets: ['192.0.2.9/32'] });
      await pods.flush();
      expect(reach()).toEqual([true, false, true, true, false, false]);
      pods.graph.removeMember(partners.key);
      await pods.flush();
      expect(reach()).toEqual([true, false, false, true, false, false]);
    });

    test('find their neighbours on their link, and nobody by the messages for that elsewhere', async () => {
      using pods = new Enforced(mode);
      for (const number of [2, 3]) {
        pods.attach(number);
        pods.know(number);
        pods.isolate(number, { ingress: [], egress: [] });
      }
      await pods.flush();
      const solicits = (hopLimit: number): boolean =>
        pods.kernel.passes(
          {
            source: addressOf(2, 6),
            destination: addressOf(3, 6),
            protocol: 58,
            icmp: { type: 135, code: 0 },
          },
          { hopLimit },
        );
      expect([solicits(255), solicits(254)]).toEqual([mode !== 'routed', false]);
    });

    if (mode !== 'routed')
      test('do not get past by a VLAN', async () => {
        using pods = new Enforced(mode);
        const { kernel } = pods;
        for (const number of [2, 3, 4]) {
          pods.attach(number);
          pods.know(number);
        }
        pods.isolate(3, { ingress: [allow({ selector: ofPod(4) })] });
        await pods.flush();
        for (const family of FAMILIES) {
          const arrives = (from: number, source: string): boolean => {
            const packet = packetOf(udp(source, addressOf(3, family)), { payload: 'tagged' });
            const tag = Buffer.from(family === 4 ? '00070800' : '000786dd', 'hex');
            kernel.received(3);
            kernel.send(from, frame(macOf(3), macOf(from), 0x8100, Buffer.concat([tag, packet])));
            return kernel.received(3).some((each) => Buffer.from(each).includes('tagged'));
          };
          const mine = (from: number): boolean => arrives(from, addressOf(from, family));
          expect([mine(2), mine(4)], `IPv${family}`).toEqual([false, true]);
          expect(arrives(4, addressOf(2, family)), `IPv${family} another's`).toBe(false);
          expect(arrives(2, addressOf(4, family)), `IPv${family} another's`).toBe(false);
        }
      });

    test('leave nothing of theirs behind', async () => {
      using pods = new Enforced(mode);
      const { kernel } = pods;
      await pods.flush();
      const before = kernel.sh('nft list ruleset');
      for (const number of [2, 3]) {
        pods.attach(number);
        pods.know(number);
        pods.isolate(number, {
          ingress: [allow({ nets: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.0/24'] })],
          egress: [allow({}, { ports: [{ from: 1, to: 2 }, { from: 5, to: 5 }, { name: 'http' }] }, 6)],
        });
        await pods.flush();
      }
      expect(kernel.sh('nft list ruleset')).not.toBe(before);
      for (const number of [2, 3]) {
        pods.compiler.removeEndpoint(`pod shop/pod${number}`);
        pods.graph.unsetLocal(`pod shop/pod${number}`);
        await pods.flush();
      }
      expect(kernel.sh('nft list ruleset')).toBe(before);
    });
  });
}
