/** The client walked through RFC 2131 figure 5 with a server in memory, an honest one and others. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newDhcpClient, stepDhcp } from './client.ts';
import type { DhcpAction, DhcpEvent, DhcpState } from './client-types.ts';
import {
  type DhcpMessage,
  decodeMessage,
  encodeMessage,
  type OptionValue,
  optionOf,
  optionRow,
} from './message.ts';
import { MESSAGE_TYPE, OPTION_CODECS } from './options.ts';

const MAC = '02:00:00:00:00:01';
const SERVER = '10.90.0.1';
type Options = { readonly [N in keyof typeof OPTION_CODECS]?: OptionValue<N> };

/** Numbers that repeat: the jitter is known. */
const middle = () => 0.5;

class Walk {
  state: DhcpState = newDhcpClient({
    mac: MAC,
    broadcast: false,
    provide: new Map([optionRow('clientId', Uint8Array.of(0, 1))]),
    request: [121, 1, 3],
  });
  nowMs = 1_000_000;
  log: DhcpAction[] = [];

  step(event: DhcpEvent): DhcpAction[] {
    const { state, actions } = stepDhcp(this.state, event, middle);
    this.state = state;
    this.log.push(...actions);
    return [...actions];
  }

  start = () => this.step({ type: 'start', atMs: this.nowMs });

  /** Lets time pass until the client is due, and gives what it does then. */
  wake(): DhcpAction[] {
    expect(this.state.wakeAtMs).toBeDefined();
    this.nowMs = Math.max(this.nowMs, this.state.wakeAtMs ?? 0);
    return this.step({ type: 'time', atMs: this.nowMs });
  }

  answer(
    type: keyof typeof MESSAGE_TYPE,
    options: Options = {},
    over: Partial<DhcpMessage> = {},
  ): DhcpAction[] {
    const all: Options = {
      serverId: SERVER,
      leaseTime: 3600,
      subnetMask: '255.255.255.0',
      routers: [SERVER],
      ...options,
    };
    const rows = Object.entries({ messageType: MESSAGE_TYPE[type], ...all })
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => optionRow(name as keyof typeof OPTION_CODECS, value as never));
    const message: DhcpMessage = {
      op: 2,
      xid: this.state.xid,
      secs: 0,
      broadcast: false,
      clientAddress: '0.0.0.0',
      yourAddress: '10.90.0.10',
      relay: '0.0.0.0',
      mac: MAC,
      options: new Map(rows),
      ...over,
    };
    // Over the wire, as from a server.
    return this.step({ type: 'message', atMs: this.nowMs, message: decodeMessage(encodeMessage(message)) });
  }

  bind(options: Options = {}): this {
    this.start();
    this.answer('offer', options);
    this.answer('ack', options);
    expect(this.state.phase).toBe('bound');
    return this;
  }
}

/** What was sent, in the words of the RFC. */
function sent(actions: readonly DhcpAction[]) {
  return actions.flatMap((action) => {
    if (action.type !== 'send') return [];
    const { message, from, to } = action;
    return [
      {
        type: optionOf(message.options, 'messageType'),
        from,
        to,
        ciaddr: message.clientAddress,
        requested: optionOf(message.options, 'requestedAddress'),
        server: optionOf(message.options, 'serverId'),
      },
    ];
  });
}
const kinds = (actions: readonly DhcpAction[]) => actions.map(({ type }) => type);
const nobody = { requested: undefined, server: undefined };
const ANY = { from: '0.0.0.0', to: '255.255.255.255', ciaddr: '0.0.0.0' };

