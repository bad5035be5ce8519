/** Times of RFC 3339 (`2026-03-01T12:00:00Z`) to and from seconds and milliseconds since 1970, without a clock. */

const DAY_SEC = 86_400;
/** 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: the first and last instant that RFC 3339 can write. */
const FIRST_MS = -62_167_219_200_000;
const LAST_MS = 253_402_300_799_999;
const TIME = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/i;

/** Milliseconds since 1970 (rounded down) of a time with any offset and precision, or undefined if it is none. */
export function parseTimeMs(text: string): number | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const part = (index: number) => Number(match[index] ?? 0);
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)];
  const date = dayOfDate(year, month, day);
  const back = dateOfDay(date);
  if (back.year !== year || back.month !== month || back.day !== day) return undefined;
  // A leap second (60) counts as the first of the next minute.
  if (hour > 23 || minute > 59 || second > 60 || part(9) > 23 || part(10) > 59) return undefined;
  const offsetMin = (part(9) * 60 + part(10)) * (match[8] === '-' ? -1 : 1);
  const ms = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  return (date * DAY_SEC + (hour * 60 + minute - offsetMin) * 60 + second) * 1000 + ms;
}

/** A time in UTC, with as many digits of a second (0 to 9) as asked for; the rest is cut off. */
export function formatTime(seconds: number, nanos: number, digits: number): string {
  const days = Math.floor(seconds / DAY_SEC);
  const rest = seconds - days * DAY_SEC;
  const { year, month, day } = dateOfDay(days);
  const clock = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60].map((part) => pad(part, 2));
  const fraction = digits === 0 ? '' : `.${pad(nanos, 9).slice(0, digits)}`;
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}T${clock.join(':')}${fraction}Z`;
}

/** Kubernetes' MicroTime, `2026-03-01T12:00:00.000000Z`; throws a RangeError outside the years 0 to 9999. */
export function formatMicroTime(ms: number): string {
  const whole = Math.trunc(ms);
  if (!(whole >= FIRST_MS && whole <= LAST_MS)) throw new RangeError(`no RFC 3339 time: ${ms}`);
  const seconds = Math.floor(whole / 1000);
  return formatTime(seconds, (whole - seconds * 1000) * 1_000_000, 6);
}

// The civil calendar by eras of 400 years that begin on 1 March, so that a leap day ends a year.
function dayOfDate(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function dateOfDay(days: number): { year: number; month: number; day: number } {
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
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
