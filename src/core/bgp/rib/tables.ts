/** What the parts of the RIB share: peers, routes of both families, attributes, the decision. It has no rules of its own. */
import type { Agreed } from '../ports.ts';
import { AttributePool, type MetricOf } from './attribute-pool.ts';
import type { PeerPolicy, RibConfig } from './config.ts';
import { Decision } from './decision.ts';
import { DirtySet } from './dirty-set.ts';
import { FamilyTable } from './family-table.ts';
import { RibPeer } from './peer.ts';

/** What happens in tables that whoever runs the sessions should know of. */
export type RibEvent =
  /** The peer has more routes than it may; `stop`: its session should end (RFC 4486: cease, maximum number of prefixes reached). */
  | {
      readonly type: 'limit';
      readonly peer: string;
      readonly family: 4 | 6;
      readonly limit: number;
      readonly action: 'warn' | 'refuse' | 'stop';
    }
  /** Stale routes of a peer are gone, or stay on for long. */
  | {
      readonly type: 'stale';
      readonly peer: string;
      readonly family: 4 | 6;
      readonly routes: number;
      readonly fate: 'removed' | 'kept-long';
    };

export class Tables {
  config: RibConfig;
  readonly pool: AttributePool;
  readonly families: { readonly 4: FamilyTable; readonly 6: FamilyTable };
  /** By number; 0 is ourselves. */
  readonly peers: (RibPeer | undefined)[];
  decision: Decision;
  /** Best routes that whoever programs them has not taken yet. */
  readonly unprogrammed = { 4: new DirtySet(), 6: new DirtySet() };
  readonly events: RibEvent[] = [];
  /** While routes of all peers are waited for, by family (RFC 4724 section 4.1). */
  readonly deferred = new Set<4 | 6>();
  /** Active aggregates that hide what is in them, as indices of prefixes. */
  readonly hidden = { 4: new Map<number, string>(), 6: new Map<number, string>() };
  readonly #byKey = new Map<string, RibPeer>();
  readonly #exportKinds = new Map<string, number>();

  constructor(config: RibConfig, metricOf: MetricOf) {
    this.config = config;
    this.pool = new AttributePool(metricOf);
    this.families = { 4: new FamilyTable(4, this.pool), 6: new FamilyTable(6, this.pool) };
    const own = new RibPeer(0, '', {});
    own.routerId = config.routerId;
    this.peers = [own];
    this.decision = new Decision(config.decision ?? {}, this.peers);
  }

  /** Takes another configuration; what was worked out by the old one is forgotten. */
  configure(config: RibConfig): void {
    this.config = config;
    this.decision = new Decision(config.decision ?? {}, this.peers);
    (this.peers[0] as RibPeer).routerId = config.routerId;
    this.pool.forgetExports();
  }

  peer(key: string): RibPeer {
    const peer = this.#byKey.get(key);
    if (peer === undefined) throw new RangeError(`no such peer: ${key}`);
    return peer;
  }

  hasPeer(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** All peers but ourselves. */
  *neighbors(): Iterable<RibPeer> {
    for (const peer of this.#byKey.values()) yield peer;
  }

  addPeer(key: string, policy: PeerPolicy): RibPeer {
    if (this.#byKey.has(key)) throw new RangeError(`there is a peer ${key} already`);
    let index = 1;
    while (this.peers[index] !== undefined) index++;
    if (index > 0xffff) throw new RangeError('more than 65535 peers');
    const peer = new RibPeer(index, key, policy);
    this.peers[index] = peer;
    this.#byKey.set(key, peer);
    return peer;
  }

  removePeer(peer: RibPeer): void {
    this.peers[peer.index] = undefined;
    this.#byKey.delete(peer.key);
    this.pool.forgetExports();
  }

  /** Takes over what was agreed with a peer. */
  establish(peer: RibPeer, agreed: Agreed): void {
    if (peer.routerId !== agreed.peerRouterId && peer.routerId !== 0) this.pool.forgetExports();
    peer.agreed = agreed;
    peer.lastAgreed = agreed;
    peer.kind = agreed.relation;
    peer.routerId = agreed.peerRouterId;
    peer.address = agreed.peerAddress;
    for (const [family, each] of agreed.families) peer.families[family].agreed = each;
    this.refreshExportKind(peer);
  }

  /** Gives the peer the number of all peers that are told the same. */
  refreshExportKind(peer: RibPeer): void {
    const { agreed, policy } = peer;
    if (agreed === undefined) return;
    const text = JSON.stringify([
      agreed.relation,
      agreed.localAddress,
      agreed.restart === undefined ? [] : [...agreed.restart.longLived.keys()],
      [...agreed.families].map(([family, { extendedNextHop }]) => [family, extendedNextHop]),
      policy.localAsn,
      policy.nextHop,
      policy.nextHops,
      policy.linkLocalNextHop,
      policy.privateAsns,
      policy.overridesAsn === true ? agreed.peerAsn : undefined,
      policy.isShuttingDown,
    ]);
    const kind = this.#exportKinds.get(text) ?? this.#exportKinds.size;
    this.#exportKinds.set(text, kind);
    peer.exportKind = kind;
  }
}
