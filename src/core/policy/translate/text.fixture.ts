/** Policies and what was found wrong with their documents as short texts, for tables of cases. */
import type { KubeObject } from '#core/store/index.ts';
import { type EndMatch, type Policy, type PolicyRule, type PortMatch, PROTOCOLS } from '../model.ts';
import { selectorText } from '../selector/index.ts';
import type { Fact } from './fact.ts';
import { translate } from './translate.ts';

export interface Written {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly spec?: unknown;
  readonly [key: string]: unknown;
}

/** An object with a name, `shop/web` if it says nothing else. */
export function object({ metadata, ...rest }: Written): KubeObject {
  return { ...rest, metadata: { name: 'web', namespace: 'shop', ...metadata } };
}

/** Problems as `path: message`, warnings the same behind `warning `. */
export function complaints(written: Written): string[] {
  const { problems, warnings } = translate(object(written));
  const text = ({ path, message }: { readonly path: string; readonly message: string }) =>
    `${path}: ${message}`;
  return [...problems.map(text), ...warnings.map((each) => `warning ${text(each)}`)];
}

/** What an object says; throws if there is anything to complain of. */
export function factOf(written: Written): Fact {
  const { fact, problems, warnings } = translate(object(written));
  if (fact === undefined || problems.length + warnings.length > 0)
    throw new Error(complaints(written).join('\n') || `${written.kind} says nothing`);
  return fact;
}

/** The policy that an object is. */
export function policyOf(written: Written): Policy {
  const fact = factOf(written);
  if (fact.is !== 'policy' && fact.is !== 'profile') throw new Error(`${written.kind} is no policy`);
  return fact.policy;
}

/** The rules of a policy, one a line: `allow tcp from … to ports 80, 90-95, http`. Directions are told by their paths. */
export function rulesOf(written: Written): string[] {
  const { ingress = [], egress = [] } = policyOf(written);
  return [...ingress, ...egress].map((rule) => `${rule.origin.path}: ${ruleText(rule)}`);
}

export function ruleText(rule: PolicyRule): string {
  const { protocol, notProtocol, icmp, notIcmp, family, source, destination } = rule;
  const parts = [
    rule.action,
    family === undefined ? '' : `v${family}`,
    protocol === undefined ? '' : protocolText(protocol),
    notProtocol === undefined ? '' : `not ${protocolText(notProtocol)}`,
    icmp === undefined ? '' : `type ${icmpText(icmp)}`,
    notIcmp === undefined ? '' : `not type ${icmpText(notIcmp)}`,
    endText('from', source),
    endText('to', destination),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

const icmpText = ({ type, code }: { readonly type: number; readonly code?: number }): string =>
  code === undefined ? `${type}` : `${type}/${code}`;

function protocolText(protocol: number): string {
  return Object.entries(PROTOCOLS).find(([, number]) => number === protocol)?.[0] ?? `${protocol}`;
}

function endText(word: string, end: EndMatch): string {
  const parts = [
    end.selector && selectorText(end.selector),
    end.notSelector && `not (${selectorText(end.notSelector)})`,
    end.nets && `in ${end.nets.join(', ')}`,
    end.notNets && `not in ${end.notNets.join(', ')}`,
    end.ports && `ports ${portsText(end.ports)}`,
    end.notPorts && `not ports ${portsText(end.notPorts)}`,
    end.domains && `named ${end.domains.join(', ')}`,
    end.service && `service ${end.service.namespace}/${end.service.name}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : `${word} ${parts.join('; ')}`;
}

function portsText(ports: readonly PortMatch[]): string {
  const text = (port: PortMatch) =>
    'name' in port ? port.name : port.from === port.to ? `${port.from}` : `${port.from}-${port.to}`;
  return ports.map(text).join(', ');
}
