/**
 * What is tried with each speaker of others, and why not where it is not. Declarations alone: docs/bgp-interop.md is made of them
 * (document.ts), and scenes/ say how each is tried.
 */
export const PEER_NAMES = ['BIRD', 'FRR', 'GoBGP', 'ExaBGP'] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** The versions are those of Debian 12. */
export const PEER_VERSIONS: Readonly<Record<PeerName, string>> = {
  BIRD: '2.0.12',
  FRR: '8.4.4',
  GoBGP: '3.10.0',
  ExaBGP: '4.2.21',
};

export interface Feature {
  /** What a test of it asserts: the end of "with BIRD, …". */
  readonly name: string;
  readonly rfc?: number;
  /** Peers it is not tried with, each with the reason. */
  readonly lacks?: Partial<Readonly<Record<PeerName, string>>>;
  /** Peers it is tried with in part, with what is missing there. */
  readonly partly?: Partial<Readonly<Record<PeerName, string>>>;
}

const NO_TABLE = 'ExaBGP keeps no table and passes nothing on';

export const FEATURES = {
  session4: { name: 'routes of both families come, go and are withdrawn over IPv4', rfc: 4760 },
  session6: { name: 'routes of both families come, go and are withdrawn over IPv6', rfc: 4760 },
  passive: { name: 'either side waits for the other to connect', rfc: 4271 },
  collision: { name: 'two who connect at once end with one connection', rfc: 4271 },
  fourOctetAsn: { name: 'AS numbers of four octets, of the peer and in paths', rfc: 6793 },
  md5v4: { name: 'signatures over IPv4: the right key lets in, another keeps out', rfc: 2385 },
  md5v6: { name: 'signatures over IPv6: the right key lets in, another keeps out', rfc: 2385 },
  gtsm4: { name: 'a hop limit over IPv4 lets a neighbour in that sends 255, and no other', rfc: 5082 },
  gtsm6: { name: 'a hop limit over IPv6 lets a neighbour in that sends 255, and no other', rfc: 5082 },
  communities: { name: 'communities and MED both ways', rfc: 1997 },
  largeCommunities: { name: 'large communities both ways', rfc: 8092 },
  extendedCommunities: { name: 'extended communities, theirs read and passed on unharmed', rfc: 4360 },
  extendedMessages: {
    name: 'a route of more than 4096 bytes both ways',
    rfc: 8654,
    lacks: { GoBGP: 'GoBGP 3.10 has no extended messages' },
  },
  refresh: {
    name: 'all routes again: when we ask, and when the peer does',
    rfc: 2918,
    partly: {
      GoBGP: 'GoBGP keeps what it was told, and never asks',
      ExaBGP: 'ExaBGP 4.2 ends the session when it is asked, and tells everything in the next one',
    },
  },
  enhancedRefresh: {
    name: 'the beginning and end of a refresh are marked',
    rfc: 7313,
    lacks: {
      GoBGP: 'GoBGP 3.10 has no enhanced route refresh',
      ExaBGP: 'ExaBGP 4.2 ends the session when it is asked',
    },
  },
  shutdownText: {
    name: 'the last words of either side',
    rfc: 9003,
    partly: { ExaBGP: 'ExaBGP 4.2 says nothing of its own, and tells nobody what it was told' },
  },
  extendedNextHop: { name: 'IPv4 routes by IPv6 next hops, into the kernel too', rfc: 8950 },
  linkLocal: {
    name: 'routes of both families over a session between link-local addresses, into the kernel too',
    rfc: 2545,
    lacks: { ExaBGP: 'ExaBGP 4.2 takes no address with a link behind it' },
  },
  unnumbered: {
    name: 'a neighbour without an address, found at the other end of a link, and its routes',
    rfc: 4861,
    lacks: { ExaBGP: 'ExaBGP 4.2 knows neighbours by their addresses alone' },
  },
  addPathReceive: { name: 'several paths to a prefix from the peer, both families', rfc: 7911 },
  addPathSend: { name: 'several paths to a prefix to the peer, both families', rfc: 7911 },
  restartOfPeer: {
    name: 'the peer is killed and comes back: its routes stay, and no packet is lost',
    rfc: 4724,
    partly: { FRR: 'FRR 8.4 takes an IPv6 route of its own kernel away and puts it back when it returns' },
  },
  restartOfOurs: {
    name: 'we are killed and come back: the peer keeps our routes, and no packet is lost',
    rfc: 4724,
    lacks: { ExaBGP: NO_TABLE },
  },
  longLivedOfPeer: {
    name: 'long after the peer was killed its routes are there, as a last resort',
    rfc: 9494,
    lacks: {
      FRR: 'FRR 8.4 helps others only, and asks for nothing of its own',
      ExaBGP: 'ExaBGP has no long-lived graceful restart',
    },
  },
  longLivedOfOurs: {
    name: 'long after we were killed the peer has our routes, as a last resort',
    rfc: 9494,
    lacks: { ExaBGP: NO_TABLE },
  },
  reflector: { name: 'we reflect between clients, the peer one of them', rfc: 4456 },
  reflectorClient: {
    name: 'the peer reflects, and we are a client',
    rfc: 4456,
    lacks: { ExaBGP: NO_TABLE },
  },
  clusterLoop: { name: 'what was in our cluster already is refused', rfc: 4456 },
  originatorLoop: {
    name: 'our own routes, reflected back, are refused',
    rfc: 4456,
    lacks: {
      FRR: 'FRR sends nothing back to its originator',
      GoBGP: 'GoBGP sends nothing back to its originator',
    },
  },
  confederation: {
    name: 'members of one confederation, and what is outside sees of it',
    rfc: 5065,
    lacks: { ExaBGP: 'ExaBGP knows no confederations' },
  },
  allowedOwnAsn: {
    name: 'our own AS in a path is refused, and taken where that is allowed',
    rfc: 4271,
    lacks: { GoBGP: 'GoBGP sends an AS no path that it is in' },
  },
  nextHop: { name: 'next hops are ourselves or kept, inside an AS and out of it', rfc: 4271 },
  multipath: { name: 'two paths as good as each other are both used by the kernel' },
  filtersRequired: { name: 'without filters nothing is learned or told', rfc: 8212 },
  bfd: {
    name: 'a way that is cut ends the session long before its hold time',
    rfc: 5882,
    lacks: { GoBGP: 'GoBGP has no BFD', ExaBGP: 'ExaBGP has no BFD' },
  },
  bulk: { name: '10,000 routes each way in both families, compared one by one and withdrawn', rfc: 4271 },
} as const satisfies Readonly<Record<string, Feature>>;

export type FeatureId = keyof typeof FEATURES;
export const FEATURE_IDS = Object.keys(FEATURES) as readonly FeatureId[];

/** What is not tried of a feature with a peer that has the rest of it. */
export function partOf(id: FeatureId, peer: PeerName): string | undefined {
  const feature: Feature = FEATURES[id];
  return feature.partly?.[peer];
}

/** Why a feature is not tried with a peer; undefined if it is. */
export function lackOf(id: FeatureId, peer: PeerName): string | undefined {
  const feature: Feature = FEATURES[id];
  return feature.lacks?.[peer];
}
