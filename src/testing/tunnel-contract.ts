/**
 * What every Kernel does with tunnels: IP in IP and WireGuard. Beside kernel-contract.ts, for few kernels at hand have them.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  describeObject,
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  OVERLAY,
  ownerOf,
  plan,
  stateOf,
  type WireguardDevice,
  type WireguardPeer,
} from '#core/kernel/index.ts';
import type { WireguardConfig } from '#core/lease/index.ts';
import {
  ipipBackend,
  type LocalSubnet,
  type RemoteSubnet,
  type Underlay,
  type WireguardNode,
  wireguardBackend,
} from '#core/overlay/index.ts';
import type { KernelUnderTest } from './kernel-contract.ts';

/** What the contract of tunnels needs beside. */
export interface TunnelKernelUnderTest extends KernelUnderTest {
  /** Changes an object as other software would. */
  changeForeign(object: KernelObject, previous: KernelObject): Promise<void>;
}

const UNDERLAY: Underlay = {
  link: 'under0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24', '2001:db8::/64'],
  advertisedLinks: [],
};
const UNDERLAY_OBJECTS: readonly KernelObject[] = [
  { kind: 'link', name: 'under0', detail: { type: 'bridge' }, up: true },
  { kind: 'address', link: 'under0', address: '192.0.2.1/24' },
  { kind: 'address', link: 'under0', address: '2001:db8::1/64', noDad: true },
];
const OWN = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' };

/** A key of 32 like bytes; clamped as it is. */
const key = (byte: number) => btoa(String.fromCharCode(...Array<number>(32).fill(byte)));
const PSK = key(0x33);
const NODE: WireguardNode = {
  keys: { privateKey: key(0x40), publicKey: key(0x41) },
  own: OWN,
  networks: ['10.10.0.0/16', 'fd10::/16'],
};
const WIREGUARD: WireguardConfig = {
  type: 'wireguard',
  listenPort: 51_820,
  listenPortV6: 51_821,
  mode: 'separate',
  persistentKeepaliveSec: 0,
};

const LOCALS: readonly LocalSubnet[] = [
  { node: 'n1', family: 4, subnet: '10.10.16.0/20', publicIp: '192.0.2.1' },
  { node: 'n1', family: 6, subnet: 'fd10:1::/64', publicIp: '2001:db8::1' },
];
const remotes = (n: number, host = n, publicKey = key(0x60 + n)): RemoteSubnet[] => [
  {
    node: `n${n}`,
    family: 4,
    subnet: `10.10.${16 * n}.0/20`,
    publicIp: `198.51.100.${host}`,
    backendData: { PublicKey: publicKey },
  },
  {
    node: `n${n}`,
    family: 6,
    subnet: `fd10:${n}::/64`,
    publicIp: `2001:db8:1::${host}`,
    backendData: { PublicKey: publicKey },
  },
];

const ipip = ipipBackend({ type: 'ipip', directRouting: false }, UNDERLAY, OWN);
const wireguard = (config: Partial<WireguardConfig> = {}, node = NODE) =>
  wireguardBackend({ ...WIREGUARD, ...config }, UNDERLAY, node);

/** A whole wish; of a peer that both families want, the first counts. */
function wish(
  backend: ReturnType<typeof wireguard>,
  locals: readonly LocalSubnet[],
  others: readonly RemoteSubnet[],
): readonly KernelObject[] {
  const objects = new Map<string, KernelObject>();
  for (const planned of [backend.planLocal(locals), ...others.map((each) => backend.planRemote(each))]) {
    if (typeof planned === 'string') throw new Error(planned);
    for (const object of planned) if (!objects.has(keyOf(object))) objects.set(keyOf(object), object);
  }
  return [...objects.values()];
}

const TWO_NODES = wish(wireguard(), LOCALS, [...remotes(2), ...remotes(3)]);

