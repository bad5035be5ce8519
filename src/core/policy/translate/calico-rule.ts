/** A rule of projectcalico.org/v3: action, protocol, and the two ends. https://docs.tigera.io/calico/latest/reference/resources/networkpolicy */
import type { IpFamily } from '#base/ip/index.ts';
import type { EndMatch, IcmpMatch, PolicyRule, PortMatch, Protocol, RuleAction } from '../model.ts';
import { PROTOCOLS } from '../model.ts';
import {
  all,
  CalicoSelectorError,
  has,
  isIn,
  isKind,
  type LabelsOf,
  label,
  not,
  parseCalicoSelector,
  type Selector,
} from '../selector/index.ts';
import type { Fields } from './document.ts';

const ACTIONS: Readonly<Record<string, RuleAction>> = {
  Allow: 'allow',
  Deny: 'deny',
  Pass: 'pass',
  Log: 'log',
};
const NUMBERS: Readonly<Record<string, Protocol>> = {
  TCP: PROTOCOLS.tcp,
  UDP: PROTOCOLS.udp,
  SCTP: PROTOCOLS.sctp,
  ICMP: PROTOCOLS.icmp,
  ICMPv6: PROTOCOLS.icmpv6,
  UDPLite: PROTOCOLS.udplite,
};
const WITH_PORTS: ReadonlySet<Protocol> = new Set([PROTOCOLS.tcp, PROTOCOLS.udp, PROTOCOLS.sctp]);

/** What Calico's selectors select; nodes are none of it. */
const ENDPOINTS = isKind('pod', 'host-endpoint', 'network-set');

/** `namespace` is the policy's, undefined for one of the whole cluster. */
export function calicoRule(
  rule: Fields,
  index: number,
  direction: 'ingress' | 'egress',
  namespace: string | undefined,
): PolicyRule {
  const action = rule.required('action', rule.oneOf('action', Object.keys(ACTIONS)));
  const protocol = protocolOf(rule, 'protocol');
  const notProtocol = protocolOf(rule, 'notProtocol');
  const family = rule.integer('ipVersion', 4, 6) as IpFamily | undefined;
  if ((family as number) === 5) rule.fail('5 is not 4 or 6', 'ipVersion');
  const icmp = icmpOf(rule, 'icmp');
  const notIcmp = icmpOf(rule, 'notICMP');
  if (rule.has('http')) rule.fail('is not enforced: Poplin looks at packets, not at requests', 'http');
  const annotations = rule.object('metadata')?.map('annotations') ?? {};
  const [source, destination] = ['source', 'destination'].map((key) =>
    endMatch(rule.object(key), protocol, namespace, (direction === 'ingress') === (key === 'source')),
  ) as [EndMatch, EndMatch];
  rule.warnOfOthers();
  const name = annotations['name'];
  return {
    origin: { index, path: `${direction}[${index}]`, ...(name !== undefined && { name }) },
    action: ACTIONS[action ?? 'Deny'] ?? 'deny',
    ...(family !== undefined && { family }),
    ...(protocol !== undefined && { protocol }),
    ...(notProtocol !== undefined && { notProtocol }),
    ...(icmp !== undefined && { icmp }),
    ...(notIcmp !== undefined && { notIcmp }),
    source,
    destination,
  };
}

/** The text of a selector at a key, over the labels of `of`. */
export function calicoSelector(fields: Fields, key: string, of: LabelsOf): Selector | undefined {
  const text = fields.text(key);
  if (text === undefined || text.trim() === '') return undefined;
  try {
    return parseCalicoSelector(text, of);
  } catch (error) {
    if (!(error instanceof CalicoSelectorError)) throw error;
    fields.fail(error.message, key);
    return undefined;
  }
}

function protocolOf(rule: Fields, key: string): Protocol | undefined {
  const value = rule.value(key);
  if (value === undefined) return undefined;
  const number =
    typeof value === 'number' ? value : (NUMBERS[value] ?? Number(value === '' ? Number.NaN : value));
  if (Number.isInteger(number) && number >= 1 && number <= 255) return number;
  rule.fail(
    `${JSON.stringify(value)} is not ${Object.keys(NUMBERS).join(', ')} or a number from 1 to 255`,
    key,
  );
  return undefined;
}

function icmpOf(rule: Fields, key: string): IcmpMatch | undefined {
  const fields = rule.object(key);
  if (fields === undefined) return undefined;
  const type = fields.integer('type', 0, 254);
  const code = fields.integer('code', 0, 255);
  fields.warnOfOthers();
  if (type === undefined) {
    if (code !== undefined) fields.fail('needs type beside it', 'code');
    return undefined;
  }
  return { type, ...(code !== undefined && { code }) };
}

