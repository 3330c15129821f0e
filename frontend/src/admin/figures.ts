/** Figures over time: what the service tells, and how its points become a plot and a table. */

export const RANGES = ['24h', '7d', '30d', '90d'] as const;
export type Range = (typeof RANGES)[number];

export interface Sums {
  received: number;
  sent: number;
  deferred: number;
  bounced: number;
  addresses: number;
}

export type Point = Sums & { at: string };

export interface Figures {
  range: string;
  step_seconds: number;
  points: Point[];
  totals: Sums;
  now: {
    addresses: number;
    mails: number;
    queue: number;
    deferred: number;
    oldest_queued_at: string | null;
    store_bytes: number;
    disk_free_bytes: number;
    disk_total_bytes: number;
    /** All arrived mail, and what it may be; null where nothing bounds it. */
    mail_bytes: number | null;
    retention_bytes: number | null;
  };
}

/** Refusals among all that came to an end, in percent with one decimal; null while nothing has. */
export function bounceShare(totals: Sums): number | null {
  const ended = totals.sent + totals.bounced;
  return ended === 0 ? null : Math.round((1000 * totals.bounced) / ended) / 10;
}

/** How a step is called on the axis: the hour within a day or two, else the day. */
export function stepName(at: Date, stepSeconds: number, language: string, long = false): string {
  const locale = language === 'en' ? 'en-GB' : language;
  const day: Intl.DateTimeFormatOptions = stepSeconds < 86_400 ? (long ? { weekday: 'short', day: 'numeric', month: 'short' } : { weekday: 'short' }) : { day: 'numeric', month: 'short' };
  const hour: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return new Intl.DateTimeFormat(locale, stepSeconds < 86_400 ? (long ? { ...day, ...hour } : hour) : day).format(at);
}

/** The point with the most of something; null when there is nothing of it. */
export function peak(points: readonly Point[], key: keyof Sums): Point | null {
  return points.reduce<Point | null>((best, point) => (point[key] > (best?.[key] ?? 0) ? point : best), null);
}