/** Named states; each is a whole wish. */
const STATES: Readonly<Record<string, readonly KernelObject[]>> = {
  nothing: [],
  'ipip with nodes 2 and 3': wish(ipip, LOCALS, [...remotes(2), ...remotes(3)]),
  'ipip, node 2 moved': wish(ipip, LOCALS, remotes(2, 9)),
  'wireguard alone': wish(wireguard(), LOCALS, []),
  'wireguard with nodes 2 and 3': TWO_NODES,
  'wireguard, node 2 with another key': wish(wireguard(), LOCALS, [
    ...remotes(2, 2, key(0x70)),
    ...remotes(3),
  ]),
  'wireguard, node 2 moved, its subnet is node 3': wish(wireguard(), LOCALS.slice(0, 1), [
    ...remotes(2, 9).slice(0, 1),
    { ...(remotes(3)[0] as RemoteSubnet), subnet: '10.10.32.0/24' },
  ]),
  'wireguard in one device, with a secret and keepalives': wish(
    wireguard({ mode: 'auto', psk: PSK, persistentKeepaliveSec: 25 }),
    LOCALS,
    [...remotes(2), ...remotes(3)],
  ),
  'wireguard with a key of its own, and another port': wish(
    wireguard({ listenPort: 51_830 }, { ...NODE, keys: { privateKey: key(0x48), publicKey: key(0x42) } }),
    LOCALS,
    remotes(2),
  ),
};

