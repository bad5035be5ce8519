import { describe, expect, test } from 'vitest';
import type { SessionNews } from '../ports.ts';
import {
  type Capabilities,
  CEASE,
  ceaseOf,
  decodeMessage,
  describeNotification,
  ERROR,
  hardResetOf,
  type Message,
  notificationOf,
} from '../wire/index.ts';
import { newSession, stepSession } from './session.ts';
import type { Phase, SessionAction, SessionConfig, SessionEvent, SessionState, TimerName } from './types.ts';

const PLAIN = { addPathSend: false, addPathReceive: false, extendedNextHop: false };
const CONFIG: SessionConfig = {
  localAsn: 65_001,
  routerId: 0x0a000001,
  peerAddress: '10.0.0.2',
  peerAsn: 65_002,
  isPassive: false,
  families: new Map([
    [4, PLAIN],
    [6, PLAIN],
  ]),
  holdTimeSec: 90,
  connectRetrySec: 10,
  openDelaySec: 0,
  idleHoldSec: { initial: 1, max: 60 },
  hasExtendedMessages: true,
};
const RESTART = {
  restartTimeSec: 120,
  isRestarting: false,
  keepsAfterNotification: false,
  families: new Map([[4, { isForwardingKept: true }] as const]),
};
const GRACEFUL: SessionConfig = { ...CONFIG, restart: RESTART };
const LASTING: SessionConfig = { ...CONFIG, restart: { ...RESTART, keepsAfterNotification: true } };

const CAPABILITIES: Capabilities = {
  families: [4, 6],
  hasRouteRefresh: true,
  hasEnhancedRefresh: true,
  hasExtendedMessages: true,
  fourOctetAsn: 65_002,
  extendedNextHop: [],
  addPath: new Map(),
  longLived: new Map(),
};

const openOf = (changes: Partial<Capabilities> = {}, routerId = 0x0a000002): Message => {
  const capabilities = { ...CAPABILITIES, ...changes };
  return {
    type: 'open',
    open: { asn: capabilities.fourOctetAsn ?? 65_002, holdTimeSec: 30, routerId, capabilities },
  };
};
const KEEPALIVE: Message = { type: 'keepalive' };
const END_OF_RIB: Message = { type: 'update', body: new Uint8Array(4) };
const REFRESH: Message = { type: 'refresh', refresh: { afi: 1, safi: 1, subtype: 'request' } };
const DOWN: Message = { type: 'notification', notification: ceaseOf(CEASE.shutdown, 'bye') };

/** Timers are not spread with this. */
const calm = () => 0;

class Walk {
  state: SessionState;
  actions: SessionAction[] = [];

  constructor(config: SessionConfig = CONFIG) {
    this.state = newSession(config);
  }

  do(...events: readonly SessionEvent[]): this {
    this.actions = [];
    for (const event of events) {
      const before = structuredCloneable(this.state);
      const { state, actions } = stepSession(this.state, event, calm);
      // A step leaves the state it was given as it was.
      expect(structuredCloneable(this.state)).toEqual(before);
      this.state = state;
      this.actions.push(...actions);
    }
    return this;
  }

  /** What was asked for, a word or two each. */
  get said(): string[] {
    return this.actions.map(inWords);
  }

  get news(): SessionNews[] {
    return this.actions.flatMap((action) => (action.type === 'news' ? [action.news] : []));
  }
}

function structuredCloneable({ decoder: _decoder, ...rest }: SessionState): unknown {
  return structuredClone(rest);
}

function inWords(action: SessionAction): string {
  switch (action.type) {
    case 'send': {
      const message = decodeMessage(action.bytes);
      const what =
        message.type === 'notification' ? describeNotification(message.notification) : message.type;
      return `#${action.connection} ${what}`;
    }
    case 'close':
      return `close #${action.connection}`;
    case 'set-timer':
      return `${action.timer} ${action.ms / 1000} s`;
    case 'clear-timer':
      return `no ${action.timer}`;
    case 'news':
      return action.news.type === 'down'
        ? `down${action.news.keepsRoutes ? ', keeps' : ''}`
        : action.news.type;
    case 'ended':
      return `ended in ${action.phase}: ${action.reason}`;
    case 'limit':
      return `limit ${action.maxMessageBytes}`;
    default:
      return action.type;
  }
}

