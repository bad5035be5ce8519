/** Ages as kubectl prints them. */
import { parseTimeMs } from '#base/rfc3339.ts';

/** A span as kubectl's AGE column writes it: 45s, 3m20s, 5h, 2d4h, 400d, 3y120d. */
export function formatAge(spanMs: number): string {
  const seconds = Math.floor(spanMs / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? two(years, 'y', days % 365, 'd') : `${years}y`;
}

const two = (first: number, firstUnit: string, second: number, secondUnit: string): string =>
  second === 0 ? `${first}${firstUnit}` : `${first}${firstUnit}${second}${secondUnit}`;

/** The age of a timestamp, or `<unknown>`. */
export function ageOf(timestamp: unknown, nowMs: number): string {
  const time = typeof timestamp === 'string' ? parseTimeMs(timestamp) : undefined;
  return time === undefined ? '<unknown>' : formatAge(nowMs - time);
}