/** Defines the tests; `create` makes a kernel without objects of ours, `steps` say how far a walk through the states goes each time. */
export function tunnelContract(
  name: string,
  create: () => Promise<TunnelKernelUnderTest>,
  steps: readonly number[] = Object.keys(STATES).map((_, at) => at),
): void {
  describe(`${name} as a Kernel with tunnels`, () => {
    let under: TunnelKernelUnderTest;
    beforeEach(async () => {
      under = await create();
      await under.addForeign(...UNDERLAY_OBJECTS);
    });
    afterEach(() => under[Symbol.asyncDispose]());

    const planned = (wanted: readonly KernelObject[]): readonly KernelOp[] => {
      under.kernel.trackSysctls(['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding']);
      const { ops, conflicts } = plan(stateOf(wanted), under.kernel.state(), { owners: [OVERLAY] });
      expect(conflicts).toEqual([]);
      return ops;
    };

    async function reach(wanted: readonly KernelObject[]): Promise<string[]> {
      const ops = planned(wanted);
      expect((await under.kernel.apply(ops)).failures).toEqual([]);
      return ops.map((op) => `${op.verb} ${keyOf(op.object)}`);
    }

    /** As another program leaves the kernel, and the next whole comparison finds it. */
    async function found(wanted: readonly KernelObject[]): Promise<string[]> {
      under.kernel.refresh();
      const done = await reach(wanted);
      expect(planned(wanted)).toEqual([]);
      return done;
    }

    function ours(state: KernelState): string[] {
      return [...state.values()]
        .filter((object) => ownerOf(object, state) === OVERLAY)
        .map((object) => {
          // Which key the kernel has is part of the state.
          if (object.kind === 'wireguard-device') return `${describeObject(object)} ${object.privateKey}`;
          if (object.kind === 'wireguard-peer') return `${describeObject(object)} ${object.presharedKey}`;
          return object.kind === 'link' ? `link ${object.name}` : describeObject(object);
        })
        .sort();
    }

    it('ends in the same state whatever states came before, and a second plan is empty', async () => {
      const fresh = new Map<string, string[]>();
      for (const [state, wanted] of Object.entries(STATES)) {
        await reach([]);
        await reach(wanted);
        fresh.set(state, ours(under.kernel.state()));
      }
      const names = Object.keys(STATES);
      for (const step of steps) {
        for (let at = 0, walked = 0; walked <= names.length; walked++, at = (at + step) % names.length) {
          const state = names[at] as string;
          const wanted = STATES[state] as readonly KernelObject[];
          await reach(wanted);
          expect(planned(wanted), `step ${step} to ${state}`).toEqual([]);
          expect(ours(under.kernel.state()), `step ${step} to ${state}`).toEqual(fresh.get(state));
        }
      }
      await reach(Object.values(STATES).at(-1) as readonly KernelObject[]);
      under.kernel.refresh();
      const last = Object.values(STATES).at(-1) as readonly KernelObject[];
      expect(planned(last)).toEqual([]);
    });

    it('restores what another program takes from a tunnel, and nothing else', async () => {
      for (const state of ['ipip with nodes 2 and 3', 'wireguard with nodes 2 and 3']) {
        const wanted = STATES[state] as readonly KernelObject[];
        await reach(wanted);
        for (const object of wanted) {
          if (object.kind === 'sysctl' || object.kind.startsWith('nft-')) continue;
          await under.removeForeign(object);
          expect(await found(wanted), keyOf(object)).toContain(`add ${keyOf(object)}`);
        }
        await reach([]);
      }
    });

    it('takes away what another program gives to a device of ours', async () => {
      const peer: WireguardPeer = { kind: 'wireguard-peer', link: 'flannel-wg', publicKey: key(0x7f) };
      const stranger = { kind: 'wireguard-allowed-ip', link: peer.link, publicKey: peer.publicKey } as const;
      await reach(TWO_NODES);
      await under.addForeign(
        peer,
        { ...stranger, prefix: '10.99.0.0/16' },
        // A prefix has one peer: this one is taken from node 2.
        { ...stranger, prefix: '10.10.32.0/20' },
      );
      expect(planned(TWO_NODES)).toEqual([]);
      const done = await found(TWO_NODES);
      expect(done).toContain(`remove ${keyOf(peer)}`);
      expect(done).toContain('replace wireguard allowed-ip 10.10.32.0/20 dev flannel-wg');
    });

    it('takes one prefix from a peer and leaves it its others', async () => {
      await reach(TWO_NODES);
      const subnet = 'wireguard allowed-ip 10.10.32.0/20 dev flannel-wg';
      const fewer = TWO_NODES.filter((object) => keyOf(object) !== subnet);
      expect(await reach(fewer)).toEqual([`remove ${subnet}`]);
      expect(planned(fewer)).toEqual([]);
    });

    it('does not fight with a peer that roams, and moves it when its lease does', async () => {
      const peerOf = (objects: readonly KernelObject[]) =>
        objects.find(
          (object): object is WireguardPeer =>
            object.kind === 'wireguard-peer' &&
            object.publicKey === key(0x62) &&
            object.link === 'flannel-wg',
        ) as WireguardPeer;
      await reach(TWO_NODES);
      const peer = peerOf(TWO_NODES);
      await under.changeForeign({ ...peer, endpoint: { address: '203.0.113.7', port: 4711 } }, peer);
      expect(await found(TWO_NODES)).toEqual([]);
      const moved = wish(wireguard(), LOCALS, [...remotes(2, 9), ...remotes(3)]);
      expect(await reach(moved)).toContain(`replace ${keyOf(peer)}`);
      expect(await found(moved)).toEqual([]);
    });

    it('tells neither private nor preshared keys in what it says of failures', async () => {
      const device: WireguardDevice = {
        kind: 'wireguard-device',
        link: 'under0',
        privateKey: NODE.keys.privateKey,
      };
      const peer: WireguardPeer = {
        kind: 'wireguard-peer',
        link: 'none0',
        publicKey: key(0x62),
        presharedKey: PSK,
      };
      const { failures, applied } = await under.kernel.apply([
        { verb: 'add', object: device },
        { verb: 'add', object: peer },
      ]);
      expect(applied).toBe(0);
      expect(failures.map(({ code }) => code)).toEqual(['EOPNOTSUPP', 'ENODEV']);
      const said = failures.map(({ message }) => message).join();
      expect(said).not.toContain(NODE.keys.privateKey);
      expect(said).not.toContain(PSK);
    });
  });
}
