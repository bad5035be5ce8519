/** The statements of rules that need no look at the registers, as nft prints them; and what limits, logs and rejections say. */
import type { LogFlag, NftExpression, Rejection } from './expression.ts';
import type { NftFamily } from './objects.ts';
import { printBytesRate, printVerdict } from './print-value.ts';

type Of<O extends NftExpression['op']> = Extract<NftExpression, { op: O }>;

const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];
const DEFAULT_BURST_PACKETS = 5;
const ALL_LOG_FLAGS = 5;

const ICMP_CODES: Readonly<Record<number, string>> = {
  0: 'net-unreachable',
  1: 'host-unreachable',
  2: 'prot-unreachable',
  3: 'port-unreachable',
  9: 'net-prohibited',
  10: 'host-prohibited',
  13: 'admin-prohibited',
};
const ICMPV6_CODES: Readonly<Record<number, string>> = {
  0: 'no-route',
  1: 'admin-prohibited',
  3: 'addr-unreachable',
  4: 'port-unreachable',
  5: 'policy-fail',
  6: 'reject-route',
};
const ICMPX_CODES: Readonly<Record<number, string>> = {
  0: 'no-route',
  1: 'port-unreachable',
  2: 'host-unreachable',
  3: 'admin-prohibited',
};

/** The statement's text; undefined for expressions that only mean something together with registers. */
export function printStatement(
  expression: NftExpression,
  family: NftFamily,
  network: string | undefined,
): string | undefined {
  switch (expression.op) {
    case 'verdict':
      return printVerdict(expression.verdict);
    case 'counter':
      return `counter packets ${expression.packets ?? 0} bytes ${expression.bytes ?? 0}`;
    case 'limit':
      return limitText(expression);
    case 'connlimit':
      return `ct count ${expression.over ? 'over ' : ''}${expression.count}`;
    case 'log':
      return logText(expression);
    case 'reject':
      return rejectText(expression.rejection, family, network);
    case 'notrack':
      return 'notrack';
    case 'other':
      return `# ${expression.name} ${expression.bytes}`;
    default:
      return undefined;
  }
}

function limitText({ rate, per, unit, burst, over }: Of<'limit'>): string {
  const amount = unit === 'bytes' ? printBytesRate(rate) : `${rate}`;
  const text = `limit rate ${over ? 'over ' : ''}${amount}/${per}`;
  if (unit === 'bytes') return burst ? `${text} burst ${printBytesRate(burst)}` : text;
  return burst === undefined || burst === DEFAULT_BURST_PACKETS ? text : `${text} burst ${burst} packets`;
}

function logText({ prefix, group, snapBytes, queueThreshold, level, flags = [] }: Of<'log'>): string {
  return [
    'log',
    ...(prefix === undefined ? [] : [`prefix "${prefix}"`]),
    ...(group === undefined ? [] : [`group ${group}`]),
    ...(snapBytes ? [`snaplen ${snapBytes}`] : []),
    ...(queueThreshold ? [`queue-threshold ${queueThreshold}`] : []),
    ...(level === undefined ? [] : [`level ${LEVELS[level] ?? level}`]),
    ...logFlagsText(flags),
  ].join(' ');
}

function logFlagsText(flags: readonly LogFlag[]): string[] {
  if (flags.length === ALL_LOG_FLAGS) return ['flags all'];
  const has = (flag: LogFlag) => flags.includes(flag);
  const tcp = [...(has('tcp-sequence') ? ['sequence'] : []), ...(has('tcp-options') ? ['options'] : [])];
  return [
    ...(tcp.length > 0 ? [`flags tcp ${tcp.join(',')}`] : []),
    ...(has('ip-options') ? ['flags ip options'] : []),
    ...(has('skuid') ? ['flags skuid'] : []),
    ...(has('ether') ? ['flags ether'] : []),
  ];
}

function rejectText(rejection: Rejection, family: NftFamily, network: string | undefined): string {
  if (rejection.with === 'tcp-reset') return 'reject with tcp reset';
  const { code } = rejection;
  if (rejection.with === 'icmpx')
    return code === 1 ? 'reject' : `reject with icmpx ${ICMPX_CODES[code] ?? code}`;
  const isV6 = network === 'ip6';
  // In a table of one family the port is what is unreachable if nothing is said.
  if (family === 'ip' && code === 3) return 'reject';
  if (family === 'ip6' && code === 4) return 'reject';
  return isV6
    ? `reject with icmpv6 ${ICMPV6_CODES[code] ?? code}`
    : `reject with icmp ${ICMP_CODES[code] ?? code}`;
}