const START: SessionEvent = { type: 'start' };
const connected = (connection = 1): SessionEvent => ({
  type: 'connected',
  connection,
  localAddress: '10.0.0.1',
});
const accepted = (connection = 1): SessionEvent => ({
  type: 'accepted',
  connection,
  localAddress: '10.0.0.1',
});
const says = (message: Message, connection = 1): SessionEvent => ({ type: 'message', connection, message });
const timer = (name: TimerName): SessionEvent => ({ type: 'timer', timer: name });
const closed = (connection = 1): SessionEvent => ({ type: 'closed', connection, reason: 'ECONNRESET' });

/** A session in the phase, with connection 1 where there is one. */
const REACH: Readonly<Record<Phase, readonly SessionEvent[]>> = {
  idle: [],
  connect: [START],
  active: [START, { type: 'connect-failed', reason: 'ECONNREFUSED' }],
  'open-sent': [START, connected()],
  'open-confirm': [START, connected(), says(openOf())],
  established: [START, connected(), says(openOf()), says(KEEPALIVE)],
};
const PHASES = Object.keys(REACH) as Phase[];

/** Every event of RFC 4271 section 8.1 that can be told apart here, by its number there. */
const EVENTS = {
  '1 start': START,
  '2 stop': { type: 'stop' },
  '8 automatic stop': { type: 'reset', notification: ceaseOf(CEASE.maxPrefixes) },
  '9 connect-retry expires': timer('connect-retry'),
  '10 hold expires': timer('hold'),
  '11 keepalive expires': timer('keepalive'),
  '12 delay-open expires': timer('delay-open'),
  '13 idle-hold expires': timer('idle-hold'),
  '16 connected': connected(2),
  '17 accepted': accepted(2),
  '18 connect failed': { type: 'connect-failed', reason: 'ETIMEDOUT' },
  '18 closed': closed(),
  '19 OPEN': says(openOf()),
  '21 bad header': {
    type: 'malformed',
    connection: 1,
    notification: notificationOf(ERROR.header, 1),
    reason: 'no marker',
  },
  '22 bad OPEN': {
    type: 'malformed',
    connection: 1,
    notification: notificationOf(ERROR.open),
    reason: 'short',
  },
  '25 NOTIFICATION': says(DOWN),
  '26 KEEPALIVE': says(KEEPALIVE),
  '27 UPDATE': says(END_OF_RIB),
  '28 bad UPDATE': says({ type: 'update', body: Uint8Array.of(255, 255, 0, 0) }),
  'ROUTE-REFRESH': says(REFRESH),
  'of a connection that is gone': says(KEEPALIVE, 77),
  send: { type: 'send', send: { type: 'end-of-rib', family: 4 } },
} as const satisfies Record<string, SessionEvent>;
type EventName = keyof typeof EVENTS;

