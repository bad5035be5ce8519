/** What two speakers can do together: our OPEN, and what comes of the peer's (RFC 4271 section 6.2, 5492 and those that add capabilities). */
import type { IpAddress } from '#base/ip/index.ts';
import type { Asn, RouteFamily } from '../model.ts';
import type { Agreed, AgreedFamily, PeerRestart } from '../ports.ts';
import {
  type Capabilities,
  ERROR,
  MAX_EXTENDED_BYTES,
  MAX_MESSAGE_BYTES,
  type Notification,
  notificationOf,
  OPEN_ERROR,
  type Open,
  writeCapabilities,
} from '../wire/index.ts';
import type { Bargain, SessionConfig } from './types.ts';

const NO_FAMILY: readonly RouteFamily[] = [4];

/** What we say. */
export function ownOpen(config: SessionConfig, isRestarting: boolean): Open {
  return {
    asn: ownAsn(config),
    holdTimeSec: config.holdTimeSec,
    routerId: config.routerId,
    capabilities: ownCapabilities(config, isRestarting),
  };
}

function ownCapabilities(config: SessionConfig, isRestarting: boolean): Capabilities {
  const families = [...config.families];
  return {
    families: families.map(([family]) => family),
    hasRouteRefresh: true,
    hasEnhancedRefresh: true,
    hasExtendedMessages: config.hasExtendedMessages,
    fourOctetAsn: ownAsn(config),
    extendedNextHop: families.flatMap(([family, { extendedNextHop }]) =>
      family === 4 && extendedNextHop ? [family] : [],
    ),
    addPath: new Map(
      families.flatMap(([family, { addPathSend, addPathReceive }]) =>
        addPathSend || addPathReceive
          ? [[family, { canSend: addPathSend, canReceive: addPathReceive }] as const]
          : [],
      ),
    ),
    ...(config.restart && { restart: { ...config.restart, isRestarting } }),
    longLived: (config.restart && config.longLived) ?? new Map(),
  };
}

/** RFC 5065 section 4: outside the confederation is known by its identifier only. */
function ownAsn({ localAsn, confederation, peerAsn }: SessionConfig): Asn {
  if (confederation === undefined) return localAsn;
  return peerAsn !== undefined && confederation.members.includes(peerAsn)
    ? localAsn
    : confederation.identifier;
}

/** What both agree on, or what the peer is to be told. */
export function bargainOf(
  config: SessionConfig,
  open: Open,
  localAddress: IpAddress,
): Bargain | Notification {
  const relation = relationOf(config, open.asn);
  const { capabilities } = open;
  // RFC 4271 section 6.2.
  if (!isExpected(config, open.asn, relation)) return notificationOf(ERROR.open, OPEN_ERROR.peerAsn);
  // RFC 6286 section 2.2: within an AS identifiers are unique.
  if (relation === 'internal' && open.routerId === config.routerId)
    return notificationOf(ERROR.open, OPEN_ERROR.identifier);
  const families = commonFamilies(config, capabilities);
  // RFC 5492 section 5: the data is what we would have needed.
  if (families.size === 0)
    return notificationOf(ERROR.open, OPEN_ERROR.capability, neededCapabilities(config, capabilities));
  const restart = peerRestart(config, capabilities, families);
  const agreed: Agreed = {
    peerAsn: open.asn,
    peerRouterId: open.routerId,
    peerAddress: config.peerAddress,
    localAddress,
    relation,
    families,
    maxMessageBytes:
      config.hasExtendedMessages && capabilities.hasExtendedMessages ? MAX_EXTENDED_BYTES : MAX_MESSAGE_BYTES,
    hasFourOctetAsn: capabilities.fourOctetAsn !== undefined,
    hasRouteRefresh: capabilities.hasRouteRefresh,
    hasEnhancedRefresh: capabilities.hasEnhancedRefresh && capabilities.hasRouteRefresh,
    ...(restart && { restart }),
  };
  return {
    agreed,
    open,
    holdTimeSec: Math.min(config.holdTimeSec, open.holdTimeSec),
    keepsAfterNotification:
      config.restart?.keepsAfterNotification === true &&
      capabilities.restart?.keepsAfterNotification === true,
  };
}

export const isNotification = (value: Bargain | Notification): value is Notification => 'code' in value;

function isExpected(
  { peerAsn, peerAsns, peerAs }: SessionConfig,
  asn: Asn,
  relation: Agreed['relation'],
): boolean {
  const asns = peerAsn === undefined ? peerAsns : [peerAsn];
  if (asns !== undefined) return asns.includes(asn);
  return peerAs === undefined || (relation === 'internal') === (peerAs === 'internal');
}

function relationOf({ localAsn, confederation }: SessionConfig, peerAsn: Asn): Agreed['relation'] {
  if (peerAsn === localAsn) return 'internal';
  return confederation?.members.includes(peerAsn) === true ? 'confederation' : 'external';
}

function commonFamilies(config: SessionConfig, theirs: Capabilities): Map<RouteFamily, AgreedFamily> {
  const out = new Map<RouteFamily, AgreedFamily>();
  for (const [family, ours] of config.families) {
    if (!(theirs.families ?? NO_FAMILY).includes(family)) continue;
    const addPath = theirs.addPath.get(family);
    out.set(family, {
      // RFC 7911 section 4: one side sends what the other receives.
      addPathSend: ours.addPathSend && addPath?.canReceive === true,
      addPathReceive: ours.addPathReceive && addPath?.canSend === true,
      extendedNextHop: ours.extendedNextHop && theirs.extendedNextHop.includes(family),
    });
  }
  return out;
}

/**
 * RFC 4724 section 4: of use only if we have said that we help, and for families that are spoken; RFC 9494 section 4.1: long-lived only
 * beside it.
 */
function peerRestart(
  config: SessionConfig,
  theirs: Capabilities,
  spoken: ReadonlyMap<RouteFamily, AgreedFamily>,
): PeerRestart | undefined {
  if (config.restart === undefined || theirs.restart === undefined) return undefined;
  const { restartTimeSec, isRestarting, families } = theirs.restart;
  const isSpoken = ([family]: readonly [RouteFamily, unknown]) => spoken.has(family);
  return {
    restartTimeSec,
    isRestarting,
    families: new Map([...families].filter(isSpoken)),
    longLived: new Map(config.longLived === undefined ? [] : [...theirs.longLived].filter(isSpoken)),
  };
}

function neededCapabilities(config: SessionConfig, theirs: Capabilities): Uint8Array {
  const needed = writeCapabilities({
    ...theirs,
    families: [...config.families.keys()],
    hasRouteRefresh: false,
    hasEnhancedRefresh: false,
    hasExtendedMessages: false,
    extendedNextHop: [],
    addPath: new Map(),
    longLived: new Map(),
  }).filter(({ code }) => code === 1);
  return Uint8Array.from(needed.flatMap(({ code, value }) => [code, value.length, ...value]));
}
