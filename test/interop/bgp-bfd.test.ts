/** BFD with BIRD and FRR, on the link and across a router, and how soon a cut is noticed. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type BfdPhase, encodeBfd } from '#core/bgp/bfd/index.ts';
import { BfdEndpoint, type BfdHandle } from '#io/bgp/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { BgpLan } from './bgp/lan.ts';
import { Bird, Frr } from './bgp/peers.ts';

const lan = new BgpLan('us', 'bird', 'frr');
const us = lan.node('us');
let bird: Bird;
let frr: Frr;

const INTERVAL_MS = 100;
const MULTIPLIER = 3;

const BIRD = `
router id 10.77.0.2;
protocol device {}
protocol bfd {
  interface "eth0" { min rx interval ${INTERVAL_MS} ms; min tx interval ${INTERVAL_MS} ms; multiplier ${MULTIPLIER}; };
  multihop { min rx interval ${INTERVAL_MS} ms; min tx interval ${INTERVAL_MS} ms; multiplier ${MULTIPLIER}; };
  neighbor 10.77.0.1 dev "eth0" local 10.77.0.2;
  neighbor fd00:77::1 dev "eth0" local fd00:77::2;
  neighbor 10.77.0.1 local 10.77.0.2 multihop on;
  neighbor fd00:77::1 local fd00:77::2 multihop on;
}
`;
const peerOfFrr = (remote: string, local: string) => `
 peer ${remote} local-address ${local} interface eth0
  transmit-interval ${INTERVAL_MS}
  receive-interval ${INTERVAL_MS}
  detect-multiplier ${MULTIPLIER}
 exit`;
const FRR = `
bfd${peerOfFrr('10.77.0.1', '10.77.0.3')}${peerOfFrr('fd00:77::1', 'fd00:77::3')}
exit`;

beforeAll(async () => {
  [bird, frr] = await Promise.all([Bird.start(lan, 'bird', BIRD), Frr.start(lan, 'frr', FRR, { bfd: true })]);
}, 60_000);

afterAll(async () => {
  await Promise.all([bird?.end(), frr?.end()]);
  lan[Symbol.dispose]();
});

interface Change {
  readonly phase: BfdPhase;
  readonly diagnostic: number;
  readonly atMs: number;
}

class Watch implements Disposable {
  readonly changes: Change[] = [];
  readonly handle: BfdHandle;
  readonly #endpoint: BfdEndpoint;

  constructor(peer: 'bird' | 'frr', family: 4 | 6, hops: 'single' | 'multi' = 'single') {
    const node = lan.node(peer);
    this.#endpoint = new BfdEndpoint({ clock: systemClock, random: systemRandom, namespace: us.namespace });
    this.handle = this.#endpoint.add({
      local: family === 4 ? us.ipv4 : us.ipv6,
      remote: family === 4 ? node.ipv4 : node.ipv6,
      hops,
      minTxMs: INTERVAL_MS,
      minRxMs: INTERVAL_MS,
      multiplier: MULTIPLIER,
      onPhase: (phase, diagnostic) => this.changes.push({ phase, diagnostic, atMs: performance.now() }),
    });
  }

  /** After how long without a packet the peer is given up. */
  get detectionMs(): number {
    const { remoteMultiplier, usedRxUs, remoteMinTxUs } = this.handle.state;
    return (remoteMultiplier * Math.max(usedRxUs, remoteMinTxUs)) / 1000;
  }

  [Symbol.dispose](): void {
    this.#endpoint[Symbol.dispose]();
  }

  until(phase: BfdPhase): Promise<Change> {
    return vi.waitFor(
      () => {
        const last = this.changes.at(-1);
        if (last?.phase !== phase) throw new Error(`${phase}: ${JSON.stringify(this.changes)}`);
        return last;
      },
      { timeout: 15_000, interval: 10 },
    );
  }

  /** Up, and agreed on the short intervals. */
  async ready(): Promise<void> {
    await this.until('up');
    await vi.waitFor(
      () => {
        const { isPolling, remoteMinTxUs } = this.handle.state;
        expect([isPolling, remoteMinTxUs]).toEqual([false, INTERVAL_MS * 1000]);
      },
      { timeout: 10_000, interval: 10 },
    );
  }
}