describe('an honest server', () => {
  test('is discovered, asked, and gives a lease with T1 and T2 at one half and seven eighths', () => {
    const walk = new Walk();
    expect(sent(walk.start())).toEqual([{ type: 1, ...ANY, ...nobody }]);
    expect(walk.state.phase).toBe('selecting');
    expect(sent(walk.answer('offer'))).toEqual([
      { type: 3, ...ANY, requested: '10.90.0.10', server: SERVER },
    ]);
    expect(walk.state.phase).toBe('requesting');
    const [granted] = walk.answer('ack');
    expect(granted).toMatchObject({
      type: 'granted',
      lease: {
        address: '10.90.0.10/24',
        router: SERVER,
        routes: [{ destination: '0.0.0.0/0', router: SERVER }],
        renewAtMs: 1_000_000 + 1_800_000,
        rebindAtMs: 1_000_000 + 3_150_000,
        expiresAtMs: 1_000_000 + 3_600_000,
      },
    });
    expect(walk.state).toMatchObject({ phase: 'bound', wakeAtMs: 1_000_000 + 1_800_000 });
  });

  test('renews by unicast from the address, without naming it otherwise', () => {
    const walk = new Walk().bind();
    expect(sent(walk.wake())).toEqual([
      { type: 3, from: '10.90.0.10', to: SERVER, ciaddr: '10.90.0.10', ...nobody },
    ]);
    expect(walk.state.phase).toBe('renewing');
    const at = walk.nowMs;
    expect(walk.answer('ack')).toMatchObject([
      { type: 'granted', previous: {}, lease: { expiresAtMs: at + 3_600_000 } },
    ]);
    expect(walk.state.phase).toBe('bound');
  });

  test('that went away is asked at T1, half-way, and by broadcast from T2; at the end the address is lost', () => {
    const walk = new Walk().bind();
    const seen: [string, number, string | undefined][] = [];
    while (walk.state.lease !== undefined) {
      const actions = walk.wake();
      seen.push([walk.state.phase, (walk.nowMs - 1_000_000) / 1000, sent(actions)[0]?.to]);
    }
    const times = seen.map(([phase, at]) => `${phase} ${at}`);
    expect(times.slice(0, 3)).toEqual(['renewing 1800', 'renewing 2475', 'renewing 2812.5']);
    expect(times).toContain('rebinding 3150');
    expect(seen.at(-1)).toEqual(['selecting', 3600, '255.255.255.255']);
    expect(walk.log.filter(({ type }) => type === 'lost')).toMatchObject([{ reason: 'it expired' }]);
    // RFC 2131 section 4.4.5: no more often than once a minute.
    for (const phase of ['renewing', 'rebinding']) {
      const at = seen.filter(([each]) => each === phase).map(([, seconds]) => seconds);
      expect(
        Math.min(...at.slice(1).map((seconds, index) => seconds - (at[index] ?? 0))),
      ).toBeGreaterThanOrEqual(60);
    }
    expect(sent(walk.log.slice(-1))[0]).toMatchObject({ type: 1, requested: '10.90.0.10' });
  });

  test('is asked again with growing delays', () => {
    const walk = new Walk();
    walk.start();
    const at = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(() => {
      const before = walk.nowMs;
      expect(sent(walk.wake())).toHaveLength(1);
      return (walk.nowMs - before) / 1000;
    });
    expect(at).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64]);
  });

  test('that offers and is gone is forgotten after four requests', () => {
    const walk = new Walk();
    walk.start();
    walk.answer('offer');
    const types = [0, 1, 2, 3].map(() => sent(walk.wake())[0]?.type);
    expect(types).toEqual([3, 3, 3, 1]);
    expect(walk.state.phase).toBe('selecting');
  });

  test('gives a lease for ever, which is never renewed', () => {
    const walk = new Walk().bind({ leaseTime: 0xffffffff });
    expect(walk.state.wakeAtMs).toBeUndefined();
    expect(walk.step({ type: 'time', atMs: Number.MAX_SAFE_INTEGER })).toEqual([]);
  });
});

