/** Days of the sending API as points of a chart: each day is there, also the empty ones. */

import type { Point } from './figures';

export interface Period {
  period_start: string;
  emails: number;
  delivered: number;
  bounces: number;
  rejects: number;
  spam: number;
  unsubscribes: number;
  opens: number;
  clicks: number;
}

const DAY_MS = 86_400_000;

/** The first of so many days, the last of which is today, as `YYYY-MM-DD` in UTC. */
export function daysBack(days: number, now: Date): string {
  return new Date(now.getTime() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
}

export function pointsOf(periods: readonly Period[], days: number, now: Date): Point[] {
  const known = new Map(periods.map((one) => [one.period_start.slice(0, 10), one]));
  return Array.from({ length: days }, (_, at) => {
    const day = daysBack(days - at, now);
    const one = known.get(day);
    return { at: `${day} 00:00:00`, received: one?.emails ?? 0, sent: one?.delivered ?? 0, deferred: one?.rejects ?? 0, bounced: one?.bounces ?? 0, addresses: 0 };
  });
}
