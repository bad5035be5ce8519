/** Subjects and peers of policy.networking.k8s.io. */
import type { Direction, EndMatch, PolicyKind, RuleAction } from '../model.ts';
import { all, isKind, type Selector } from '../selector/index.ts';
import type { Fields } from './document.ts';
import { domainNames } from './domain-names.ts';
import { labelSelector } from './label-selector.ts';
import type { PortChoice } from './ports.ts';

/** What differs between the three kinds. */
export interface Dialect {
  readonly kind: PolicyKind;
  /** What the action is called that allows. */
  readonly allow: 'Accept' | 'Allow';
  readonly hasPass: boolean;
  /** Peers of egress that are no pods. */
  readonly outerPeers: readonly OuterPeer[];
  /** The protocols and ports of a rule; undefined if they are of no kind that is known. */
  readonly ports: (rule: Fields) => readonly PortChoice[] | undefined;
}

type OuterPeer = 'nodes' | 'networks' | 'domainNames';

/** The rule that a peer is in. */
export interface PeerContext {
  readonly direction: Direction;
  readonly dialect: Dialect;
  readonly action: RuleAction;
  readonly choices: readonly PortChoice[] | undefined;
}

/** The pods of `namespaces`, or of `pods`, of which one is given. */
export function podsOf(fields: Fields): Selector {
  const namespaces = labelSelector(fields, 'namespaces', 'namespace');
  const pods = fields.object('pods');
  fields.warnOfOthers();
  if ((namespaces === undefined) === (pods === undefined)) {
    fields.fail('needs one of namespaces and pods, and not both');
    return { op: 'none' };
  }
  if (pods === undefined) return all(isKind('pod'), namespaces);
  const ofNamespaces = labelSelector(pods, 'namespaceSelector', 'namespace');
  const ofPods = labelSelector(pods, 'podSelector', 'member');
  if (!pods.has('podSelector')) pods.fail('is missing: {} selects all pods', 'podSelector');
  pods.warnOfOthers();
  return all(isKind('pod'), ofNamespaces, ofPods);
}

/** Undefined for a peer of no kind that is known. */
export function peerMatch(peer: Fields, context: PeerContext): EndMatch | undefined {
  const { direction, dialect } = context;
  const outer = direction === 'egress' ? dialect.outerPeers : [];
  const given = ['namespaces', 'pods', ...outer].filter((key) => peer.has(key));
  if (given.length > 1) peer.fail(`must be of one kind: ${given.join(' and ')} are too many`);
  if (given.length === 0) {
    peer.warnOfOthers();
    return undefined;
  }
  if (peer.has('namespaces') || peer.has('pods')) return { selector: podsOf(peer) };
  if (context.choices?.some(({ ports = [] }) => ports.some((port) => 'name' in port)) === true)
    peer.fail('has no ports with names: give them by number');
  const match = outerMatch(peer, given[0] as OuterPeer, context);
  peer.warnOfOthers();
  return match;
}

function outerMatch(peer: Fields, kind: OuterPeer, { dialect, action }: PeerContext): EndMatch {
  switch (kind) {
    case 'nodes':
      return { selector: all(isKind('node'), labelSelector(peer, 'nodes', 'member')) };
    case 'networks': {
      const nets = peer.prefixes('networks') ?? [];
      if (peer.texts('networks')?.length === 0) peer.fail('needs one at least', 'networks');
      return { nets };
    }
    case 'domainNames': {
      if (action !== 'allow') peer.fail(`is for rules that ${dialect.allow} only`, 'domainNames');
      const domains = domainNames(peer, 'domainNames') ?? [];
      if (domains.length === 0) peer.fail('needs one at least', 'domainNames');
      return { domains };
    }
  }
}