const FSM = 'finite state machine error: unexpected message in';
const SAME = '-';
/** The next phase, and what is sent; `-`: nothing happens. In the order of PHASES. */
const TABLE: Readonly<Record<EventName, readonly [string, string, string, string, string, string]>> = {
  '1 start': ['connect', SAME, SAME, SAME, SAME, SAME],
  '2 stop': [
    SAME,
    'idle',
    'idle',
    'idle #1 cease: administrative shutdown',
    'idle #1 cease: administrative shutdown',
    'idle #1 cease: administrative shutdown',
  ],
  '8 automatic stop': [
    SAME,
    'idle',
    'idle',
    'idle #1 cease: maximum number of prefixes reached',
    'idle #1 cease: maximum number of prefixes reached',
    'idle #1 cease: maximum number of prefixes reached',
  ],
  '9 connect-retry expires': [SAME, 'connect', 'connect', SAME, SAME, SAME],
  '10 hold expires': [
    SAME,
    SAME,
    SAME,
    'idle #1 hold timer expired',
    'idle #1 hold timer expired',
    'idle #1 hold timer expired',
  ],
  '11 keepalive expires': [SAME, SAME, SAME, SAME, 'open-confirm #1 keepalive', 'established #1 keepalive'],
  '12 delay-open expires': [SAME, SAME, SAME, SAME, SAME, SAME],
  '13 idle-hold expires': [SAME, SAME, SAME, SAME, SAME, SAME],
  '16 connected': [
    'idle close #2',
    'open-sent #2 open',
    'open-sent #2 open',
    'open-sent #2 open',
    'open-confirm #2 open',
    'established #2 cease: connection collision resolution close #2',
  ],
  '17 accepted': [
    'idle close #2',
    'open-sent #2 open',
    'open-sent #2 open',
    'open-sent #2 open',
    'open-confirm #2 open',
    'established #2 cease: connection collision resolution close #2',
  ],
  '18 connect failed': [SAME, 'active', SAME, SAME, SAME, SAME],
  '18 closed': [SAME, SAME, SAME, 'active', 'idle', 'idle'],
  '19 OPEN': [
    SAME,
    SAME,
    SAME,
    'open-confirm #1 keepalive',
    `idle #1 ${FSM} openconfirm: open in open-confirm`,
    `idle #1 ${FSM} established: open in established`,
  ],
  '21 bad header': [
    SAME,
    SAME,
    SAME,
    'idle #1 message header error: connection not synchronized',
    'idle #1 message header error: connection not synchronized',
    'idle #1 message header error: connection not synchronized',
  ],
  '22 bad OPEN': [
    SAME,
    SAME,
    SAME,
    'idle #1 open message error',
    'idle #1 open message error',
    'idle #1 open message error',
  ],
  '25 NOTIFICATION': [SAME, SAME, SAME, 'idle', 'idle', 'idle'],
  '26 KEEPALIVE': [SAME, SAME, SAME, `idle #1 ${FSM} opensent`, 'established', 'established'],
  '27 UPDATE': [SAME, SAME, SAME, `idle #1 ${FSM} opensent`, `idle #1 ${FSM} openconfirm`, 'established'],
  '28 bad UPDATE': [
    SAME,
    SAME,
    SAME,
    `idle #1 ${FSM} opensent`,
    `idle #1 ${FSM} openconfirm`,
    'idle #1 update message error: malformed attribute list',
  ],
  'ROUTE-REFRESH': [SAME, SAME, SAME, `idle #1 ${FSM} opensent`, `idle #1 ${FSM} openconfirm`, 'established'],
  'of a connection that is gone': [SAME, SAME, SAME, SAME, SAME, SAME],
  send: [SAME, SAME, SAME, SAME, SAME, 'established #1 update'],
};

describe.each(PHASES)('in %s', (phase) => {
  test.each(Object.keys(EVENTS) as EventName[])('%s', (name) => {
    const expected = TABLE[name][PHASES.indexOf(phase)]!;
    const walk = new Walk().do(...REACH[phase]);
    expect(walk.state.phase).toBe(phase);
    const before = walk.state;
    walk.do(EVENTS[name]);
    const sent = walk.said.filter(
      (words) => words.startsWith('#') || (words === 'close #2' && phase !== 'open-sent'),
    );
    if (expected === SAME) {
      expect(sent).toEqual([]);
      expect({ ...walk.state, decoder: undefined }).toEqual({ ...before, decoder: undefined });
    } else {
      const words = expected.replace(/(openconfirm|established): .*/, '$1');
      expect([walk.state.phase, ...sent].join(' ')).toBe(words);
    }
    if (walk.state.phase === 'idle' && phase !== 'idle') {
      expect(walk.said).toContain('no hold');
      expect(walk.said.includes('down')).toBe(phase === 'established');
      // The next attempt comes by itself, unless it was stopped.
      expect(walk.said.includes('idle-hold 1 s')).toBe(name !== '2 stop');
    }
  });
});

