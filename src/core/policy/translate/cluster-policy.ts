/**
 * policy.networking.k8s.io: ClusterNetworkPolicy (v1alpha2), and the AdminNetworkPolicy and BaselineAdminNetworkPolicy it came from
 * (v1alpha1). https://network-policy-api.sigs.k8s.io/reference/spec/
 */
import type { KubeObject } from '#core/store/index.ts';
import {
  type Direction,
  type EndMatch,
  type Policy,
  type PolicyKind,
  type PolicyRule,
  type PortMatch,
  PROTOCOLS,
  type Protocol,
  type RuleAction,
} from '../model.ts';
import { all, isKind, type Selector } from '../selector/index.ts';
import { Fields, type Findings } from './document.ts';
import { labelSelector } from './label-selector.ts';
import { ADMIN_TIER, BASELINE_TIER } from './tiers.ts';

const ACTIONS: Readonly<Record<string, RuleAction>> = {
  Accept: 'allow',
  Allow: 'allow',
  Deny: 'deny',
  Pass: 'pass',
};
const NUMBERS = { TCP: PROTOCOLS.tcp, UDP: PROTOCOLS.udp, SCTP: PROTOCOLS.sctp } as const;
const DOMAIN =
  /^(\*\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\.?$/;
const MAX_PRIORITY = 1000;

/** What differs between the three kinds. */
interface Dialect {
  readonly kind: PolicyKind;
  readonly actions: readonly string[];
  readonly ports: (rule: Fields) => readonly PortChoice[];
}

/** A protocol, or one with ports; nothing: any packet. */
interface PortChoice {
  readonly protocol?: Protocol;
  readonly ports?: readonly PortMatch[];
}

export function clusterNetworkPolicy(object: KubeObject, findings: Findings): Policy {
  const spec = new Fields(object['spec'], 'spec', findings);
  const tier = spec.required('tier', spec.oneOf('tier', ['Admin', 'Baseline']));
  const priority = spec.required('priority', spec.integer('priority', 0, MAX_PRIORITY));
  const dialect: Dialect = {
    kind: 'ClusterNetworkPolicy',
    actions: ['Accept', 'Deny', 'Pass'],
    ports: protocolChoices,
  };
  const where = { tier: tier === 'Baseline' ? BASELINE_TIER.name : ADMIN_TIER.name, order: priority ?? 0 };
  return policyOf(object, spec, dialect, where);
}

export function adminNetworkPolicy(object: KubeObject, findings: Findings): Policy {
  const spec = new Fields(object['spec'], 'spec', findings);
  const priority = spec.required('priority', spec.integer('priority', 0, MAX_PRIORITY));
  const dialect: Dialect = {
    kind: 'AdminNetworkPolicy',
    actions: ['Allow', 'Deny', 'Pass'],
    ports: portChoices,
  };
  return policyOf(object, spec, dialect, { tier: ADMIN_TIER.name, order: priority ?? 0 });
}

/** There is one, called `default`; it comes after all that have a priority. */
export function baselineAdminNetworkPolicy(object: KubeObject, findings: Findings): Policy {
  const spec = new Fields(object['spec'], 'spec', findings);
  const dialect: Dialect = {
    kind: 'BaselineAdminNetworkPolicy',
    actions: ['Allow', 'Deny'],
    ports: portChoices,
  };
  return policyOf(object, spec, dialect, { tier: BASELINE_TIER.name, order: Number.POSITIVE_INFINITY });
}

function policyOf(
  { metadata }: KubeObject,
  spec: Fields,
  dialect: Dialect,
  where: Pick<Policy, 'tier' | 'order'>,
): Policy {
  const subject = spec.object('subject');
  if (subject === undefined) spec.fail('is missing', 'subject');
  const ingress = rules(spec, 'ingress', dialect);
  const egress = rules(spec, 'egress', dialect);
  spec.warnOfOthers();
  return {
    ref: { kind: dialect.kind, name: metadata.name },
    ...where,
    subject: subject === undefined ? { op: 'none' } : podsOf(subject),
    // Without rules for a direction it does not count there at all.
    ...(ingress.length > 0 && { ingress }),
    ...(egress.length > 0 && { egress }),
  };
}

function rules(spec: Fields, direction: Direction, dialect: Dialect): PolicyRule[] {
  return (spec.objects(direction) ?? []).flatMap((rule, index) => {
    const action = rule.required('action', rule.oneOf('action', dialect.actions));
    const key = direction === 'ingress' ? 'from' : 'to';
    const peers = rule.objects(key) ?? [];
    if (peers.length === 0) rule.fail('needs one peer at least', key);
    const choices = dialect.ports(rule);
    const name = rule.text('name');
    const ends = peers.map((peer) => peerMatch(peer, direction));
    rule.warnOfOthers();
    return ends.flatMap((other, at) =>
      choices.map(({ protocol, ports }): PolicyRule => {
        const destination = direction === 'ingress' ? {} : other;
        return {
          origin: {
            index,
            path: `${direction}[${index}].${key}[${at}]`,
            ...(name !== undefined && name !== '' && { name }),
          },
          action: ACTIONS[action ?? 'Deny'] ?? 'deny',
          ...(protocol !== undefined && { protocol }),
          source: direction === 'ingress' ? other : {},
          destination: ports === undefined ? destination : { ...destination, ports },
        };
      }),
    );
  });
}

/** The pods of `namespaces`, or of `pods`, of which one is given. */
function podsOf(fields: Fields): Selector {
  const namespaces = labelSelector(fields, 'namespaces', 'namespace');
  const pods = fields.object('pods');
  fields.warnOfOthers();
  if ((namespaces === undefined) === (pods === undefined)) {
    fields.fail('needs one of namespaces and pods, and not both');
    return { op: 'none' };
  }
  if (pods === undefined) return all(isKind('pod'), namespaces);
  const selector = all(
    isKind('pod'),
    labelSelector(pods, 'namespaceSelector', 'namespace'),
    labelSelector(pods, 'podSelector', 'member'),
  );
  pods.warnOfOthers();
  return selector;
}

const OUTER_PEERS = ['nodes', 'networks', 'domainNames'] as const;

function peerMatch(peer: Fields, direction: Direction): EndMatch {
  const outer = OUTER_PEERS.filter((key) => peer.has(key));
  if (outer.length === 0) return { selector: podsOf(peer) };
  const [key] = outer;
  if (direction === 'ingress') peer.fail('is for egress only', key);
  if (outer.length > 1 || peer.has('namespaces') || peer.has('pods'))
    peer.fail(
      `has one kind of peer: ${[...outer, 'namespaces', 'pods'].filter((each) => peer.has(each)).join(', ')} are too many`,
    );
  if (key === 'nodes') return { selector: all(isKind('node'), labelSelector(peer, 'nodes', 'member')) };
  if (key === 'networks') return { nets: peer.prefixes('networks') ?? [] };
  const domains = peer.texts('domainNames') ?? [];
  for (const [index, domain] of domains.entries())
    if (!DOMAIN.test(domain))
      peer.fail(`"${domain}" is no name such as example.com or *.example.com`, `domainNames[${index}]`);
  return { domains: domains.map((domain) => domain.toLowerCase().replace(/\.$/, '')) };
}

/** v1alpha2: `protocols: [{tcp: {destinationPort: {number: 80}}}]`. */
function protocolChoices(rule: Fields): PortChoice[] {
  const protocols = rule.objects('protocols');
  if (protocols === undefined) return [{}];
  return protocols.flatMap((fields): PortChoice[] => {
    const name = fields.text('destinationNamedPort');
    const given = (['tcp', 'udp', 'sctp'] as const).filter((key) => fields.has(key));
    if (given.length + (name === undefined ? 0 : 1) !== 1)
      fields.fail('needs one of tcp, udp, sctp and destinationNamedPort, and not several');
    if (name !== undefined) return namedChoices(name);
    const [key = 'tcp'] = given;
    const protocol = PROTOCOLS[key];
    const port = fields.object(key)?.object('destinationPort');
    fields.warnOfOthers();
    if (port === undefined) return [{ protocol }];
    return [{ protocol, ports: [numberOrRange(port)] }];
  });
}

function numberOrRange(port: Fields): PortMatch {
  const number = port.integer('number', 1, 65_535);
  const range = port.object('range');
  if ((number === undefined) === (range === undefined))
    port.fail('needs one of number and range, and not both');
  port.warnOfOthers();
  return range === undefined ? { from: number ?? 0, to: number ?? 0 } : portRange(range);
}

function portRange(range: Fields): PortMatch {
  const from = range.required('start', range.integer('start', 1, 65_535)) ?? 0;
  const to = range.required('end', range.integer('end', 1, 65_535)) ?? 0;
  if (from > to) range.fail(`${to} is less than start, ${from}`, 'end');
  return { from, to };
}

/** A name says nothing of the protocol: a container's port of that name has its own. */
function namedChoices(name: string): PortChoice[] {
  return Object.values(NUMBERS).map((protocol) => ({ protocol, ports: [{ name }] }));
}

/** v1alpha1: `ports: [{portNumber: {protocol: TCP, port: 80}}]`. */
function portChoices(rule: Fields): PortChoice[] {
  const ports = rule.objects('ports') ?? [];
  if (ports.length === 0) return [{}];
  return ports.flatMap((fields): PortChoice[] => {
    const name = fields.text('namedPort');
    const [number, range] = [fields.object('portNumber'), fields.object('portRange')];
    fields.warnOfOthers();
    if ([name, number, range].filter((each) => each !== undefined).length !== 1)
      fields.fail('needs one of portNumber, portRange and namedPort, and not several');
    if (name !== undefined) return namedChoices(name);
    const one = number ?? range;
    const protocol = NUMBERS[one?.oneOf('protocol', ['TCP', 'UDP', 'SCTP']) ?? 'TCP'];
    if (range !== undefined) return [{ protocol, ports: [portRange(range)] }];
    const port = number?.required('port', number.integer('port', 1, 65_535)) ?? 0;
    return [{ protocol, ports: [{ from: port, to: port }] }];
  });
}