describe('a lease of before', () => {
  const leaseOfBefore = () => new Walk().bind().state.lease;

  test('is confirmed by a request without a discovery (INIT-REBOOT)', () => {
    const lease = leaseOfBefore();
    const walk = new Walk();
    const actions = walk.step({ type: 'start', atMs: walk.nowMs, ...(lease && { lease }) });
    expect(sent(actions)).toEqual([{ type: 3, ...ANY, requested: '10.90.0.10', server: undefined }]);
    expect(walk.state.phase).toBe('rebooting');
    expect(kinds(walk.answer('ack'))).toEqual(['granted']);
  });

  test('that is refused, or of which nobody knows, gives way to a discovery', () => {
    const lease = leaseOfBefore();
    for (const way of ['nak', 'silence']) {
      const walk = new Walk();
      walk.step({ type: 'start', atMs: walk.nowMs, ...(lease && { lease }) });
      if (way === 'nak') expect(kinds(walk.answer('nak'))).toEqual(['refused']);
      while (walk.state.phase !== 'selecting') walk.wake();
      expect(walk.state.lease).toBeUndefined();
    }
  });

  test.each([
    [1000, 'bound'],
    [2000, 'renewing'],
    [3200, 'rebinding'],
    [3601, 'selecting'],
  ])('is taken up after %i s as %s', (seconds, phase) => {
    const lease = leaseOfBefore();
    if (lease === undefined) throw new Error('no lease');
    const walk = new Walk();
    walk.step({ type: 'resume', atMs: 1_000_000 + seconds * 1000, lease });
    expect(walk.state.phase).toBe(phase);
  });
});

describe('the end of a lease', () => {
  test('by RELEASE is told to its server, and no event wakes the client again', () => {
    const walk = new Walk().bind();
    expect(sent(walk.step({ type: 'release', atMs: walk.nowMs }))).toEqual([
      { type: 7, from: '10.90.0.10', to: SERVER, ciaddr: '10.90.0.10', requested: undefined, server: SERVER },
    ]);
    expect(walk.state.phase).toBe('released');
    expect(walk.step({ type: 'time', atMs: walk.nowMs + 1e9 })).toEqual([]);
    expect(walk.answer('ack')).toEqual([]);
  });

  test('by a conflict is declined, and another is asked for after ten seconds', () => {
    const walk = new Walk().bind();
    const actions = walk.step({ type: 'conflict', atMs: walk.nowMs });
    expect(sent(actions)).toEqual([{ type: 4, ...ANY, requested: '10.90.0.10', server: SERVER }]);
    expect(kinds(actions)).toEqual(['send', 'lost']);
    const before = walk.nowMs;
    expect(sent(walk.wake())).toEqual([{ type: 1, ...ANY, ...nobody }]);
    expect(walk.nowMs - before).toBe(10_000);
  });

  test('by DHCPNAK takes the address away at once', () => {
    const walk = new Walk().bind();
    walk.wake();
    expect(walk.answer('nak', { message: 'wrong network' })).toMatchObject([
      { type: 'lost', reason: 'the server refuses it: wrong network' },
    ]);
    expect(sent(walk.wake())[0]?.type).toBe(1);
  });
});

