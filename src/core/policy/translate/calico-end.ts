/** An end of a rule of projectcalico.org/v3: whom its selectors are about, nets, ports, service accounts, and services. */
import type { Direction, EndMatch, PortMatch, Protocol, RuleAction } from '../model.ts';
import { all, has, isIn, isKind, label, type Selector } from '../selector/index.ts';
import { calicoPort, hasPorts } from './calico-protocol.ts';
import { calicoSelector } from './calico-selector.ts';
import { type Fields, shown } from './document.ts';
import { domainNames } from './domain-names.ts';
import { mergedPorts } from './ports.ts';

/** The rule that an end is of. */
export interface EndContext {
  readonly direction: Direction;
  /** The policy's, undefined for one of the whole cluster. */
  readonly namespace: string | undefined;
  readonly protocol: Protocol | undefined;
  /** undefined if it is none that is known. */
  readonly action: RuleAction | undefined;
}

type End = 'source' | 'destination';

/** What Calico's selectors select; nodes are none of it. */
const ENDPOINTS = isKind('pod', 'host-endpoint', 'network-set');

export function endMatch(fields: Fields | undefined, end: End, context: EndContext): EndMatch {
  if (fields === undefined) return {};
  const excluded = calicoSelector(fields, 'notSelector', 'member');
  const selector = memberSelector(fields, excluded !== undefined, context.namespace);
  // An empty list is one that is not there.
  const nets = fields.prefixes('nets', true) ?? [];
  const notNets = fields.prefixes('notNets', true) ?? [];
  const ports = portsOf(fields, 'ports', context.protocol);
  const notPorts = portsOf(fields, 'notPorts', context.protocol);
  const service = serviceOf(fields, end, context);
  const domains = domainsOf(fields, end, context);
  fields.warnOfOthers();
  return {
    ...(selector !== undefined && { selector }),
    ...(excluded !== undefined && { notSelector: all(ENDPOINTS, excluded) }),
    ...(nets.length > 0 && { nets }),
    ...(notNets.length > 0 && { notNets }),
    ...(ports !== undefined && { ports }),
    ...(notPorts !== undefined && { notPorts }),
    ...(service !== undefined && { service }),
    ...(domains !== undefined && { domains }),
  };
}

/**
 * Whom selector, namespaceSelector and serviceAccounts are about together. In a policy of a namespace any of the selectors, notSelector too,
 * limits the end to this namespace, unless namespaceSelector says to which.
 */
function memberSelector(
  fields: Fields,
  hasNotSelector: boolean,
  namespace: string | undefined,
): Selector | undefined {
  const members = calicoSelector(fields, 'selector', 'member');
  const namespaces = namespaceSelector(fields);
  const accounts = serviceAccounts(fields);
  const scope = namespaces ?? (namespace === undefined ? undefined : isIn(namespace));
  const isAsked = members !== undefined || namespaces !== undefined || accounts !== undefined;
  if (!isAsked && !(hasNotSelector && scope !== undefined)) return undefined;
  return all(ENDPOINTS, members, scope, accounts);
}

/** Labels of namespaces are asked for of what is in one; `global()` is what is in none. */
function namespaceSelector(fields: Fields): Selector | undefined {
  const selector = calicoSelector(fields, 'namespaceSelector', 'namespace', { allowsGlobal: true });
  if (selector === undefined) return undefined;
  const text = fields.text('namespaceSelector') ?? '';
  if (!text.includes('global(')) return all(has('self', 'namespace'), selector);
  if (!/^\s*global\(\s*\)\s*$/.test(text))
    fields.fail('must have global() alone, if it has it', 'namespaceSelector');
  return selector;
}

function serviceAccounts(parent: Fields): Selector | undefined {
  const fields = parent.object('serviceAccounts');
  if (fields === undefined) return undefined;
  const names = fields.texts('names') ?? [];
  const selector = calicoSelector(fields, 'selector', 'service-account');
  fields.warnOfOthers();
  if (names.length === 0 && selector === undefined) return undefined;
  return all(
    has('self', 'serviceAccount'),
    names.length === 0 ? undefined : label('self', 'serviceAccount', ...names),
    selector,
  );
}

function portsOf(fields: Fields, key: string, protocol: Protocol | undefined): PortMatch[] | undefined {
  const values = fields.values(key);
  if (values === undefined || values.length === 0) return undefined;
  const ports = values.flatMap((value, index) => {
    const match = calicoPort(value);
    if (match === undefined)
      fields.fail(`${shown(value)} is no port, range such as "80:90" or name`, `${key}[${index}]`);
    return match ?? [];
  });
  const needsProtocol = protocol === undefined && ports.some((port) => 'from' in port);
  if (needsProtocol || (protocol !== undefined && !hasPorts(protocol)))
    fields.fail('needs a protocol that has ports: TCP, UDP or SCTP', key);
  return mergedPorts(ports);
}

/** Calico Enterprise has them. Its wildcards between other labels are refused. */
function domainsOf(fields: Fields, end: End, { direction, action }: EndContext): EndMatch['domains'] {
  const domains = domainNames(fields, 'domains') ?? [];
  if (domains.length === 0) return undefined;
  if (direction === 'ingress' || end === 'source') fields.fail('is for the destination of egress', 'domains');
  if (action !== 'allow') fields.fail('is for rules that Allow only', 'domains');
  return domains;
}

/** Of what the other end is; its endpoints say addresses, and ports where they are the destination. */
function serviceOf(fields: Fields, end: End, { direction, namespace }: EndContext): EndMatch['service'] {
  const services = fields.object('services');
  if (services === undefined) return undefined;
  const name = services.required('name', services.text('name'));
  const where = services.text('namespace') ?? namespace;
  services.warnOfOthers();
  if ((direction === 'ingress') !== (end === 'source'))
    fields.fail('is for the other end: the source of ingress, the destination of egress', 'services');
  const others = ['selector', 'notSelector', 'namespaceSelector', 'serviceAccounts', 'nets', 'notNets'];
  const excluded = end === 'destination' ? [...others, 'ports', 'notPorts'] : others;
  const given = excluded.filter((key) => fields.has(key));
  if (given.length > 0) fields.fail(`may not stand beside ${given.join(' and ')}`, 'services');
  if (where === undefined) services.fail('is missing', 'namespace');
  return name === undefined || where === undefined ? undefined : { namespace: where, name };
}
