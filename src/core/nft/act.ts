/** What rules do: verdicts, counters, logs, limits, marks, address translation, and adding to sets. */
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import { paddedBytes, valueBytes } from './datatype.ts';
import {
  inOrder,
  LOG_FLAGS,
  type LogFlag,
  NAT_FLAGS,
  type NatFlag,
  type NftExpression,
  FIRST_REGISTER as R,
  type Register,
  type Rejection,
} from './expression.ts';
import { type Field, field } from './field.ts';
import { formatHex } from './hex.ts';
import { loadKey, type SetReference } from './match.ts';
import type { NftFamily } from './objects.ts';
import { type RulePart, satisfy } from './rule.ts';

export interface LimitOptions {
  readonly rate: number;
  readonly per?: 'second' | 'minute' | 'hour' | 'day' | 'week';
  readonly unit?: 'packets' | 'bytes';
  readonly burst?: number;
  /** Matches what is over the limit instead of what is under it. */
  readonly over?: boolean;
}

export interface LogOptions {
  readonly prefix?: string;
  /** nflog group; without it the kernel log is written. */
  readonly group?: number;
  readonly snapBytes?: number;
  readonly queueThreshold?: number;
  readonly level?: number;
  readonly flags?: readonly LogFlag[];
}

/** Where packets are translated to: an address, a range, a port or a range of ports, each end included. */
export interface NatTarget {
  readonly family: IpFamily;
  readonly address?: IpAddress;
  readonly addressEnd?: IpAddress;
  readonly port?: number;
  readonly portEnd?: number;
  readonly flags?: readonly NatFlag[];
}

export interface PortTarget {
  readonly port?: number;
  readonly portEnd?: number;
  readonly flags?: readonly NatFlag[];
}

const one = (expression: NftExpression): RulePart => {
  const list = [expression];
  return () => list;
};
const verdict = (name: 'accept' | 'drop' | 'continue' | 'return'): RulePart =>
  one({ op: 'verdict', verdict: { verdict: name } });

export const act = {
  accept: verdict('accept'),
  drop: verdict('drop'),
  continue: verdict('continue'),
  return: verdict('return'),
  jump: (chain: string): RulePart => one({ op: 'verdict', verdict: { verdict: 'jump', chain } }),
  goto: (chain: string): RulePart => one({ op: 'verdict', verdict: { verdict: 'goto', chain } }),
  counter: one({ op: 'counter' }),
  log: ({ flags, ...options }: LogOptions = {}): RulePart =>
    one({ op: 'log', ...options, ...(flags !== undefined && { flags: inOrder(LOG_FLAGS, flags) }) }),
  limit: (options: LimitOptions): RulePart =>
    one({ op: 'limit', ...options, per: options.per ?? 'second', unit: options.unit ?? 'packets' }),
  /** At most (or, with `over`, more than) so many connections at a time. */
  connectionLimit: (count: number, over = false): RulePart =>
    one({ op: 'connlimit', count, ...(over && { over }) }),
  /** Port unreachable by default. */
  reject:
    (rejection?: Rejection): RulePart =>
    (scope) => [{ op: 'reject', rejection: rejection ?? portUnreachable(scope.family) }],
  notrack: one({ op: 'notrack' }),
  /** meta mark = (meta mark & ~mask) | value; without a mask the whole mark is set. */
  setMark: (value: number, mask?: number): RulePart => setMark('meta', value, mask),
  setCtMark: (value: number, mask?: number): RulePart => setMark('ct', value, mask),
  /** Copies the packet's mark to its connection. */
  saveMark: two({ op: 'meta', key: 'mark', register: R }, { op: 'ct-set', key: 'mark', register: R }),
  /** Copies the connection's mark to the packet. */
  restoreMark: two({ op: 'ct', key: 'mark', register: R }, { op: 'meta-set', key: 'mark', register: R }),
  snat: (target: NatTarget): RulePart => nat('snat', target),
  dnat: (target: NatTarget): RulePart => nat('dnat', target),
  /** The target is what a map holds for the key: addresses, or addresses with ports. */
  snatMap: (key: Field | readonly Field[], map: SetReference): RulePart => natMap('snat', key, map),
  dnatMap: (key: Field | readonly Field[], map: SetReference): RulePart => natMap('dnat', key, map),
  masquerade: (target: PortTarget = {}): RulePart => portNat('masquerade', target),
  redirect: (target: PortTarget = {}): RulePart => portNat('redirect', target),
  /** Adds an element to a dynamic set (`add` keeps, `update` renews its time), or deletes it. */
  addToSet: (key: Field | readonly Field[], set: SetReference, options: DynamicSetOptions = {}): RulePart =>
    dynset('add', key, set, options),
  updateSet: (key: Field | readonly Field[], set: SetReference, options: DynamicSetOptions = {}): RulePart =>
    dynset('update', key, set, options),
  deleteFromSet: (key: Field | readonly Field[], set: SetReference): RulePart =>
    dynset('delete', key, set, {}),
  /** Lowers the segment size TCP peers announce to what the route's MTU allows. */
  clampMss: clampMss(),
} as const;

