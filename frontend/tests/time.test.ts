import { describe, expect, test } from 'vitest';
import { instant, relativeTime, shortTime } from '../src/lib/time';

const now = new Date(2026, 10, 21, 12, 0, 0);

describe('instant', () => {
  test('reads the service’s times as UTC', () => {
    expect(instant('2026-11-21 10:00:00').toISOString()).toBe('2026-11-21T10:00:00.000Z');
  });
  test('reads ISO 8601 with its own zone', () => {
    expect(instant('2026-11-21T10:00:00+02:00').toISOString()).toBe('2026-11-21T08:00:00.000Z');
  });
  test('reads microseconds', () => {
    expect(instant(1_000_000_000_000_000).getTime()).toBe(1_000_000_000_000);
  });
});

describe('shortTime', () => {
  const said = (date: Date) => shortTime(date, now, 'en');
  test('today is a clock', () => expect(said(new Date(2026, 10, 21, 9, 41))).toBe('09:41'));
  test('midnight is 00, not 24', () => expect(said(new Date(2026, 10, 21, 0, 5))).toBe('00:05'));
  test('yesterday late in the evening is a day', () => expect(said(new Date(2026, 10, 20, 23, 59))).toBe('Fri'));
  test('six days ago is still a day of the week', () => expect(said(new Date(2026, 10, 15, 1))).toBe('Sun'));
  test('a week ago is a date', () => expect(said(new Date(2026, 10, 14, 23))).toBe('14 Nov'));
  test('another year has its year', () => expect(said(new Date(2025, 10, 16))).toBe('16 Nov 2025'));
  test('a clock that runs ahead is today', () => expect(said(new Date(2026, 10, 21, 23, 0))).toBe('23:00'));
  test('nonsense says nothing', () => expect(said(new Date('nonsense'))).toBe(''));
});

describe('relativeTime', () => {
  const said = (ms: number) => relativeTime(new Date(now.getTime() + ms), now, 'en');
  test('minutes to come, without a full stop', () => expect(said(240_000)).toBe('in 4 min'));
  test('seconds', () => expect(said(20_000)).toBe('in 20 sec'));
  test('hours', () => expect(said(3 * 3_600_000)).toBe('in 3 hr'));
});
