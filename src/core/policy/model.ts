/**
 * The one vocabulary for policy, whatever the API it came from: tiers of policies, policies of rules, and what rules speak of.
 * Translators (kubernetes/, cluster/, calico/) produce it, the engine evaluates it, the compiler turns it into nf_tables. Plain data; all
 * defaults of the APIs are made explicit: an absent optional field is "any", never "none".
 */
import type { IpAddress, IpFamily, IpPrefix } from '#base/ip/index.ts';
import type { Selector } from './selector/selector.ts';

/** Where a policy, or anything else that was written, comes from; printed as `NetworkPolicy shop/web`. */
export interface PolicyRef {
  readonly kind: PolicyKind;
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string;
  readonly name: string;
}

export type PolicyKind =
  /** networking.k8s.io/v1 */
  | 'NetworkPolicy'
  /** policy.networking.k8s.io/v1alpha2 */
  | 'ClusterNetworkPolicy'
  /** policy.networking.k8s.io/v1alpha1 */
  | 'AdminNetworkPolicy'
  | 'BaselineAdminNetworkPolicy'
  /** projectcalico.org/v3; its NetworkPolicy under a name that tells it from Kubernetes' own. */
  | 'CalicoNetworkPolicy'
  | 'GlobalNetworkPolicy'
  | 'StagedNetworkPolicy'
  | 'StagedGlobalNetworkPolicy'
  | 'StagedKubernetesNetworkPolicy'
  | 'Profile';

export type Direction = 'ingress' | 'egress';

/**
 * Tiers are asked in turn: the lower `order` first, then by name. A tier counts for an endpoint in a direction only if one of its policies
 * selects it there. What none of the rules of the tier's policies decides, `defaultAction` does.
 */
export interface Tier {
  readonly name: string;
  readonly order: number;
  readonly defaultAction: 'deny' | 'pass';
}

/** Within a tier: the lower `order` first, then `refText`. Infinity where the API gives no order. */
export interface Policy {
  readonly ref: PolicyRef;
  readonly tier: string;
  readonly order: number;
  /** The endpoints it is about: pods and host endpoints alike, told apart by `self` terms. */
  readonly subject: Selector;
  /** Absent: it says nothing of this direction. Empty: it selects its endpoints and allows nothing. */
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
  /** Staged policies decide nothing; what they would have done is shown. `set` and `delete` say what becomes of the enforced one. */
  readonly staged?: 'set' | 'delete' | 'learn' | 'ignore';
  /** Of host endpoints alone (projectcalico.org/v3). */
  readonly host?: {
    readonly doNotTrack: boolean;
    readonly preDnat: boolean;
    readonly applyOnForward: boolean;
  };
}

export type RuleAction = 'allow' | 'deny' | 'pass' | 'log';

/**
 * All that is given must hold. One rule of an API may become several of these (a list of peers is a disjunction, a rule here is not);
 * their `origin` is the same but for its path.
 */
export interface PolicyRule {
  readonly origin: RuleOrigin;
  readonly action: RuleAction;
  readonly family?: IpFamily;
  readonly protocol?: Protocol;
  readonly notProtocol?: Protocol;
  readonly icmp?: IcmpMatch;
  readonly notIcmp?: IcmpMatch;
  readonly source: EndMatch;
  readonly destination: EndMatch;
}

export interface RuleOrigin {
  /** Of the rule in its direction, from 0. */
  readonly index: number;
  /** The part of the document that this is, such as `ingress[0].from[1]`. */
  readonly path: string;
  /** The rule's own name, where the API has one. */
  readonly name?: string;
}

/** An IP protocol by number; ICMP is 1 for IPv4 and 58 for IPv6, and a rule that says either matches only that. */
export type Protocol = number;
export const PROTOCOLS = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132, udplite: 136 } as const;

export interface IcmpMatch {
  /** 0 to 255. */
  readonly type: number;
  /** Absent: any. */
  readonly code?: number;
}

