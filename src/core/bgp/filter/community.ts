/** Communities as text, as RFC 1997 and RFC 8092 print them. */
import { COMMUNITIES } from '../model.ts';
import type { Community } from './model.ts';

const NAMES: Readonly<Record<string, number>> = {
  GRACEFUL_SHUTDOWN: COMMUNITIES.gracefulShutdown,
  LLGR_STALE: COMMUNITIES.llgrStale,
  NO_LLGR: COMMUNITIES.noLlgr,
  BLACKHOLE: COMMUNITIES.blackhole,
  NO_EXPORT: COMMUNITIES.noExport,
  NO_ADVERTISE: COMMUNITIES.noAdvertise,
  NO_EXPORT_SUBCONFED: COMMUNITIES.noExportSubconfed,
};

/** `64512:1`, `64512:1:2`, or the name of a well-known one; undefined if it is none. */
export function parseCommunity(text: string): Community | undefined {
  const known = NAMES[text.toUpperCase().replaceAll('-', '_')];
  if (known !== undefined) return known;
  const parts = text.split(':').map((part) => (/^(0|[1-9]\d*)$/.test(part) ? Number(part) : Number.NaN));
  const [one = Number.NaN, two = Number.NaN, three] = parts;
  if (parts.length === 2 && one <= 0xffff && two <= 0xffff) return one * 0x1_0000 + two;
  const isLarge = parts.length === 3 && parts.every((part) => part <= 0xffff_ffff);
  return isLarge && three !== undefined ? [one, two, three] : undefined;
}

/** The name of a well-known community, else its numbers. */
export function formatCommunity(community: Community): string {
  if (typeof community !== 'number') return community.join(':');
  const name = Object.entries(NAMES).find(([, value]) => value === community)?.[0];
  return name ?? `${community >>> 16}:${community & 0xffff}`;
}