describe('a session', () => {
  test('comes up, step by step', () => {
    const walk = new Walk();
    expect(walk.do(START).said).toEqual(['no idle-hold', 'connect', 'connect-retry 10 s']);
    expect(walk.do(connected()).said).toEqual(['no connect-retry', 'no delay-open', '#1 open', 'hold 240 s']);
    expect(walk.do(says(openOf())).said).toEqual([
      '#1 keepalive',
      'limit 65535',
      'hold 30 s',
      'keepalive 10 s',
    ]);
    expect(walk.do(says(KEEPALIVE)).said).toEqual(['hold 30 s', 'settled 60 s', 'established']);
    expect(walk.news[0]).toEqual({
      type: 'established',
      agreed: {
        peerAsn: 65_002,
        peerRouterId: 0x0a000002,
        peerAddress: '10.0.0.2',
        localAddress: '10.0.0.1',
        relation: 'external',
        families: new Map([
          [4, PLAIN],
          [6, PLAIN],
        ]),
        maxMessageBytes: 65_535,
        hasFourOctetAsn: true,
        hasRouteRefresh: true,
        hasEnhancedRefresh: true,
      },
    });
  });

  test('that is passive waits, and takes what comes', () => {
    const walk = new Walk({ ...CONFIG, isPassive: true }).do(START);
    expect([walk.state.phase, ...walk.said]).toEqual(['active', 'no idle-hold']);
    expect(walk.do(accepted()).state.phase).toBe('open-sent');
    expect(walk.do(closed()).state.phase).toBe('active');
    expect(walk.said.join()).not.toContain('connect-retry 10');
  });

  test('tries again later and later, and sooner after one that lasted', () => {
    const walk = new Walk().do(START);
    const holds: string[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      walk.do(connected(attempt), says(DOWN, attempt));
      holds.push(walk.said.find((words) => words.startsWith('idle-hold'))!);
      walk.do(timer('idle-hold'));
    }
    expect(holds).toEqual([1, 2, 4, 8, 16, 32, 60, 60].map((seconds) => `idle-hold ${seconds} s`));
    walk.do(connected(9), says(openOf(), 9), says(KEEPALIVE, 9), timer('settled'), closed(9));
    expect(walk.said).toContain('idle-hold 1 s');
  });

  test('without a hold time has no timers for it', () => {
    const walk = new Walk({ ...CONFIG, holdTimeSec: 0 }).do(START, connected(), says(openOf()));
    expect(walk.said).toEqual(expect.arrayContaining(['no hold', 'no keepalive']));
    walk.do(says(KEEPALIVE), says(KEEPALIVE), { type: 'send', send: { type: 'end-of-rib', family: 4 } });
    expect(walk.said.join()).not.toMatch(/(hold|keepalive) \d/);
  });

  test('with a hold time of 2 s is refused', () => {
    expect(() => newSession({ ...CONFIG, holdTimeSec: 2 })).toThrow('hold time 2 s: it is 0, or 3 and more');
  });

  test('waits with its OPEN where that is wished (DelayOpen)', () => {
    const config = { ...CONFIG, openDelaySec: 5 };
    const walk = new Walk(config).do(START, connected());
    expect([walk.state.phase, ...walk.said.slice(-1)]).toEqual(['connect', 'delay-open 5 s']);
    expect(walk.do(timer('delay-open')).state.phase).toBe('open-sent');
    const early = new Walk(config).do(START, connected()).do(says(openOf()));
    expect(early.state.phase).toBe('open-confirm');
    expect(early.said.filter((words) => words.startsWith('#'))).toEqual(['#1 open', '#1 keepalive']);
    expect(new Walk(config).do(START, connected(), closed()).state.phase).toBe('active');
    const odd = new Walk(config).do(START, connected()).do(says(KEEPALIVE));
    expect([odd.state.phase, ...odd.said.filter((words) => words.startsWith('#'))]).toEqual(['idle']);
  });

  test('tells what comes in order, and asks again', () => {
    const walk = new Walk().do(...REACH.established);
    walk.do(
      says(REFRESH),
      says(END_OF_RIB),
      says({ type: 'refresh', refresh: { afi: 25, safi: 1, subtype: 'request' } }),
    );
    expect(walk.news).toEqual([
      { type: 'refresh', family: 4, subtype: 'request' },
      { type: 'end-of-rib', family: 4 },
    ]);
    walk.do(
      { type: 'send', send: { type: 'refresh', family: 6, subtype: 'request' } },
      {
        type: 'send',
        send: { type: 'withdraw', withdrawal: { family: 4, nlri: [{ prefix: '10.0.0.0/8' }] } },
      },
    );
    expect(walk.said).toEqual(['#1 refresh', '#1 update', 'keepalive 10 s']);
  });

  test('withdraws what does not fit, and says so', () => {
    const walk = new Walk({ ...CONFIG, hasExtendedMessages: false }).do(...REACH.established);
    const communities = Array.from({ length: 1100 }, (_, i) => i);
    const attributes = { origin: 'igp', asPath: [], nextHop: '10.0.0.1', communities } as const;
    const update = { family: 4, attributes, nlri: [{ prefix: '10.0.0.0/8' }] } as const;
    walk.do({ type: 'send', send: { type: 'announce', update } });
    expect(walk.said).toEqual(['unsent', '#1 update', 'keepalive 10 s']);
  });

  test('says nothing of families and refreshes that were not agreed', () => {
    const walk = new Walk().do(
      START,
      connected(),
      says(openOf({ families: [4], hasRouteRefresh: false })),
      says(KEEPALIVE),
    );
    walk.do(
      { type: 'send', send: { type: 'end-of-rib', family: 6 } },
      { type: 'send', send: { type: 'refresh', family: 4, subtype: 'request' } },
      { type: 'send', send: { type: 'refresh', family: 4, subtype: 'begin' } },
    );
    expect(walk.said).toEqual([]);
  });
});