describe.each(['bird', 'frr'] as const)('%s', (peer) => {
  test.each([4, 6] as const)(
    'comes up over IPv%i, and a cut is noticed within three intervals',
    async (family) => {
      using watch = new Watch(peer, family);
      await watch.ready();
      const cutAtMs = performance.now();
      lan.cut(peer);
      try {
        const detectionMs = watch.detectionMs;
        const { diagnostic, atMs } = await watch.until('down');
        expect(diagnostic).toBe(1);
        // Three intervals, which the detection time is, and what a machine with other work adds to them.
        expect(detectionMs).toBe(INTERVAL_MS * MULTIPLIER);
        expect(atMs - cutAtMs).toBeLessThan(2000);
      } finally {
        lan.mend(peer);
      }
      await watch.ready();
    },
  );

  test('is told that we go, which is no failure', async () => {
    const watch = new Watch(peer, 4);
    await watch.ready();
    watch[Symbol.dispose]();
    await vi.waitFor(
      () => expect(stateAt(peer)).toMatch(/Down|AdminDown|"remote-diagnostic":"administratively down"/i),
      {
        timeout: 5000,
      },
    );
  });
});

function stateAt(peer: 'bird' | 'frr'): string {
  return peer === 'bird' ? bird.ctl('show bfd sessions') : frr.vtysh('show bfd peers json');
}

test.each([4, 6] as const)('BIRD comes up across routers over IPv%i', async (family) => {
  using watch = new Watch('bird', family, 'multi');
  await watch.ready();
});

test.each([4, 6] as const)(
  'a packet of IPv%i from farther than the link is not heard, nor one of nobody',
  async (family) => {
    using watch = new Watch('bird', family);
    await watch.ready();
    const down = encodeBfd({
      phase: 'down',
      diagnostic: 0,
      isPoll: false,
      isFinal: false,
      isIndependent: false,
      isDemand: false,
      detectMultiplier: 3,
      myDiscriminator: 99,
      yourDiscriminator: watch.handle.state.config.discriminator,
      desiredMinTxUs: 1_000_000,
      requiredMinRxUs: 1_000_000,
      requiredMinEchoRxUs: 0,
    });
    const send = (node: string, ttl: number, bytes: Uint8Array) =>
      execFileSync('nsenter', [
        `--net=${lan.node(node).namespace.path}`,
        'python3',
        '-c',
        `import socket; s = socket.socket(${family === 4 ? 2 : 10}, socket.SOCK_DGRAM); s.setsockopt(${family === 4 ? '0, 2' : '41, 16'}, ${ttl}); s.sendto(bytes.fromhex('${Buffer.from(bytes).toString('hex')}'), ('${family === 4 ? us.ipv4 : us.ipv6}', 3784))`,
      ]);
    send('bird', 254, down);
    send('frr', 255, down);
    send('bird', 255, down.subarray(0, 20));
    // What was sent before would have been heard before what follows; the first fall is that of the start.
    send('bird', 255, down);
    await vi.waitFor(() => expect(watch.changes.filter(({ phase }) => phase === 'down')).toHaveLength(2));
  },
);

test('a session that is there twice is refused', () => {
  using endpoint = new BfdEndpoint({ clock: systemClock, random: systemRandom, namespace: us.namespace });
  const peer = {
    local: us.ipv4,
    remote: '10.77.0.9',
    hops: 'single' as const,
    minTxMs: 100,
    minRxMs: 100,
    multiplier: 3,
    onPhase: () => {},
  };
  endpoint.add(peer);
  expect(() => endpoint.add(peer)).toThrow('bfd session with 10.77.0.9 is there twice');
  const options = { clock: systemClock, random: systemRandom, namespace: us.namespace };
  expect(() => new BfdEndpoint(options)).toThrow('EADDRINUSE');
});
