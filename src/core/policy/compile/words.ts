/** What the compiler and those who use it have names for: the endpoints of this node, the mark of flows to be cut, the ways over a bridge. */
import type { IpAddress, MacAddress } from '#base/ip/index.ts';

/** The part of DesiredState that holds all of policy's objects. */
export const POLICY_PART = 'policy';

/** The bit of a connection's mark that ends it: set it on flows that were allowed once and are not any more. */
export const CUT_MARK = 0x0080_0000;

/** The bit of a packet's mark that says that it was allowed before its addresses were translated. */
export const EARLY_MARK = 0x0040_0000;

/** The bit of a packet's mark that says, from the policy that allows it to the end of the question, that its source may send it. */
export const ALLOWED_MARK = 0x0020_0000;

/**
 * How packets between two ports of one bridge are judged. `conntrack`: by a chain of the bridge family, where the kernel tracks connections
 * there (nf_conntrack_bridge); `netfilter`: by the chains for routed packets, to which br_netfilter gives them; `none`: not at all.
 */
export type BridgeMode = 'conntrack' | 'netfilter' | 'none';

/** A pod attached to this node. */
export interface LocalEndpoint {
  /** Of its member: `pod shop/web-1`. */
  readonly key: string;
  /** All addresses it may send from, as its attachment gave them. */
  readonly addresses: readonly IpAddress[];
  /** The host's end of its link, by which its packets come in; absent if they do not come in by one of the host's (macvlan, ipvlan). */
  readonly link?: string;
  /** The index of that link, where it is known: its packets are looked up sooner by it. */
  readonly linkNumber?: number;
  /** The bridge that the link is a port of. */
  readonly bridge?: string;
  /** On a bridge: its frames come from no other; absent: they may come from any, and the bridge may be led to believe that others are there. */
  readonly mac?: MacAddress;
}