describe('a hostile server', () => {
  test.each<[string, Options, Partial<DhcpMessage>]>([
    ['another xid', {}, { xid: 7 }],
    ['another client’s address', {}, { mac: '02:00:00:00:00:02' }],
    ['a request instead of a reply', {}, { op: 1 }],
    ['another server', { serverId: '10.90.0.66' }, {}],
    ['another address than offered', {}, { yourAddress: '10.90.0.11' }],
    ['no lease time', { leaseTime: undefined as never }, {}],
    ['a lease of no time', { leaseTime: 0 }, {}],
    ['no mask', { subnetMask: undefined as never }, {}],
    ['a mask with holes', { subnetMask: '255.0.255.0' }, {}],
    ['a mask of nothing', { subnetMask: '0.0.0.0' }, {}],
  ])('is not heeded with %s', (_what, options, over) => {
    const walk = new Walk();
    walk.start();
    walk.answer('offer');
    walk.answer('ack', options, over);
    expect(walk.state).toMatchObject({ phase: 'requesting' });
    expect(walk.state.lease).toBeUndefined();
    expect(kinds(walk.answer('ack'))).toEqual(['granted']);
  });

  test.each(['127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255'])('cannot offer %s', (yourAddress) => {
    const walk = new Walk();
    walk.start();
    expect(kinds(walk.answer('offer', {}, { yourAddress }))).toEqual(['refused']);
  });

  test('cannot take a lease away that is not being renewed, nor by another name', () => {
    const walk = new Walk().bind();
    expect(walk.answer('nak')).toEqual([]);
    walk.wake();
    expect(kinds(walk.answer('nak', { serverId: '10.90.0.66' }))).toEqual(['refused']);
    expect(walk.state.lease).toBeDefined();
  });

  test('cannot move a lease to another address', () => {
    const walk = new Walk().bind();
    walk.wake();
    expect(walk.answer('ack', {}, { yourAddress: '10.90.0.11' })).toMatchObject([
      { type: 'refused', reason: 'acknowledgement: 10.90.0.11 is granted, 10.90.0.10 was asked for' },
    ]);
  });

  test('with T1 behind T2 gets the usual times', () => {
    const walk = new Walk().bind({ renewalTime: 3000, rebindingTime: 10 });
    expect(walk.state.wakeAtMs).toBe(1_000_000 + 1_800_000);
  });

  test('that offers and refuses for ever is asked ever more rarely', () => {
    const walk = new Walk();
    walk.start();
    const waits = [0, 1, 2, 3, 4].map(() => {
      walk.answer('offer');
      walk.answer('nak');
      const before = walk.nowMs;
      walk.wake();
      return (walk.nowMs - before) / 1000;
    });
    expect(waits).toEqual([0, 1, 2, 4, 8]);
  });

  test('gives routes that count in the order of RFC 3442', () => {
    const staticRoutes = [
      { destination: '172.16.0.0', router: '10.90.0.7' },
      { destination: '0.0.0.0', router: '10.90.0.8' },
    ];
    expect(new Walk().bind({ staticRoutes }).state.lease?.routes).toEqual([
      { destination: '172.16.0.0/16', router: '10.90.0.7' },
      { destination: '0.0.0.0/0', router: SERVER },
    ]);
    const classlessRoutes = [
      { destination: '10.1.0.0/16', router: '0.0.0.0' },
      { destination: '10.2.0.0/16', router: '127.0.0.1' },
    ];
    expect(new Walk().bind({ staticRoutes, classlessRoutes }).state.lease?.routes).toEqual([
      classlessRoutes[0],
    ]);
  });
});

test('whatever comes in whatever order, a client has a lease if and only if it says so, and always wakes again', () => {
  const kind = fc.constantFrom('time', 'offer', 'ack', 'nak', 'conflict', 'skip', 'foreign');
  fc.assert(
    fc.property(fc.array(kind, { maxLength: 40 }), (events) => {
      const walk = new Walk();
      walk.start();
      for (const event of events) {
        if (event === 'time') walk.wake();
        else if (event === 'skip') walk.step({ type: 'time', atMs: (walk.nowMs += 2_000_000) });
        else if (event === 'conflict') walk.step({ type: 'conflict', atMs: walk.nowMs });
        else if (event === 'foreign') walk.answer('ack', { serverId: '10.90.0.66' });
        else walk.answer(event);
        const last = walk.log.findLast(({ type }) => type === 'granted' || type === 'lost');
        expect(walk.state.lease !== undefined).toBe(last?.type === 'granted');
        expect(walk.state.wakeAtMs).toBeDefined();
        expect(['bound', 'renewing', 'rebinding'].includes(walk.state.phase)).toBe(
          walk.state.lease !== undefined,
        );
      }
    }),
  );
});
