/** Times as people say them. The service speaks UTC; the page shows the reader's own zone. */

const DAY = 86_400_000;

/** Reads `2026-11-21 10:00:00` (UTC), ISO 8601, and microseconds since 1970. */
export function instant(text: string | number): Date {
  if (typeof text === 'number') return new Date(text / 1000);
  const plain = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)$/.exec(text);
  return new Date(plain ? `${plain[1]}T${plain[2]}Z` : text);
}

let utc = false;

/** Whether times are shown in UTC. */
export function showUtc(on: boolean): void {
  if (on !== utc) formats.clear();
  utc = on;
}

function midnight(date: Date): number {
  if (utc) return Math.floor(date.getTime() / DAY) * DAY;
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** Days back in the calendar of the reader; 0 is today. */
function daysBack(date: Date, now: Date): number {
  return Math.round((midnight(now) - midnight(date)) / DAY);
}

/** `09:41` today, `Fri` this week, `16 Nov` before, `16 Nov 2025` in another year. */
export function shortTime(date: Date, now: Date, language: string): string {
  if (Number.isNaN(date.getTime())) return '';
  const back = daysBack(date, now);
  if (back <= 0) return clock(date);
  if (back < 7) return format(language, { weekday: 'short' }, date);
  if (date.getFullYear() === now.getFullYear()) return format(language, { day: 'numeric', month: 'short' }, date);
  return format(language, { day: 'numeric', month: 'short', year: 'numeric' }, date);
}

/** `09:41` */
export function clock(date: Date): string {
  return utc ? twice(date.getUTCHours(), date.getUTCMinutes()) : twice(date.getHours(), date.getMinutes());
}

function twice(hour: number, minute: number): string {
  return `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`;
}

/** The whole instant, for titles and quotes: `21 November 2026, 08:50:12`. */
export function wholeTime(date: Date, language: string): string {
  if (Number.isNaN(date.getTime())) return '';
  return format(language, { dateStyle: 'long', timeStyle: 'medium', hourCycle: 'h23' }, date);
}

/** `in 4 min`, `3 min ago`; the unit is the largest that fits. */
export function relativeTime(date: Date, now: Date, language: string): string {
  const seconds = Math.round((date.getTime() - now.getTime()) / 1000);
  const say = new Intl.RelativeTimeFormat(language, { numeric: 'always', style: 'short' });
  const size = Math.abs(seconds);
  const [amount, unit]: [number, Intl.RelativeTimeFormatUnit] =
    size < 60 ? [seconds, 'second'] : size < 5400 ? [seconds / 60, 'minute'] : size < 129_600 ? [seconds / 3600, 'hour'] : [seconds / 86_400, 'day'];
  // "in 4 min." would end the sentence that it stands in.
  return say.format(Math.round(amount), unit).replace(/\.$/, '');
}

// Intl objects cost more to make than to use; a list of 50 rows needs three of them.
const formats = new Map<string, Intl.DateTimeFormat>();

function format(language: string, options: Intl.DateTimeFormatOptions, date: Date): string {
  // British order for English: day before month, no comma play.
  const locale = language === 'en' ? 'en-GB' : language;
  const key = locale + JSON.stringify(options);
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat(locale, utc ? { ...options, timeZone: 'UTC' } : options);
    formats.set(key, made);
  }
  return made.format(date);
}
