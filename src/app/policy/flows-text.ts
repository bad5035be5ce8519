/** What `poplin flows` prints: a line of a table, or an object of JSON, for each line of the log and each flow that ended. */
import type { FlowLine, LineEnd, LineOrigin } from '#core/policy/flows/index.ts';
import { PROTOCOLS } from '#core/policy/index.ts';

/** A flow that is over. */
export interface EndedLine {
  readonly atMs: number;
  readonly source: LineEnd;
  readonly destination: LineEnd;
  readonly protocol: number;
  readonly icmp?: FlowLine['icmp'];
  readonly packets?: number;
  readonly bytes?: number;
  readonly durationMs?: number;
}

export type AnyLine = FlowLine | EndedLine;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(PROTOCOLS).map(([name, number]) => [number, name]),
);
const COLOURS = { allow: 32, deny: 31, pass: 33, log: 36, ended: 90 } as const;
const TITLES = ['TIME', 'VERDICT', 'POLICY OF', 'SOURCE', 'DESTINATION', 'BY'];

/** For one line of output. */
export function jsonOf(line: AnyLine): object {
  const { atMs, source, destination, protocol, icmp, ...more } = line;
  const flow = {
    time: new Date(atMs).toISOString(),
    event: 'verdict' in more ? 'verdict' : 'ended',
    source: jsonEnd(source),
    destination: jsonEnd(destination),
    protocol: protocolName(protocol),
    ...(icmp !== undefined && { icmp }),
  };
  if (!('verdict' in more)) return { ...flow, ...more };
  const { by, staged, ...said } = more;
  return {
    ...flow,
    ...said,
    ...jsonOrigin(by),
    ...(staged !== undefined && {
      staged: { verdict: staged.verdict, ...(staged.by !== undefined && jsonOrigin(staged.by)) },
    }),
  };
}

function jsonOrigin(origin: LineOrigin): object {
  const { by, ...more } = origin;
  return { reason: by, ...more };
}

function jsonEnd({ kind, name, namespace: _, ...at }: LineEnd) {
  return { ...at, ...(kind !== undefined && { [kind]: name }) };
}

/** A table whose end is not known when it begins: columns are as wide as their widest cell yet. */
export class LiveTable {
  readonly #widths = [12, 7, 11, 24, 32];
  readonly #isColoured: boolean;

  constructor(isColoured: boolean) {
    this.#isColoured = isColoured;
  }

  header(): string {
    return this.#row(TITLES, undefined);
  }

  row(line: AnyLine): string {
    if (!('verdict' in line))
      return this.#row([clock(line.atMs), 'ended', '', ...endsOf(line), endedText(line)], 'ended');
    const whose = line.direction === 'ingress' ? 'destination' : 'source';
    return this.#row(
      [clock(line.atMs), line.verdict, whose, ...endsOf(line), verdictText(line)],
      line.verdict,
    );
  }

  #row(cells: readonly string[], colour: keyof typeof COLOURS | undefined): string {
    const padded = cells.map((cell, column) => {
      const width = Math.max(this.#widths[column] ?? 0, cell.length);
      if (column < cells.length - 1) this.#widths[column] = width;
      return column < cells.length - 1 ? cell.padEnd(width) : cell;
    });
    const text = padded.join('  ').trimEnd();
    if (!this.#isColoured) return `${text}\n`;
    if (colour === undefined) return `\x1b[1m${text}\x1b[0m\n`;
    const verdict = padded[1] ?? '';
    return `${text.replace(verdict.trimEnd(), `\x1b[${COLOURS[colour]}m${verdict.trimEnd()}\x1b[0m`)}\n`;
  }
}

function endsOf({ source, destination, protocol, icmp }: AnyLine): [string, string] {
  const name = protocolName(protocol);
  const service = icmp === undefined ? name : `${name} ${icmp.type}/${icmp.code}`;
  return [endText(source, '', false), endText(destination, service, true)];
}

/** `shop/db:5432/tcp (10.1.2.2)`, `[2001:db8::7]:443/tcp`, `node n1 (10.0.0.1)`. */
function endText({ address, port, kind, name }: LineEnd, service: string, withPort: boolean): string {
  const bare = withPort && port !== undefined && address.includes(':') ? `[${address}]` : address;
  const isNamed = kind !== undefined && name !== undefined;
  const who = isNamed ? (kind === 'pod' ? name : `${KINDS[kind]} ${name}`) : bare;
  const target = withPort ? `${who}${port === undefined ? ` ${service}` : `:${port}/${service}`}` : who;
  return isNamed ? `${target} (${address})` : target;
}

const KINDS = { 'host-endpoint': 'host', 'network-set': 'set', node: 'node' } as const;

function verdictText({ by, staged, verdict, count }: FlowLine): string {
  const parts = [originText(by)];
  if (staged !== undefined && staged.verdict !== verdict)
    parts.push(`staged: ${staged.verdict}${staged.by === undefined ? '' : ` by ${originText(staged.by)}`}`);
  if (count > 1) parts.push(`${count} times`);
  return parts.join('; ');
}

function originText(by: LineOrigin): string {
  switch (by.by) {
    case 'rule':
      return `${by.policy} ${by.rule}${by.name === undefined ? '' : ` "${by.name}"`}`;
    case 'tier-default':
      return by.policies.length === 0
        ? `tier ${by.tier}, where no rule matched`
        : `tier ${by.tier}: no rule of ${by.policies.join(', ')} matched`;
    case 'unknown-pod':
      return 'the pod’s policies were not known yet';
    case 'unknown':
      return `a policy that is not known (${by.digest})`;
  }
}

function endedText({ packets, bytes, durationMs }: EndedLine): string {
  const parts = [
    ...(packets === undefined ? [] : [`${packets} packets`]),
    ...(bytes === undefined ? [] : [`${bytes} bytes`]),
    ...(durationMs === undefined ? [] : [`${(durationMs / 1000).toFixed(1)} s`]),
  ];
  return parts.join(', ');
}

export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? String(protocol);
}

/** Of the day, where one is. */
function clock(atMs: number): string {
  const date = new Date(atMs);
  const two = (number: number) => String(number).padStart(2, '0');
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two);
  return `${parts.join(':')}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