describe('two connections', () => {
  const both = [START, connected(1), accepted(2)];

  test.each([
    ['ours stays, for our identifier is greater', 0x0a000000, '#2 cease: connection collision resolution', 1],
    [
      "the peer's stays, for its identifier is greater",
      0x0a000002,
      '#1 cease: connection collision resolution',
      2,
    ],
    [
      "the peer's stays, for its AS number is greater",
      0x0a000001,
      '#1 cease: connection collision resolution',
      2,
    ],
  ])('%s', (_name, routerId, said, left) => {
    for (const order of [
      [1, 2],
      [2, 1],
    ]) {
      const walk = new Walk().do(...both);
      const seen: string[] = [];
      for (const id of order) {
        walk.do(says(openOf({}, routerId), id));
        seen.push(...walk.said.filter((words) => words.includes('cease')));
      }
      expect(seen.slice(0, 1)).toEqual([said]);
      expect([walk.state.phase, walk.state.main?.id, walk.state.second]).toEqual([
        'open-confirm',
        left,
        undefined,
      ]);
    }
  });

  test('when the first breaks, the second goes on', () => {
    const walk = new Walk().do(...both, closed(1));
    expect([walk.state.phase, walk.state.main?.id]).toEqual(['open-sent', 2]);
    expect(walk.do(says(openOf(), 2), says(KEEPALIVE, 2)).state.phase).toBe('established');
  });

  test('when the second breaks, or says nothing, the first goes on', () => {
    expect(new Walk().do(...both, closed(2), says(openOf(), 1)).state.phase).toBe('open-confirm');
    const walk = new Walk().do(...both, timer('second-hold'));
    expect(walk.said).toContain('#2 hold timer expired');
    expect(walk.state.main?.id).toBe(1);
  });

  test('a third is turned away', () => {
    expect(new Walk().do(...both).do(accepted(3)).said).toEqual(['close #3']);
  });

  test('end together when the session is stopped', () => {
    const { said } = new Walk().do(...both).do({ type: 'stop' });
    expect(said).toEqual(
      expect.arrayContaining([
        'close #1',
        'close #2',
        '#1 cease: administrative shutdown',
        '#2 cease: administrative shutdown',
      ]),
    );
  });

  const late = (routerId: number) =>
    new Walk().do(START, connected(1), says(openOf({}, routerId), 1), accepted(2)).do(says(KEEPALIVE, 1));

  test('a second that is still open when the first is established is told so', () => {
    const walk = late(0x0a000000);
    expect(walk.said).toContain('#2 cease: connection collision resolution');
    expect(walk.state.phase).toBe('established');
  });

  test.each<[string, SessionEvent, string | undefined]>([
    ['goes', closed(2), undefined],
    ['says nothing', timer('second-hold'), '#2 hold timer expired'],
    [
      'is none for the peer, which talks on the first',
      says(END_OF_RIB, 1),
      '#2 cease: connection collision resolution',
    ],
  ])('a second that would be preferred is waited for, until it %s', (_name, event, said) => {
    const walk = late(0x0a000002);
    expect([walk.state.phase, ...walk.said]).toEqual(['open-confirm', 'hold 30 s', 'second-hold 3 s']);
    expect(walk.do(says(KEEPALIVE, 1)).said).toEqual(['hold 30 s']);
    walk.do(event);
    expect([walk.state.phase, walk.state.main?.id, walk.state.second]).toEqual(['established', 1, undefined]);
    expect(walk.said.find((words) => words.startsWith('#'))).toBe(said);
    expect(walk.news[0]?.type).toBe('established');
  });

  test('a second that would be preferred stays, when its OPEN comes', () => {
    const walk = late(0x0a000002).do(says(openOf(), 2));
    expect([walk.state.phase, walk.state.main?.id, walk.news]).toEqual(['open-confirm', 2, []]);
    expect(walk.said).toContain('#1 cease: connection collision resolution');
  });
});

