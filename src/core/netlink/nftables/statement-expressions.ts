/** Expressions that do something to packets, connections and sets, between the vocabulary and the wire. */
import type { NftExpression, PortTranslation, Register } from '#core/nft/index.ts';
import { registerOf } from './data.ts';
import { bitSet, enumeration } from './enumeration.ts';
import type { Readers, Writers } from './expression-mapping.ts';

const SECONDS_PER = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 } as const;
const periods = enumeration(SECONDS_PER);
const limitUnits = enumeration({ packets: 0, bytes: 1 });
/** NFT_LIMIT_F_INV, NFT_CONNLIMIT_F_INV. */
const OVER = 1;
const natTypes = enumeration({ snat: 0, dnat: 1 });
/** NFPROTO_IPV4, NFPROTO_IPV6. */
const natFamilies = enumeration({ '4': 2, '6': 10 });
const natFlags = bitSet({ random: 4, 'fully-random': 16, persistent: 8, netmap: 64 });
/** NF_NAT_RANGE_MAP_IPS and _PROTO_SPECIFIED: the kernel sets them where registers say so. */
const NAT_IMPLIED_FLAGS = 1 | 2;
const logFlags = bitSet({ 'tcp-sequence': 1, 'tcp-options': 2, 'ip-options': 4, skuid: 8, ether: 32 });
const LOG_DEFAULT_LEVEL = 4;
const rejectTypes = enumeration({ icmp: 0, 'tcp-reset': 1, icmpx: 2 });
const dynsetActions = enumeration({ add: 0, update: 1, delete: 2 });
/** NFT_DYNSET_F_EXPR: there is a list of expressions; any other flag is unknown here. */
const DYNSET_EXPRESSIONS = 2;

export const statementWriters = {
  counter: (e) => ({
    name: 'counter',
    data: { bytes: BigInt(e.bytes ?? 0), packets: BigInt(e.packets ?? 0) },
  }),
  limit: (e) => ({
    name: 'limit',
    data: {
      rate: BigInt(e.rate),
      unit: BigInt(SECONDS_PER[e.per]),
      burst: e.burst ?? 0,
      type: limitUnits.number(e.unit),
      flags: e.over ? OVER : 0,
    },
  }),
  connlimit: (e) => ({ name: 'connlimit', data: { count: e.count, flags: e.over ? OVER : 0 } }),
  log: (e) => ({
    name: 'log',
    data: {
      ...(e.group !== undefined && { group: e.group }),
      ...(e.prefix !== undefined && { prefix: e.prefix }),
      ...(e.snapBytes !== undefined && { snapBytes: e.snapBytes }),
      ...(e.queueThreshold !== undefined && { queueThreshold: e.queueThreshold }),
      ...(e.level !== undefined && { level: e.level }),
      ...(e.flags !== undefined && { flags: logFlags.bits(e.flags) }),
    },
  }),
  nat: (e) => ({
    name: 'nat',
    data: {
      type: natTypes.number(e.type),
      family: natFamilies.number(`${e.family}`),
      ...(e.address !== undefined && { addressMin: e.address, addressMax: e.addressEnd ?? e.address }),
      ...(e.port !== undefined && { portMin: e.port, portMax: e.portEnd ?? e.port }),
      ...(e.flags !== undefined && { flags: natFlags.bits(e.flags) }),
    },
  }),
  masquerade: (e) => ({ name: 'masq', data: portRange(e) }),
  redirect: (e) => ({ name: 'redir', data: portRange(e) }),
  reject: ({ rejection }) => ({
    name: 'reject',
    data: {
      type: rejectTypes.number(rejection.with),
      ...('code' in rejection && { icmpCode: rejection.code }),
    },
  }),
  notrack: () => ({ name: 'notrack' }),
  dynset: (e) => ({
    name: 'dynset',
    data: {
      set: e.set,
      operation: dynsetActions.number(e.action),
      key: e.register,
      ...(e.dataRegister !== undefined && { data: e.dataRegister }),
      ...(e.timeoutMs !== undefined && { timeoutMs: BigInt(e.timeoutMs) }),
      ...attachedToWire(e.expressions ?? []),
    },
  }),
} as const satisfies Partial<Writers>;

