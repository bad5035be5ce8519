/** What a speaker's configuration means for the state machine of one session. */
import type { IpAddress } from '#base/ip/index.ts';
import type { SessionConfig } from '../session/index.ts';
import type { NeighborConfig, SpeakerConfig } from './config.ts';

const LONGEST_RETRY_SEC = 60;

/** `peerAddress`: where the neighbour is, which its configuration need not say. `isRestarting`: this process has just begun, and the one before it left its routes in place (RFC 4724). */
export function sessionConfig(
  config: SpeakerConfig,
  { session }: NeighborConfig,
  peerAddress: IpAddress,
  isRestarting = false,
): SessionConfig {
  const { families, restart, connectRetrySec = 5, holdTimeSec = 90, peerAsn, peerAsns, peerAs } = session;
  const kept = { isForwardingKept: true } as const;
  return {
    localAsn: session.localAsn ?? config.asn,
    ...(config.confederationId === undefined
      ? {}
      : {
          confederation: {
            identifier: config.confederationId,
            members: [config.asn, ...(config.confederationMembers ?? [])],
          },
        }),
    routerId: config.routerId,
    peerAddress,
    ...(peerAsn === undefined ? {} : { peerAsn }),
    ...(peerAsns === undefined ? {} : { peerAsns }),
    ...(peerAs === undefined ? {} : { peerAs }),
    isPassive: session.isPassive ?? false,
    families: new Map(
      families.map(({ family, addPathSend = false, addPathReceive = false, extendedNextHop = false }) => [
        family,
        { addPathSend, addPathReceive, extendedNextHop },
      ]),
    ),
    holdTimeSec,
    connectRetrySec,
    openDelaySec: 0,
    idleHoldSec: { initial: 1, max: LONGEST_RETRY_SEC },
    hasExtendedMessages: true,
    ...(restart === undefined
      ? {}
      : {
          restart: {
            restartTimeSec: restart.restartTimeSec,
            isRestarting,
            keepsAfterNotification: true,
            families: new Map(families.map(({ family }) => [family, kept])),
          },
        }),
    ...(restart?.longStaleTimeSec === undefined
      ? {}
      : {
          longLived: new Map(
            families.map(({ family }) => [family, { staleTimeSec: restart.longStaleTimeSec ?? 0, ...kept }]),
          ),
        }),
  };
}