describe('what is agreed', () => {
  const agree = (config: SessionConfig, open: Message) => {
    const walk = new Walk(config).do(START, connected()).do(says(open));
    return walk.state.bargain?.agreed ?? walk.said.find((words) => words.startsWith('#1'));
  };
  const adding = (addPathSend: boolean, addPathReceive: boolean): SessionConfig => ({
    ...CONFIG,
    families: new Map([[4, { addPathSend, addPathReceive, extendedNextHop: true }]]),
  });

  const withoutAsn = (more: Partial<SessionConfig>): SessionConfig => {
    const { peerAsn: _, ...rest } = CONFIG;
    return { ...rest, ...more };
  };

  test.each<[string, SessionConfig, Message, unknown]>([
    ['of another AS', CONFIG, openOf({ fourOctetAsn: 65_009 }), '#1 open message error: bad peer as'],
    [
      'of none of several ASes',
      (({ peerAsn: _, ...rest }) => ({ ...rest, peerAsns: [65_003, 65_004] }))(CONFIG),
      openOf(),
      '#1 open message error: bad peer as',
    ],
    [
      'of another AS than ours where ours is wanted',
      withoutAsn({ peerAs: 'internal' }),
      openOf(),
      '#1 open message error: bad peer as',
    ],
    [
      'of our AS where another is wanted',
      withoutAsn({ peerAs: 'external' }),
      openOf({ fourOctetAsn: 65_001 }),
      '#1 open message error: bad peer as',
    ],
    [
      'with our identifier in our AS',
      { ...CONFIG, peerAsn: 65_001 },
      openOf({ fourOctetAsn: 65_001 }, CONFIG.routerId),
      '#1 open message error: bad bgp identifier',
    ],
    [
      'without a family of ours',
      CONFIG,
      openOf({ families: [] }),
      '#1 open message error: unsupported capability (010400010001010400020001)',
    ],
  ])('with a peer %s is nothing: it is told', (_name, config, open, expected) => {
    expect(agree(config, open)).toBe(expected);
  });

  test.each<[string, SessionConfig, Message, object]>([
    [
      'with one that says nothing is IPv4 in short messages',
      CONFIG,
      {
        type: 'open',
        open: {
          asn: 65_002,
          holdTimeSec: 30,
          routerId: 9,
          capabilities: {
            hasRouteRefresh: false,
            hasEnhancedRefresh: false,
            hasExtendedMessages: false,
            extendedNextHop: [],
            addPath: new Map(),
            longLived: new Map(),
          },
        },
      },
      {
        families: new Map([[4, PLAIN]]),
        maxMessageBytes: 4096,
        hasFourOctetAsn: false,
        hasRouteRefresh: false,
      },
    ],
    [
      'lets us send paths that the peer receives',
      adding(true, false),
      openOf({ addPath: new Map([[4, { canReceive: true, canSend: true }]]), extendedNextHop: [4] }),
      { families: new Map([[4, { addPathSend: true, addPathReceive: false, extendedNextHop: true }]]) },
    ],
    [
      'lets the peer send paths that we receive',
      adding(false, true),
      openOf({ addPath: new Map([[4, { canReceive: false, canSend: true }]]) }),
      { families: new Map([[4, { addPathSend: false, addPathReceive: true, extendedNextHop: false }]]) },
    ],
    [
      'with one of several ASes',
      (({ peerAsn: _, ...rest }) => ({ ...rest, peerAsns: [65_003, 65_002] }))(CONFIG),
      openOf(),
      { relation: 'external', peerAsn: 65_002 },
    ],
    [
      'with any AS, for a dynamic neighbour',
      (({ peerAsn: _, ...rest }) => rest)(CONFIG),
      openOf(),
      { relation: 'external' },
    ],
    [
      'of whichever other AS, where one is wanted',
      withoutAsn({ peerAs: 'external' }),
      openOf(),
      { relation: 'external', peerAsn: 65_002 },
    ],
    [
      'within our AS, where that is wanted',
      withoutAsn({ peerAs: 'internal' }),
      openOf({ fourOctetAsn: 65_001 }),
      { relation: 'internal', peerAsn: 65_001 },
    ],
    [
      'within our AS',
      { ...CONFIG, peerAsn: 65_001 },
      openOf({ fourOctetAsn: 65_001 }),
      { relation: 'internal' },
    ],
    [
      'within our confederation',
      { ...CONFIG, confederation: { identifier: 100, members: [65_001, 65_002] } },
      openOf(),
      { relation: 'confederation' },
    ],
    [
      'of a restart, if we help with it',
      { ...GRACEFUL, longLived: new Map() },
      openOf({ restart: RESTART, longLived: new Map([[4, { staleTimeSec: 9, isForwardingKept: true }]]) }),
      {
        restart: {
          restartTimeSec: 120,
          isRestarting: false,
          families: RESTART.families,
          longLived: new Map([[4, { staleTimeSec: 9, isForwardingKept: true }]]),
        },
      },
    ],
  ])('%s', (_name, config, open, expected) => {
    expect(agree(config, open)).toMatchObject(expected);
  });

  test('of a restart is nothing if we have not said that we help', () => {
    expect(agree(CONFIG, openOf({ restart: RESTART }))).not.toHaveProperty('restart');
  });

  test('is told to others by the identifier of the confederation, to members by our number', () => {
    const confederation = { identifier: 100, members: [65_001, 65_002] };
    const asnTold = (config: SessionConfig) => {
      const { actions } = new Walk(config).do(START, connected());
      const sent = actions.flatMap((action) => (action.type === 'send' ? [decodeMessage(action.bytes)] : []));
      return sent[0]?.type === 'open' ? sent[0].open.asn : undefined;
    };
    expect(asnTold({ ...CONFIG, confederation })).toBe(65_001);
    expect(asnTold({ ...CONFIG, confederation, peerAsn: 7 })).toBe(100);
  });
});

