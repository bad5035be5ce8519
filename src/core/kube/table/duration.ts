/** Times and ages as kubectl prints them. */

/** Milliseconds since 1970 of an RFC 3339 time, or undefined when it is none. */
export function parseTimeMs(text: unknown): number | undefined {
  if (typeof text !== 'string') return undefined;
  const match =
    /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,3})\d*)?(?:Z|([+-])(\d{2}):(\d{2}))$/i.exec(
      text,
    );
  if (match === null) return undefined;
  const part = (index: number) => Number(match[index] ?? 0);
  const offsetMin = (match[8] === '-' ? -1 : 1) * (part(9) * 60 + part(10));
  const seconds =
    daysSinceEpoch(part(1), part(2), part(3)) * 86_400 + part(4) * 3600 + part(5) * 60 + part(6);
  return (seconds - offsetMin * 60) * 1000 + Number((match[7] ?? '').padEnd(3, '0') || 0);
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar (eras of 400 years that start in March). */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** An RFC 3339 time in UTC, with as many digits of a second as asked for. */
export function formatTime(seconds: number, nanos: number, digits: number): string {
  const days = Math.floor(seconds / 86_400);
  const [year, month, day] = dateOf(days);
  const rest = seconds - days * 86_400;
  const pad = (value: number, width = 2) => String(value).padStart(width, '0');
  const clock = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map((part) => pad(part));
  const fraction = digits === 0 ? '' : `.${pad(nanos, 9).slice(0, digits)}`;
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}T${clock.join(':')}${fraction}Z`;
}

/** The inverse of daysSinceEpoch. */
function dateOf(days: number): [year: number, month: number, day: number] {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const part = Math.floor((5 * dayOfYear + 2) / 153);
  const month = part < 10 ? part + 3 : part - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return [year, month, dayOfYear - Math.floor((153 * part + 2) / 5) + 1];
}

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
  const time = parseTimeMs(timestamp);
  return time === undefined ? '<unknown>' : formatAge(nowMs - time);
}
