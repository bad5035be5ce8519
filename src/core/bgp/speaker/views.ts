/** What a speaker knows, for those who ask: neighbours in a line each, and why a route is where it is. */
import { familyOf, formatScopedIp, type IpPrefix } from '#base/ip/index.ts';
import { explainFilter, type FilterExplanation } from '../filter/index.ts';
import type { Asn, RouterId } from '../model.ts';
import { type Explanation, explain, type RouteView } from '../rib/index.ts';
import { filterContext, type PolicyPorts } from './policy.ts';
import type { Speaker } from './speaker.ts';

export interface NeighborSummary {
  readonly key: string;
  readonly description?: string;
  /** With its link, if it is link-local; absent until somebody is found where the configuration names a link alone. */
  readonly address?: string;
  /** The link it is on, where the configuration names one. */
  readonly interface?: string;
  readonly asn?: Asn;
  /** Of a session that is up, or was. */
  readonly routerId?: RouterId;
  readonly isUp: boolean;
  readonly upSince?: number;
  /** By family: routes learned, those of them that were refused, and prefixes told. */
  readonly families: readonly {
    readonly family: 4 | 6;
    readonly learned: number;
    readonly refused: number;
    readonly told: number;
    readonly waiting: number;
  }[];
}

/** All neighbours, in the order of the configuration. */
export function summarize(speaker: Speaker): readonly NeighborSummary[] {
  return speaker.config.neighbors.map(({ key, description, session }) => {
    const peer = speaker.rib.tables.peer(key);
    const upSince = speaker.upSince(key);
    const asn = peer.agreed?.peerAsn ?? session.peerAsn;
    const routerId = peer.agreed?.peerRouterId;
    const address = session.peerAddress ?? peer.lastAgreed?.peerAddress;
    return {
      key,
      ...(description === undefined ? {} : { description }),
      ...(address === undefined ? {} : { address: formatScopedIp(address, session.interface) }),
      ...(session.interface === undefined ? {} : { interface: session.interface }),
      ...(asn === undefined ? {} : { asn }),
      ...(routerId === undefined ? {} : { routerId }),
      isUp: upSince !== undefined,
      ...(upSince === undefined ? {} : { upSince }),
      families: session.families.map(({ family }) => {
        const { routes, refused, out } = peer.families[family];
        return { family, learned: routes, refused, told: out.count, waiting: out.pending.size };
      }),
    };
  });
}

/** Why a route is where it is: the decision, and what filters said. */
export interface Why extends Explanation {
  /** What the import filters said of each learned route, by its peer's key. */
  readonly imports: readonly { readonly peer: string; readonly explanation: FilterExplanation }[];
  /** What the export filters said of the best route, by the key of the peer it was for. */
  readonly exports: readonly { readonly peer: string; readonly explanation: FilterExplanation }[];
}

/** Everything about one prefix. Throws a RangeError on text that is none. */
export function why(speaker: Speaker, prefix: IpPrefix, ports: PolicyPorts, now: number): Why {
  speaker.rib.settle(now);
  const explanation = explain(speaker.rib.tables, prefix);
  const family = familyOf(prefix);
  const imports = explanation.routes.flatMap((route) => {
    const neighbor = speaker.neighbor(route.peer);
    const filter = neighbor?.policy.imports?.[family];
    if (neighbor === undefined || filter === undefined) return [];
    const context = filterContext(speaker.config, neighbor, ports);
    const asked = {
      family,
      prefix: explanation.prefix,
      attributes: route.received,
      source: context.peerType,
    };
    return [{ peer: route.peer, explanation: explainFilter(filter, asked, context) }];
  });
  const best = explanation.routes.find(({ outcome }) => outcome.type === 'best');
  const exports = explanation.told.flatMap(({ peer }) => {
    const neighbor = speaker.neighbor(peer);
    const filter = neighbor?.policy.exports?.[family];
    if (neighbor === undefined || filter === undefined || best?.attributes === undefined) return [];
    const context = filterContext(speaker.config, neighbor, ports);
    const source = sourceOf(speaker, best);
    const asked = { family, prefix: explanation.prefix, attributes: best.attributes, source };
    return [{ peer, explanation: explainFilter(filter, asked, context) }];
  });
  return { ...explanation, imports, exports };
}

function sourceOf(
  speaker: Speaker,
  { peer }: RouteView,
): 'local' | 'external' | 'internal' | 'confederation' {
  return peer === '' ? 'local' : speaker.rib.tables.peer(peer).kind;
}