export const statementReaders = {
  counter: (d) => ({
    op: 'counter',
    packets: safeNumber(d.packets) ?? Number.MAX_SAFE_INTEGER,
    bytes: safeNumber(d.bytes) ?? Number.MAX_SAFE_INTEGER,
  }),
  limit: (d) => {
    const per = periods.name(safeNumber(d.unit));
    const unit = limitUnits.name(d.type ?? 0);
    const rate = safeNumber(d.rate);
    if (per === undefined || unit === undefined || rate === undefined) return undefined;
    return {
      op: 'limit',
      rate,
      per,
      unit,
      ...(d.burst ? { burst: d.burst } : {}),
      ...(d.flags === OVER && { over: true }),
    };
  },
  connlimit: (d) => ({ op: 'connlimit', count: d.count ?? 0, ...(d.flags === OVER && { over: true }) }),
  log: (d) => {
    const flags = logFlags.names(d.flags ?? 0);
    if (flags === undefined) return undefined;
    const { group, prefix, snapBytes, queueThreshold, level } = d;
    return {
      op: 'log',
      ...(prefix !== undefined && prefix !== '' && { prefix }),
      ...(group !== undefined && { group }),
      ...(snapBytes ? { snapBytes } : {}),
      ...(queueThreshold ? { queueThreshold } : {}),
      ...(group === undefined && level !== undefined && level !== LOG_DEFAULT_LEVEL && { level }),
      ...(flags.length > 0 && { flags }),
    };
  },
  nat: (d) => {
    const type = natTypes.name(d.type);
    const family = natFamilies.name(d.family);
    const flags = natFlags.names((d.flags ?? 0) & ~NAT_IMPLIED_FLAGS);
    if (type === undefined || family === undefined || flags === undefined) return undefined;
    const [address, addressEnd] = registerRange(d.addressMin, d.addressMax);
    return {
      op: 'nat',
      type,
      family: family === '4' ? 4 : 6,
      ...(address !== undefined && { address }),
      ...(addressEnd !== undefined && { addressEnd }),
      ...ports(d.portMin, d.portMax),
      ...(flags.length > 0 && { flags }),
    };
  },
  masq: (d) => readPortNat('masquerade', d),
  redir: (d) => readPortNat('redirect', d),
  reject: (d) => {
    const kind = rejectTypes.name(d.type);
    if (kind === undefined) return undefined;
    const rejection =
      kind === 'tcp-reset' ? ({ with: kind } as const) : { with: kind, code: d.icmpCode ?? 0 };
    return { op: 'reject', rejection };
  },
  notrack: () => ({ op: 'notrack' }),
  dynset: (d) => {
    const action = dynsetActions.name(d.operation);
    const register = registerOf(d.key);
    if (action === undefined || register === undefined || d.set === undefined) return undefined;
    if (((d.flags ?? 0) & ~DYNSET_EXPRESSIONS) !== 0) return undefined;
    const dataRegister = registerOf(d.data);
    const timeoutMs = safeNumber(d.timeoutMs);
    if (timeoutMs === undefined) return undefined;
    const attached = (d.expressions ?? (d.expression ? [d.expression] : [])).map(readAttached);
    if (!attached.every((each) => each !== undefined)) return undefined;
    return {
      op: 'dynset',
      action,
      set: d.set,
      register,
      ...(dataRegister !== undefined && { dataRegister }),
      ...(timeoutMs > 0 && { timeoutMs }),
      ...(attached.length > 0 && { expressions: attached }),
    };
  },
} as const satisfies Partial<Readers>;

/** The number, 0 for an absent one; undefined if it is not exact as a number. */
function safeNumber(value = 0n): number | undefined {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(value);
}

interface WirePorts {
  readonly portMin?: number;
  readonly portMax?: number;
  readonly flags?: number;
}

function portRange(e: PortTranslation): WirePorts {
  return {
    ...(e.port !== undefined && { portMin: e.port, portMax: e.portEnd ?? e.port }),
    ...(e.flags !== undefined && { flags: natFlags.bits(e.flags) }),
  };
}

function ports(min: number | undefined, max: number | undefined): { port?: Register; portEnd?: Register } {
  const [port, portEnd] = registerRange(min, max);
  return { ...(port !== undefined && { port }), ...(portEnd !== undefined && { portEnd }) };
}

/** The registers of a range; the kernel does not look at an upper end without a lower one, nor is one that is the same told. */
function registerRange(min: number | undefined, max: number | undefined): [from?: Register, to?: Register] {
  const from = registerOf(min);
  const to = registerOf(max);
  if (from === undefined) return [];
  return to === undefined || to === from ? [from] : [from, to];
}

function readPortNat(op: 'masquerade' | 'redirect', d: WirePorts): NftExpression | undefined {
  const flags = natFlags.names((d.flags ?? 0) & ~NAT_IMPLIED_FLAGS);
  if (flags === undefined) return undefined;
  return { op, ...ports(d.portMin, d.portMax), ...(flags.length > 0 && { flags }) };
}

type Attached = NonNullable<Parameters<Readers['dynset']>[0]['expression']>;

function attachedToWire(expressions: readonly NftExpression[]): {
  expression?: Attached;
  expressions?: readonly Attached[];
  flags?: number;
} {
  const wire = expressions.map((e): Attached => {
    if (e.op === 'limit') return statementWriters.limit(e);
    if (e.op === 'counter') return statementWriters.counter(e);
    if (e.op === 'connlimit') return statementWriters.connlimit(e);
    throw new RangeError(`${e.op} cannot be attached to set elements`);
  });
  const [first] = wire;
  if (first === undefined) return {};
  return wire.length === 1 ? { expression: first } : { expressions: wire, flags: DYNSET_EXPRESSIONS };
}

function readAttached(wire: Attached): NftExpression | undefined {
  const { name, data } = wire;
  if (data === undefined || data instanceof Uint8Array) return undefined;
  switch (name) {
    case 'limit':
      return statementReaders.limit(data);
    case 'counter':
      return statementReaders.counter(data);
    case 'connlimit':
      return statementReaders.connlimit(data);
    default:
      return undefined;
  }
}
