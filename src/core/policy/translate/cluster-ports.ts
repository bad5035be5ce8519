/** Protocols and ports of policy.networking.k8s.io, as v1alpha2 and v1alpha1 have them. */
import type { PortMatch } from '../model.ts';
import type { Fields } from './document.ts';
import { checkPortName, groupedChoices, PORT_PROTOCOLS, type PortChoice } from './ports.ts';

const ANY: readonly PortChoice[] = [{}];
const PROTOCOL_KEYS = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP' } as const;

/** v1alpha2: `protocols: [{tcp: {destinationPort: {number: 80}}}]`. Undefined if one of them is of no kind that is known. */
export function protocolChoices(rule: Fields): readonly PortChoice[] | undefined {
  const protocols = rule.objects('protocols');
  if (protocols === undefined) return ANY;
  if (protocols.length === 0) rule.fail('needs one at least: leave it out for any protocol', 'protocols');
  return known(protocols.map(protocolChoice));
}

function protocolChoice(fields: Fields): readonly PortChoice[] | undefined {
  const keys = Object.keys(PROTOCOL_KEYS) as (keyof typeof PROTOCOL_KEYS)[];
  const given = [...keys, 'destinationNamedPort' as const].filter((key) => fields.has(key));
  if (given.length > 1) fields.fail(`must be of one kind: ${given.join(' and ')} are too many`);
  fields.warnOfOthers();
  const [key] = given;
  if (key === undefined) return undefined;
  if (key === 'destinationNamedPort') return namedChoices(fields, key);
  const detail = fields.object(key);
  const port = detail?.object('destinationPort');
  detail?.warnOfOthers();
  const match = port && numberOrRange(port);
  return match && [{ protocol: PORT_PROTOCOLS[PROTOCOL_KEYS[key]], ports: [match] }];
}

function numberOrRange(port: Fields): PortMatch | undefined {
  const number = port.integer('number', 1, 65_535);
  const range = port.object('range');
  if (port.has('number') && range !== undefined) port.fail('must have a number or a range, not both');
  port.warnOfOthers();
  if (range !== undefined) return portRange(range);
  return number === undefined ? undefined : { from: number, to: number };
}

/** v1alpha1: `ports: [{portNumber: {protocol: TCP, port: 80}}]`. Undefined if one of them is of no kind that is known. */
export function portChoices(rule: Fields): readonly PortChoice[] | undefined {
  const ports = rule.objects('ports');
  if (ports === undefined) return ANY;
  if (ports.length === 0) rule.fail('needs one at least: leave it out for any port', 'ports');
  return known(ports.map(portChoice));
}

function portChoice(fields: Fields): readonly PortChoice[] | undefined {
  const given = ['portNumber', 'portRange', 'namedPort'].filter((key) => fields.has(key));
  if (given.length > 1) fields.fail(`must be of one kind: ${given.join(' and ')} are too many`);
  fields.warnOfOthers();
  const [key] = given;
  if (key === undefined) return undefined;
  if (key === 'namedPort') return namedChoices(fields, key);
  const detail = fields.object(key);
  if (detail === undefined) return undefined;
  const protocol = PORT_PROTOCOLS[detail.oneOf('protocol', ['TCP', 'UDP', 'SCTP']) ?? 'TCP'];
  if (key === 'portRange') return [{ protocol, ports: [portRange(detail)] }];
  const port = detail.required('port', detail.integer('port', 1, 65_535)) ?? 0;
  detail.warnOfOthers();
  return [{ protocol, ports: [{ from: port, to: port }] }];
}

function portRange(range: Fields): PortMatch {
  const from = range.required('start', range.integer('start', 1, 65_535)) ?? 0;
  const to = range.required('end', range.integer('end', 1, 65_535)) ?? 0;
  if (from > to) range.fail(`${to} is less than start, ${from}`, 'end');
  range.warnOfOthers();
  return { from, to };
}

/** A name says nothing of the protocol: the port of a pod that has it may be of any. */
function namedChoices(fields: Fields, key: string): readonly PortChoice[] {
  const name = fields.required(key, fields.text(key));
  if (name === undefined) return ANY;
  checkPortName(fields, name, key);
  return Object.values(PORT_PROTOCOLS).map((protocol) => ({ protocol, ports: [{ name }] }));
}

function known(choices: readonly (readonly PortChoice[] | undefined)[]): readonly PortChoice[] | undefined {
  return choices.includes(undefined)
    ? undefined
    : groupedChoices(choices.flatMap((each) => (each === undefined ? [] : [...each])));
}
