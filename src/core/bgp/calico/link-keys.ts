/** What annotations of a BGPPeer say beyond Calico's keys: links that neighbours are on, and of which AS they are where no number is given. */
import { isLinkLocal, isLinkName } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { Findings } from './reader.ts';
import type { Peer } from './schemas.ts';

export const INTERFACE_KEY = 'poplin.dev/interface';
export const PEER_AS_KEY = 'poplin.dev/peer-as';

/** Of one BGPPeer. */
export interface LinkKeys {
  /** Names of links: of one a link-local peerIP is on, or all that have a neighbour at their other end. */
  readonly links: readonly string[];
  readonly peerAs?: 'external' | 'internal';
}

/** Undefined, and problems, if they cannot be read or do not go with what is in the object. */
export function readLinkKeys(object: KubeObject, spec: Peer, findings: Findings): LinkKeys | undefined {
  const { name, annotations = {} } = object.metadata;
  let isSound = true;
  const fail = (place: string, message: string): void => {
    findings.problems.push({ place: `BGPPeer ${name} ${place}`, message });
    isSound = false;
  };
  const at = (key: string): string => `metadata.annotations["${key}"]`;
  const peerAs = annotations[PEER_AS_KEY];
  if (peerAs !== undefined && peerAs !== 'external' && peerAs !== 'internal')
    fail(at(PEER_AS_KEY), `must be "external" or "internal", not "${peerAs}"`);
  if (peerAs !== undefined && spec.asNumber !== undefined)
    fail(at(PEER_AS_KEY), 'does not go with spec.asNumber');
  const links = splitLinks(annotations[INTERFACE_KEY]);
  const strange = links.find((link) => !isLinkName(link));
  if (strange !== undefined) fail(at(INTERFACE_KEY), `"${strange}" is no name of a link`);
  const { peerIP } = spec;
  for (const key of ['peerSelector', 'localWorkloadSelector'] as const)
    if (links.length > 0 && (spec[key] ?? '') !== '') fail(at(INTERFACE_KEY), `does not go with spec.${key}`);
  if (peerIP !== undefined) checkAddress(peerIP, links, (message) => fail('spec.peerIP', message));
  return isSound ? { links, ...(isRelation(peerAs) ? { peerAs } : {}) } : undefined;
}

function checkAddress(
  { address, link }: NonNullable<Peer['peerIP']>,
  links: readonly string[],
  fail: (message: string) => void,
): void {
  if (!isLinkLocal(address)) {
    if (links.length > 0)
      fail(`"${address}" is not link-local, and does not go with the annotation ${INTERFACE_KEY}`);
    return;
  }
  const known = new Set(link === undefined ? links : [link, ...links]);
  if (known.size === 0)
    fail(
      `"${address}" is link-local, and means nothing without its link: "${address}%eth0", or the annotation ${INTERFACE_KEY}`,
    );
  if (known.size > 1) fail(`"${address}" can be on one link, not on ${[...known].join(' and ')}`);
}

function splitLinks(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  return [...new Set(text.split(',').map((each) => each.trim()))];
}

function isRelation(text: string | undefined): text is 'external' | 'internal' {
  return text === 'external' || text === 'internal';
}