export interface DynamicSetOptions {
  readonly timeoutMs?: number;
  readonly limit?: LimitOptions;
}

function clampMss(): RulePart {
  return (scope) => [
    ...satisfy(scope, field.tcpFlags.requires),
    { op: 'rt', key: 'tcpmss', register: R },
    { op: 'byteorder', source: R, register: R, to: 'network', length: 2, size: 2 },
    { op: 'tcp-option-set', option: 2, offset: 2, length: 2, register: R },
  ];
}

function portUnreachable(family: NftFamily): Rejection {
  if (family === 'ip') return { with: 'icmp', code: 3 };
  if (family === 'ip6') return { with: 'icmp', code: 4 };
  return { with: 'icmpx', code: 1 };
}

function two(first: NftExpression, second: NftExpression): RulePart {
  const list = [first, second];
  return () => list;
}

function setMark(of: 'meta' | 'ct', value: number, mask: number | undefined): RulePart {
  const set: NftExpression =
    of === 'meta' ? { op: 'meta-set', key: 'mark', register: R } : { op: 'ct-set', key: 'mark', register: R };
  if (mask === undefined || mask === 0xffffffff)
    return two({ op: 'immediate', register: R, value: formatHex(valueBytes('mark', value)) }, set);
  const keep = formatHex(valueBytes('mark', ~mask >>> 0));
  const load: NftExpression =
    of === 'meta' ? { op: 'meta', key: 'mark', register: R } : { op: 'ct', key: 'mark', register: R };
  const list: NftExpression[] = [
    load,
    { op: 'bitwise', source: R, register: R, mask: keep, xor: formatHex(valueBytes('mark', value)) },
    set,
  ];
  return () => list;
}

function nat(type: 'snat' | 'dnat', target: NatTarget): RulePart {
  const out: NftExpression[] = [];
  const addressType = target.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  let next: Register = R;
  const put = (kind: 'ipv4_addr' | 'ipv6_addr' | 'inet_service', value: string | number | undefined) => {
    if (value === undefined) return undefined;
    const register = next;
    next += paddedBytes(kind) / 4;
    out.push({ op: 'immediate', register, value: formatHex(valueBytes(kind, value)) });
    return register;
  };
  const address = put(addressType, target.address);
  const addressEnd = put(addressType, target.addressEnd);
  const port = put('inet_service', target.port);
  const portEnd = put('inet_service', target.portEnd);
  out.push({
    op: 'nat',
    type,
    family: target.family,
    ...(address !== undefined && { address }),
    ...(addressEnd !== undefined && { addressEnd }),
    ...(port !== undefined && { port }),
    ...(portEnd !== undefined && { portEnd }),
    ...(target.flags !== undefined && { flags: inOrder(NAT_FLAGS, target.flags) }),
  });
  return () => out;
}

function natMap(type: 'snat' | 'dnat', key: Field | readonly Field[], map: SetReference): RulePart {
  const data = map.dataType;
  if (data === undefined || data === 'verdict') throw new RangeError(`map ${map.name} holds no addresses`);
  const [address, port] = data;
  if (address !== 'ipv4_addr' && address !== 'ipv6_addr')
    throw new RangeError(`map ${map.name} holds ${data.join(' . ')}, no address`);
  return (scope) => [
    ...loadKey(scope, key, map),
    { op: 'lookup', set: map.name, register: R, result: R },
    {
      op: 'nat',
      type,
      family: address === 'ipv4_addr' ? 4 : 6,
      address: R,
      ...(port !== undefined && { port: R + paddedBytes(address) / 4 }),
    },
  ];
}

function portNat(op: 'masquerade' | 'redirect', target: PortTarget): RulePart {
  const out: NftExpression[] = [];
  for (const [index, port] of [target.port, target.portEnd].entries()) {
    if (port === undefined) continue;
    out.push({ op: 'immediate', register: R + index, value: formatHex(valueBytes('inet_service', port)) });
  }
  out.push({
    op,
    ...(target.port !== undefined && { port: R }),
    ...(target.portEnd !== undefined && { portEnd: R + 1 }),
    ...(target.flags !== undefined && { flags: inOrder(NAT_FLAGS, target.flags) }),
  });
  return () => out;
}

function dynset(
  action: 'add' | 'update' | 'delete',
  key: Field | readonly Field[],
  set: SetReference,
  options: DynamicSetOptions,
): RulePart {
  const { limit, timeoutMs } = options;
  const stateful: NftExpression[] =
    limit === undefined
      ? []
      : [{ op: 'limit', ...limit, per: limit.per ?? 'second', unit: limit.unit ?? 'packets' }];
  return (scope) => [
    ...loadKey(scope, key, set),
    {
      op: 'dynset',
      action,
      set: set.name,
      register: R,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(stateful.length > 0 && { expressions: stateful }),
    },
  ];
}