function endMatch(
  fields: Fields | undefined,
  protocol: Protocol | undefined,
  namespace: string | undefined,
  isPeer: boolean,
): EndMatch {
  if (fields === undefined) return {};
  const selector = memberSelector(fields, namespace);
  const excluded = calicoSelector(fields, 'notSelector', 'member');
  const notSelector = excluded && all(ENDPOINTS, excluded);
  const [nets, notNets] = [fields.prefixes('nets'), fields.prefixes('notNets')];
  const [ports, notPorts] = [portsOf(fields, 'ports', protocol), portsOf(fields, 'notPorts', protocol)];
  const service = serviceOf(fields, namespace, isPeer);
  fields.warnOfOthers();
  return {
    ...(selector !== undefined && { selector }),
    ...(notSelector !== undefined && { notSelector }),
    ...(nets !== undefined && nets.length > 0 && { nets }),
    ...(notNets !== undefined && notNets.length > 0 && { notNets }),
    ...(ports !== undefined && ports.length > 0 && { ports }),
    ...(notPorts !== undefined && notPorts.length > 0 && { notPorts }),
    ...(service !== undefined && { service }),
  };
}

/**
 * What selects among members: their labels, their namespaces, their service accounts. In a policy of a namespace all of it is about this
 * namespace, unless `namespaceSelector` says of which; `global()` there is for what is in none.
 */
function memberSelector(fields: Fields, namespace: string | undefined): Selector | undefined {
  const isGlobal = /^\s*global\(\s*\)\s*$/.test(fields.text('namespaceSelector') ?? '');
  const members = calicoSelector(fields, 'selector', 'member');
  const namespaces = isGlobal
    ? not(has('self', 'namespace'))
    : calicoSelector(fields, 'namespaceSelector', 'namespace');
  const accounts = serviceAccounts(fields.object('serviceAccounts'));
  if (members === undefined && namespaces === undefined && accounts === undefined) return undefined;
  const scope = namespaces ?? (namespace === undefined ? undefined : isIn(namespace));
  // Labels of namespaces are asked for of what is in one.
  const isInSome = namespaces === undefined || isGlobal ? undefined : has('self', 'namespace');
  return all(ENDPOINTS, members, scope, isInSome, accounts);
}

function serviceAccounts(fields: Fields | undefined): Selector | undefined {
  if (fields === undefined) return undefined;
  const names = fields.texts('names') ?? [];
  const selector = calicoSelector(fields, 'selector', 'service-account');
  fields.warnOfOthers();
  return all(
    has('self', 'serviceAccount'),
    names.length === 0 ? undefined : label('self', 'serviceAccount', ...names),
    selector,
  );
}

function portsOf(fields: Fields, key: string, protocol: Protocol | undefined): PortMatch[] | undefined {
  const values = fields.values(key);
  if (values === undefined || values.length === 0) return undefined;
  if (protocol === undefined || !WITH_PORTS.has(protocol))
    fields.fail('needs a protocol that has ports: TCP, UDP or SCTP', key);
  return values.flatMap((value, index) => {
    const match = portOf(value);
    if (match === undefined)
      fields.fail(`${JSON.stringify(value)} is no port, range such as "80:90" or name`, `${key}[${index}]`);
    return match ?? [];
  });
}

function portOf(value: string | number): PortMatch | undefined {
  const [, first, last] = /^(\d+)(?::(\d+))?$/.exec(String(value)) ?? [];
  if (first === undefined)
    return /^[a-zA-Z0-9_.-]{1,128}$/.test(String(value)) ? { name: String(value) } : undefined;
  const [from, to] = [Number(first), Number(last ?? first)];
  return from <= to && to <= 65_535 ? { from, to } : undefined;
}

function serviceOf(
  fields: Fields,
  policyNamespace: string | undefined,
  isPeer: boolean,
): EndMatch['service'] {
  const services = fields.object('services');
  if (services === undefined) return undefined;
  const name = services.required('name', services.text('name'));
  const namespace = services.text('namespace') ?? policyNamespace;
  services.warnOfOthers();
  if (!isPeer) fields.fail('is for the other end of a rule', 'services');
  if (fields.has('selector') || fields.has('namespaceSelector') || fields.has('nets') || fields.has('ports'))
    fields.fail('stands alone: its endpoints say addresses and ports', 'services');
  if (namespace === undefined) services.fail('is missing', 'namespace');
  return name === undefined || namespace === undefined ? undefined : { namespace, name };
}