/** One end of a flow. All that is given must hold. */
export interface EndMatch {
  /** The end is a member the selector selects (see Member). */
  readonly selector?: Selector;
  readonly notSelector?: Selector;
  /** The address is in one of them; an empty list matches nothing. */
  readonly nets?: readonly IpPrefix[];
  readonly notNets?: readonly IpPrefix[];
  /** One of them; an empty list matches nothing. Only with a protocol that has ports. */
  readonly ports?: readonly PortMatch[];
  readonly notPorts?: readonly PortMatch[];
  /** The address was in an answer to a DNS question for one of these names; `*.example.com` is any name below. Destinations only. */
  readonly domains?: readonly string[];
  /** At a destination address and port are those of one of the endpoints of a Service; at a source the address is. */
  readonly service?: { readonly namespace: string; readonly name: string };
}

export type PortMatch =
  /** Both ends included. */
  | { readonly from: number; readonly to: number }
  /** A port's name in the pod at this end; pods may give different numbers to one name. */
  | { readonly name: string };

export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

export type LabelMap = Readonly<Record<string, string>>;

/**
 * Whatever a selector can select. Pods in the host's network and pods that have ended are no members. `key` is unique among all members:
 * `pod shop/web-1`, `host node-a/eth0`, `set shop/partners`, `set /partners`, `node node-a`.
 */
export interface Member {
  readonly key: string;
  readonly kind: MemberKind;
  /** Of pods and namespaced network sets. */
  readonly namespace?: string;
  readonly name: string;
  readonly labels: LabelMap;
  /** Of pods. */
  readonly serviceAccount?: string;
  /** Of pods and host endpoints: the node they are on; of nodes: their own name. */
  readonly node?: string;
  /** Addresses as /32 and /128. A pod without address yet has none. */
  readonly nets: readonly IpPrefix[];
  readonly ports: readonly NamedPort[];
  /** Of host endpoints: the link, absent or `*` for all of the host. */
  readonly link?: string;
}

export type MemberKind = 'pod' | 'host-endpoint' | 'network-set' | 'node';

/** One packet that opens a connection, or stands alone. Ports and ICMP's type and code as its protocol has them. */
export interface Flow {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: Protocol;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmp?: { readonly type: number; readonly code: number };
}

/** What one direction of one endpoint said, step by step. */
export interface DirectionVerdict {
  readonly direction: Direction;
  /** The member asked: the source's for egress, the destination's for ingress. Absent: no endpoint of ours, and so allowed. */
  readonly endpoint?: string;
  readonly action: 'allow' | 'deny';
  readonly steps: readonly VerdictStep[];
}

export type VerdictStep =
  | {
      readonly by: 'rule';
      readonly tier: string;
      readonly policy: PolicyRef;
      readonly rule: RuleOrigin;
      readonly action: RuleAction;
    }
  /** No rule of the policies that select the endpoint matched. */
  | {
      readonly by: 'tier-default';
      readonly tier: string;
      readonly policies: readonly PolicyRef[];
      readonly action: 'deny' | 'pass';
    }
  /** No tier decided. */
  | { readonly by: 'default'; readonly action: 'allow' | 'deny'; readonly reason: DefaultReason };

export type DefaultReason =
  /** No policy selects the endpoint in this direction, or all passed. */
  | 'not-isolated'
  /** Traffic of a node to a pod on it: probes of the kubelet. */
  | 'own-node'
  /** A pod cannot be kept from itself. */
  | 'itself'
  /** A port of a host endpoint that stays open whatever policies say, so that nobody locks himself out. */
  | 'failsafe'
  | 'host-endpoint'
  | 'no-endpoint';

export interface Verdict {
  readonly action: 'allow' | 'deny';
  readonly egress: DirectionVerdict;
  readonly ingress: DirectionVerdict;
  /** What host endpoints say of traffic that their node forwards, in the order of its way; absent where there is none. */
  readonly forward?: readonly DirectionVerdict[];
}

/** `NetworkPolicy shop/web`, `GlobalNetworkPolicy deny-all`: unique, and the order of policies that have the same `order`. */
export function refText({ kind, namespace, name }: PolicyRef): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
