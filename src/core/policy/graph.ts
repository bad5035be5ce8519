/**
 * What the engine tells the compiler: the policies of each local endpoint and the members of each set that rules of these policies ask for,
 * as changes. Only what local endpoints need is in it, and a change costs what it changes.
 */
import type { IpAddress, IpPrefix } from '#base/ip/index.ts';
import type { Member, Policy, Protocol, Tier } from './model.ts';
import type { Selector } from './selector/selector.ts';

/** The policies of a local endpoint, in the order in which they are asked; staged ones are not among them. */
export interface EndpointPolicies {
  readonly endpoint: Member;
  readonly ingress: readonly TierStage[];
  readonly egress: readonly TierStage[];
}

/** A tier with those of its policies that select the endpoint in one direction: never empty. */
export interface TierStage {
  readonly tier: Tier;
  readonly policies: readonly Policy[];
}

/** Addresses that rules compare with, wherever in the cluster they are. */
export type PeerSet =
  | { readonly kind: 'members'; readonly selector: Selector }
  /** The pods that have a port of this name; those of `selector` if it is given. */
  | {
      readonly kind: 'named-port';
      readonly protocol: Protocol;
      readonly port: string;
      readonly selector?: Selector;
    }
  | { readonly kind: 'service'; readonly namespace: string; readonly name: string }
  /** The endpoints of a service by their addresses, whatever their ports: those at a source. */
  | { readonly kind: 'service-addresses'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'domains'; readonly names: readonly string[] };

export type PeerElement =
  | { readonly net: IpPrefix }
  | { readonly address: IpAddress; readonly protocol: Protocol; readonly port: number };

export interface PeerSetChange {
  readonly set: PeerSet;
  /** Each element once, whatever the number of members that have it. */
  readonly added: readonly PeerElement[];
  readonly removed: readonly PeerElement[];
}

/** All that changed since the last delta; applied at once, or not at all. */
export interface PolicyDelta {
  /** By member key; `undefined`: no endpoint of this node any more. */
  readonly endpoints: ReadonlyMap<string, EndpointPolicies | undefined>;
  /** By peerSetId; sets that are new come with all their elements. */
  readonly sets: ReadonlyMap<string, PeerSetChange>;
  /** Sets that no rule asks for any more, by peerSetId. */
  readonly dropped: ReadonlySet<string>;
}
