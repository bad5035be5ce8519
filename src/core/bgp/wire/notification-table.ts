/** Codes and subcodes of NOTIFICATION messages by name (RFC 4271 section 4.5, 4486, 5492, 6608, 7313, 8538, 9234, 9384, 9687). */

interface ErrorRow {
  readonly code: number;
  readonly name: string;
  /** Subcode 0 is "unspecific" in all. */
  readonly subcodes: Readonly<Record<number, string>>;
}

export const ERROR_ROWS: readonly ErrorRow[] = [
  {
    code: 1,
    name: 'message header error',
    subcodes: { 1: 'connection not synchronized', 2: 'bad message length', 3: 'bad message type' },
  },
  {
    code: 2,
    name: 'open message error',
    subcodes: {
      1: 'unsupported version number',
      2: 'bad peer as',
      3: 'bad bgp identifier',
      4: 'unsupported optional parameter',
      6: 'unacceptable hold time',
      7: 'unsupported capability',
      11: 'role mismatch',
    },
  },
  {
    code: 3,
    name: 'update message error',
    subcodes: {
      1: 'malformed attribute list',
      2: 'unrecognized well-known attribute',
      3: 'missing well-known attribute',
      4: 'attribute flags error',
      5: 'attribute length error',
      6: 'invalid origin attribute',
      8: 'invalid next_hop attribute',
      9: 'optional attribute error',
      10: 'invalid network field',
      11: 'malformed as_path',
    },
  },
  { code: 4, name: 'hold timer expired', subcodes: {} },
  {
    code: 5,
    name: 'finite state machine error',
    subcodes: {
      1: 'unexpected message in opensent',
      2: 'unexpected message in openconfirm',
      3: 'unexpected message in established',
    },
  },
  {
    code: 6,
    name: 'cease',
    subcodes: {
      1: 'maximum number of prefixes reached',
      2: 'administrative shutdown',
      3: 'peer de-configured',
      4: 'administrative reset',
      5: 'connection rejected',
      6: 'other configuration change',
      7: 'connection collision resolution',
      8: 'out of resources',
      9: 'hard reset',
      10: 'bfd down',
    },
  },
  { code: 7, name: 'route-refresh message error', subcodes: { 1: 'invalid message length' } },
  { code: 8, name: 'send hold timer expired', subcodes: {} },
];

/** The codes by the names the code uses. */
export const ERROR = {
  header: 1,
  open: 2,
  update: 3,
  holdTimer: 4,
  stateMachine: 5,
  cease: 6,
  refresh: 7,
  sendHoldTimer: 8,
} as const;

/** Subcodes of the message header error. */
export const HEADER_ERROR = { notSynchronized: 1, badLength: 2, badType: 3 } as const;

/** Subcodes of the OPEN message error. */
export const OPEN_ERROR = {
  unspecific: 0,
  version: 1,
  peerAsn: 2,
  identifier: 3,
  optionalParameter: 4,
  holdTime: 6,
  capability: 7,
} as const;

/** Subcodes of the UPDATE message error. */
export const UPDATE_ERROR = {
  attributeList: 1,
  unknownWellKnown: 2,
  missing: 3,
  flags: 4,
  length: 5,
  origin: 6,
  nextHop: 8,
  optionalAttribute: 9,
  network: 10,
  asPath: 11,
} as const;

/** Subcodes of the state machine's error by the state in which the message came (RFC 6608). */
export const STATE_MACHINE_ERROR = { 'open-sent': 1, 'open-confirm': 2, established: 3 } as const;

/** Subcodes of cease (RFC 4486, 8538, 9384). */
export const CEASE = {
  maxPrefixes: 1,
  shutdown: 2,
  deconfigured: 3,
  reset: 4,
  rejected: 5,
  configurationChange: 6,
  collision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;
