/** Tables with peers that are up, and what each peer would have heard: for tests. */
import { familyOf, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import type { PathAttributes } from '../model.ts';
import type { Agreed, AgreedFamily, PeerRestart, SessionSend } from '../ports.ts';
import { explain, type PeerPolicy, Rib, type RibConfig, type RibPorts, type RouteView } from './index.ts';

export interface WorldPeer {
  readonly asn: number;
  readonly id: number;
  readonly relation?: Agreed['relation'];
  readonly policy?: PeerPolicy;
  readonly families?: readonly IpFamily[];
  readonly agreed?: Partial<AgreedFamily>;
  readonly restart?: PeerRestart;
  readonly address?: string;
  readonly localAddress?: string;
  readonly hasEnhancedRefresh?: boolean;
}

const OWN_ASN = 65_000;

/** What a peer says of its restart: both families, for two minutes, and for an hour more if it is long. */
export function restartOf(options: { readonly long?: boolean; readonly kept?: boolean } = {}): PeerRestart {
  const isForwardingKept = options.kept ?? true;
  const each = { isForwardingKept };
  const long = { staleTimeSec: 3600, isForwardingKept };
  return {
    restartTimeSec: 120,
    isRestarting: false,
    families: new Map([
      [4, each],
      [6, each],
    ]),
    longLived: new Map(
      options.long === true
        ? [
            [4, long],
            [6, long],
          ]
        : [],
    ),
  };
}

/** Attributes with a path of those ASes and the peer's address as next hop. */
export function attributes(
  nextHop: string,
  path: readonly number[],
  more: Partial<PathAttributes> = {},
): PathAttributes {
  const asPath = path.length === 0 ? [] : [{ type: 'sequence', asns: path } as const];
  return { origin: 'igp', asPath, nextHop, ...more };
}

export class World {
  readonly rib: Rib;
  now = 0;
  readonly peers: Readonly<Record<string, WorldPeer>>;
  /** By peer: what it has been told and not been told otherwise since, by prefix and path. */
  readonly heard = new Map<string, Map<string, PathAttributes>>();
  /** What was sent, in words. */
  readonly log: string[] = [];

  constructor(
    peers: Readonly<Record<string, WorldPeer>>,
    config: Partial<RibConfig> = {},
    ports: RibPorts = {},
  ) {
    this.peers = peers;
    this.rib = new Rib({ asn: OWN_ASN, routerId: 0x0a00_0001, ...config }, ports);
    for (const [key, { policy = {} }] of Object.entries(peers)) this.rib.addPeer(key, policy);
  }

  /** Brings sessions up; all of them if none is named. */
  up(...keys: readonly string[]): this {
    for (const key of keys.length === 0 ? Object.keys(this.peers) : keys) {
      this.heard.set(key, new Map());
      this.rib.take(key, { type: 'established', agreed: this.agreedWith(key) }, this.now);
    }
    return this;
  }

  agreedWith(key: string): Agreed {
    const peer = this.peers[key];
    if (peer === undefined) throw new Error(`no peer ${key}`);
    const family = { addPathSend: false, addPathReceive: false, extendedNextHop: false, ...peer.agreed };
    return {
      peerAsn: peer.asn,
      peerRouterId: peer.id,
      peerAddress: peer.address ?? `10.0.0.${peer.id}`,
      localAddress: peer.localAddress ?? '10.0.0.254',
      relation: peer.relation ?? (peer.asn === OWN_ASN ? 'internal' : 'external'),
      families: new Map((peer.families ?? [4]).map((each) => [each, family])),
      maxMessageBytes: 4096,
      hasFourOctetAsn: true,
      hasRouteRefresh: true,
      hasEnhancedRefresh: peer.hasEnhancedRefresh ?? false,
      ...(peer.restart === undefined ? {} : { restart: peer.restart }),
    };
  }

  say(key: string, prefix: IpPrefix, said: PathAttributes, pathId?: number): this {
    const nlri = [{ prefix, ...(pathId === undefined ? {} : { pathId }) }];
    const update = { family: familyOf(prefix), attributes: said, nlri };
    this.rib.take(key, { type: 'announced', update }, this.now);
    return this;
  }

  unsay(key: string, prefix: IpPrefix, pathId?: number): this {
    const nlri = [{ prefix, ...(pathId === undefined ? {} : { pathId }) }];
    this.rib.take(key, { type: 'withdrawn', withdrawal: { family: familyOf(prefix), nlri } }, this.now);
    return this;
  }

  down(key: string, keepsRoutes = false): this {
    this.rib.take(key, { type: 'down', keepsRoutes, reason: 'test' }, this.now);
    this.heard.delete(key);
    return this;
  }

  wait(ms: number): this {
    this.now += ms;
    this.rib.expire(this.now);
    return this;
  }

  /** Lets all peers take what they are owed. */
  deliver(budget = 1000): this {
    this.rib.settle(this.now);
    for (const key of this.heard.keys())
      do for (const send of this.rib.drain(key, budget, this.now)) this.#hear(key, send);
      while (this.rib.hasPending(key));
    return this;
  }

  /** What a peer has of a prefix. */
  has(key: string, prefix: IpPrefix): PathAttributes | undefined {
    return this.heard.get(key)?.get(`${prefix} 0`);
  }

  /** The peer whose route is the best. */
  best(prefix: IpPrefix): string | undefined {
    return this.routes(prefix).find(({ outcome }) => outcome.type === 'best')?.peer;
  }

  routes(prefix: IpPrefix): readonly RouteView[] {
    this.rib.settle(this.now);
    return explain(this.rib.tables, prefix).routes;
  }

  #hear(key: string, send: SessionSend): void {
    const heard = this.heard.get(key) ?? new Map<string, PathAttributes>();
    switch (send.type) {
      case 'announce':
        for (const { prefix, pathId = 0 } of send.update.nlri) {
          heard.set(`${prefix} ${pathId}`, send.update.attributes);
          this.log.push(`${key} + ${prefix}`);
        }
        return;
      case 'withdraw':
        for (const { prefix, pathId = 0 } of send.withdrawal.nlri) {
          heard.delete(`${prefix} ${pathId}`);
          this.log.push(`${key} - ${prefix}`);
        }
        return;
      case 'end-of-rib':
        this.log.push(`${key} end-of-rib ${send.family}`);
        return;
      case 'refresh':
        this.log.push(`${key} refresh ${send.subtype} ${send.family}`);
    }
  }
}