describe('routes after the end', () => {
  const restart = (keepsAfterNotification: boolean) => ({ restart: { ...RESTART, keepsAfterNotification } });
  const hold = timer('hold');
  const notified = (notification: ReturnType<typeof ceaseOf>) => says({ type: 'notification', notification });

  test.each<[string, SessionConfig, Partial<Capabilities>, SessionEvent, boolean]>([
    ['stay when the connection breaks', GRACEFUL, restart(false), closed(), true],
    ['go when the peer cannot restart', GRACEFUL, {}, closed(), false],
    ['go when we have not said that we help', CONFIG, restart(false), closed(), false],
    ['go when the peer says that it ends', GRACEFUL, restart(false), says(DOWN), false],
    ['go when the hold time is over', GRACEFUL, restart(false), hold, false],
    ['stay when the hold time is over (RFC 8538)', LASTING, restart(true), hold, true],
    ['stay when the peer says that it ends (RFC 8538)', LASTING, restart(true), says(DOWN), true],
    [
      'go when the peer says that it is final',
      LASTING,
      restart(true),
      notified(hardResetOf(ceaseOf(CEASE.shutdown))),
      false,
    ],
    ['go when only one side does so', GRACEFUL, restart(true), says(DOWN), false],
    ['go when we stop', LASTING, restart(true), { type: 'stop' }, false],
    [
      'stay when we reset',
      LASTING,
      restart(true),
      { type: 'reset', notification: ceaseOf(CEASE.reset) },
      true,
    ],
  ])('%s', (_name, config, capabilities, event, keepsRoutes) => {
    const walk = new Walk(config).do(START, connected(), says(openOf(capabilities)), says(KEEPALIVE));
    walk.do(event);
    expect(walk.news).toMatchObject([{ type: 'down', keepsRoutes }]);
  });

  test('that are to go are told so by a hard reset', () => {
    const walk = new Walk(LASTING).do(START, connected(), says(openOf(restart(true))), says(KEEPALIVE));
    walk.do({ type: 'stop', notification: ceaseOf(CEASE.shutdown, 'maintenance') });
    expect(walk.said).toContain('#1 cease: hard reset: cease: administrative shutdown: "maintenance"');
  });

  describe('of a peer that connects anew', () => {
    const up = () => new Walk(GRACEFUL).do(START, connected(), says(openOf(restart(false))), says(KEEPALIVE));
    const back = { restart: { ...RESTART, isRestarting: true } };

    test('stay, and come on the new connection, if it has restarted', () => {
      const walk = up().do(accepted(2));
      expect([walk.state.phase, ...walk.said]).toEqual(['established', 'second-hold 240 s']);
      walk.do(says(openOf(back), 2));
      expect(walk.news).toMatchObject([
        { type: 'down', keepsRoutes: true, reason: 'the peer has restarted' },
      ]);
      expect([walk.state.phase, walk.state.main?.id]).toEqual(['open-confirm', 2]);
      expect(walk.said).toEqual(expect.arrayContaining(['close #1', '#2 open', '#2 keepalive']));
      expect(walk.do(says(KEEPALIVE, 2)).state.phase).toBe('established');
    });

    test('are not touched if it says nothing of a restart', () => {
      const walk = up().do(accepted(2), says(openOf(restart(false)), 2));
      expect([walk.state.phase, walk.state.main?.id, walk.news]).toEqual(['established', 1, []]);
      expect(walk.said).toContain('#2 cease: connection collision resolution');
    });

    test('stay when the old connection breaks meanwhile, and come on the new one', () => {
      const walk = up().do(accepted(2), closed(1));
      expect(walk.news).toMatchObject([{ type: 'down', keepsRoutes: true }]);
      expect([walk.state.phase, walk.state.main?.id]).toEqual(['open-sent', 2]);
      expect(walk.said).toContain('#2 open');
      expect(walk.do(says(openOf(restart(false)), 2), says(KEEPALIVE, 2)).state.phase).toBe('established');
    });

    test('go when it is told on the old one that the session ends', () => {
      const walk = up().do(accepted(2), says(DOWN));
      expect([walk.state.phase, walk.state.second]).toEqual(['idle', undefined]);
      expect(walk.said).toContain('#2 cease: connection rejected');
    });
  });

  test('our restart is told until a session has come up', () => {
    const config: SessionConfig = { ...GRACEFUL, restart: { ...RESTART, isRestarting: true } };
    const walk = new Walk(config).do(...REACH.established);
    expect(walk.state.isRestarting).toBe(false);
    expect(new Walk(config).do(...REACH['open-confirm'], closed()).state.isRestarting).toBe(true);
  });
});
