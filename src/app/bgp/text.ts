/** What a speaker says, for people. */
import { formatCommunity } from '#core/bgp/filter/index.ts';
import type { BestChange, Explanation, RouteView, TableAttributes } from '#core/bgp/rib/index.ts';
import type { Why } from '#core/bgp/speaker/index.ts';
import type { Announced } from './service/control.ts';
import type { NeighborStatus, ServiceEvent } from './service/model.ts';

/** One line for each neighbour. */
export function summaryText(
  summary: { readonly asn: number; readonly neighbors: readonly NeighborStatus[] },
  now: number,
): string {
  const head = ['NEIGHBOR', 'ADDRESS', 'AS', 'STATE', 'FOR', 'LEARNED', 'REFUSED', 'TOLD', 'WAITING'];
  const rows = summary.neighbors.map((each) => [
    each.key,
    each.address ?? each.interface ?? '-',
    String(each.asn ?? '-'),
    each.isUp ? 'up' : each.phase,
    each.upSince === undefined ? '-' : durationText(now - each.upSince),
    ...(['learned', 'refused', 'told', 'waiting'] as const).map((key) =>
      each.families.map((family) => family[key]).join('/'),
    ),
  ]);
  return `AS ${summary.asn}, ${summary.neighbors.length} neighbors\n${table([head, ...rows])}`;
}

/** All of one neighbour. */
export function neighborText(status: NeighborStatus, now: number): string {
  const rows: readonly (readonly [string, string])[] = [
    ['neighbor', status.key],
    ...(status.description === undefined ? [] : [['description', status.description] as const]),
    ['address', status.address ?? 'nobody is found yet'],
    ...(status.interface === undefined ? [] : [['interface', status.interface] as const]),
    ['as', String(status.asn ?? 'any')],
    ['session', status.isUp ? `up for ${durationText(now - (status.upSince ?? now))}` : status.phase],
    ...(status.lastReason === undefined ? [] : [['last end', status.lastReason] as const]),
    ...(status.bfd === undefined ? [] : [['bfd', status.bfd] as const]),
    ['losses', String(status.flaps)],
    ...(['in', 'out'] as const).map(
      (direction) => [`messages ${direction}`, countText(status.messages[direction])] as const,
    ),
    ...status.families.map(
      ({ family, learned, refused, told, waiting }) =>
        [`ipv${family}`, `${learned} learned, ${refused} refused, ${told} told, ${waiting} waiting`] as const,
    ),
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)}${value}\n`).join('');
}

const MARKS = { best: '>', multipath: '=', lost: ' ', unreachable: '!', refused: 'x' } as const;

/** One route in a line. */
export function routeText(route: RouteView): string {
  const { prefix, peer, outcome, received, attributes, staleness } = route;
  const words = [
    MARKS[outcome.type],
    prefix.padEnd(20),
    `from ${peer === '' ? 'here' : peer}`,
    attributesText(attributes ?? received),
    ...(staleness === 'fresh' ? [] : [staleness]),
    ...(route.isDiscard ? ['discard'] : []),
  ];
  return `${words.join(' ')}\n`;
}

/** What a peer is told, in a line. */
export function toldText(told: { readonly prefix: string; readonly attributes: TableAttributes }): string {
  return `${told.prefix.padEnd(20)} ${attributesText(told.attributes)}\n`;
}

/** Why a prefix is as it is. */
export function whyText(why: Why): string {
  const lines = [`${why.prefix}: ${why.routes.length === 0 ? 'no route' : `${why.routes.length} routes`}\n`];
  for (const route of why.routes) {
    lines.push(`  ${routeText(route).trimEnd()}: ${outcomeText(route)}\n`);
    lines.push(...stepsText(why.imports, route.peer));
  }
  for (const { peer, refusal, isPending } of why.told) {
    const pending = isPending ? ', waits to be sent' : '';
    lines.push(`  ${peer} is told ${refusal === undefined ? 'it' : `nothing: ${refusal}`}${pending}\n`);
    lines.push(...stepsText(why.exports, peer));
  }
  return lines.join('');
}

/** Nothing, unless nobody is told, though there is somebody. */
export function announcedText({ prefix, told }: Announced): string {
  const [first] = told;
  if (first === undefined || told.some(({ refusal }) => refusal === undefined)) return '';
  const reasons = [...new Set(told.map(({ refusal }) => refusal))].join(', ');
  return `${prefix}: no neighbor is told: ${reasons}\n`;
}

/** An event in a line. */
export function eventText(event: ServiceEvent): string {
  switch (event.type) {
    case 'session':
      return `session ${event.peer} ${event.isUp ? 'up' : `down: ${event.reason ?? ''}`}\n`;
    case 'best':
      return bestText(event.change);
    case 'table':
      return `table ${JSON.stringify(event.event)}\n`;
    case 'station':
      return `station ${event.station} ${event.text}\n`;
    case 'fault':
      return `fault ${event.peer} ${event.text}\n`;
  }
}

function countText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([type, count]) => `${count} ${type}`)
    .join(', ');
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}

function bestText({ prefix, route }: BestChange): string {
  if (route === undefined) return `best ${prefix} none\n`;
  const hops = route.nextHops.map(({ address }) => address).join(', ');
  return `best ${prefix} from ${route.peer === '' ? 'here' : route.peer} by ${route.isDiscard ? 'discard' : hops}\n`;
}

function stepsText(all: Why['imports'], peer: string): readonly string[] {
  const found = all.find((each) => each.peer === peer)?.explanation;
  return (found?.steps ?? []).map(({ origin, mismatch, operations }) => {
    const done = operations.length === 0 ? '' : ` (${operations.join(', ')})`;
    const verdict = origin === found?.decidedBy ? found.verdict : 'matches';
    return `      ${origin}: ${mismatch ?? `${verdict}${done}`}\n`;
  });
}

function outcomeText({ outcome }: Explanation['routes'][number]): string {
  switch (outcome.type) {
    case 'best':
      return 'the best';
    case 'multipath':
      return 'as good as the best, and used';
    case 'lost':
      return `the best is better by ${outcome.step}`;
    case 'unreachable':
      return 'its next hop cannot be reached';
    case 'refused':
      return `refused: ${outcome.reason}`;
  }
}

function attributesText(attributes: TableAttributes): string {
  const { asPath, nextHop, med, localPref, origin, communities = [], largeCommunities = [] } = attributes;
  const path = asPath
    .map(({ type, asns }) => {
      const text = asns.join(' ');
      if (type === 'sequence') return text;
      return type === 'set' ? `{${text}}` : type === 'confed-sequence' ? `(${text})` : `[${text}]`;
    })
    .join(' ');
  const all = [...communities, ...largeCommunities].map(formatCommunity);
  return [
    `by ${nextHop}`,
    `path [${path}]`,
    origin,
    ...(med === undefined ? [] : [`med ${med}`]),
    ...(localPref === undefined ? [] : [`localpref ${localPref}`]),
    ...all,
  ].join(' ');
}

function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
}
