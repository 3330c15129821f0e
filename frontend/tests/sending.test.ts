import { describe, expect, it } from 'vitest';
import { isOurs } from '../src/admin/places';
import { worded, FieldRefusal } from '../src/admin/sendingApi';
import { begun, DESKS, filled, hooks, pairsFrom, pairsOf, type Area, type Field } from '../src/admin/sendingAreas';
import { recordsOf } from '../src/admin/sendingDomains';
import { daysBack, pointsOf } from '../src/admin/sendingNumbers';
import { several } from '../src/admin/several';
import { Refusal } from '../src/lib/refusal';

const areas = [...Object.values(DESKS).flatMap((desk) => desk.parts.filter((part): part is Area => typeof part !== 'string')), hooks];

describe('a form of the sending API', () => {
  const fields: Field[] = [
    { key: 'name', text: 'sa.name', kind: 'text', needed: true, only: 'new' },
    { key: 'secret', text: 'password', kind: 'password' },
    { key: 'on', text: 'sa.rate', kind: 'switch' },
    { key: 'most', text: 'sa.rate.value', kind: 'number', when: 'on', begin: 100 },
    { key: 'places', text: 'sa.from-ips', kind: 'lines' },
    { key: 'note', text: 'sa.description', kind: 'text' },
  ];

  it('begins with what is there, and a password is never there', () => {
    expect(begun(fields, { name: 'a', secret: 'hidden', places: ['192.0.2.7', '192.0.2.8'], most: 0 })).toEqual({ name: 'a', secret: '', on: false, most: 100, places: '192.0.2.7\n192.0.2.8', note: '' });
  });

  it('sends nothing that is empty, hidden or switched off when it makes something', () => {
    expect(filled(fields, { name: 'a', secret: '', on: false, most: 5, places: '', note: '' }, null)).toEqual({ name: 'a', on: false });
  });

  it('sends what was emptied when it changes something', () => {
    expect(filled(fields, { name: 'a', secret: '', on: true, most: 5, places: ' ', note: '' }, { name: 'a' })).toEqual({ on: true, most: 5, places: [], note: '' });
  });

  it('has each key once for what is new and once for what is there', () => {
    for (const area of areas) {
      for (const only of ['new', 'old'] as const) {
        const keys = (area.fields ?? []).filter((field) => (field.only ?? only) === only).map((field) => field.key);
        expect(new Set(keys).size, `${area.id} ${only}`).toBe(keys.length);
      }
      expect(new Set(area.columns.map((column) => column.text)).size, area.id).toBe(area.columns.length);
    }
  });

  it('writes values as lines, and keeps those that are no plain text', () => {
    const values = { n: 7, name: 'Ann = B', list: [1, 2] };
    expect(pairsOf(values)).toBe('n = 7\nname = Ann = B');
    expect(pairsFrom('n = 8\nalone', values)).toEqual({ list: [1, 2], n: '8', alone: '' });
  });
});

describe('a refusal of the sending API', () => {
  const refusal = (body: object | string) => worded(new Refusal(400, typeof body === 'string' ? body : JSON.stringify(body), null));

  it('names the field in the words of the service', () => {
    const said = refusal({ error: 'username: too long', field_validation_errors: { fieldname: 'username', message: 'too long' } });
    expect(said).toBeInstanceOf(FieldRefusal);
    expect([(said as FieldRefusal).field, (said as FieldRefusal).body]).toEqual(['username', 'too long']);
    expect((refusal({ error: 'Port 25 is not allowed', field: 'port' }) as FieldRefusal).field).toBe('port');
  });

  it('is a sentence also where it names none, and what is no JSON stays', () => {
    expect((refusal({ error: 'There is no such subaccount' }) as Refusal).body).toBe('There is no such subaccount');
    expect((refusal('{ not json') as Refusal).body).toBe('{ not json');
  });
});

describe('the same for several rows', () => {
  const numbers = Array.from({ length: 30 }, (_, at) => at);

  it('goes out a few at a time, and one that fails keeps none of the others back', async () => {
    let under = 0;
    let most = 0;
    const steps: number[] = [];
    const act = async (n: number) => {
      most = Math.max(most, ++under);
      await Promise.resolve();
      under--;
      if (n % 10 === 3) throw new Refusal(503, `no ${n}`, null);
    };
    const { done, failed } = await several(numbers, act, (ended) => Boolean(steps.push(ended)));
    expect(most).toBe(4);
    expect(done).toEqual(numbers.filter((n) => n % 10 !== 3));
    expect(failed.map(({ one, error }) => [one, (error as Refusal).body])).toEqual([[3, 'no 3'], [13, 'no 13'], [23, 'no 23']]);
    expect(steps).toEqual(numbers.map((n) => n + 1));
  });

  it('leaves what has not begun when it is given up', async () => {
    const begun: number[] = [];
    const { done, failed } = await several(numbers, async (n) => void begun.push(n), (ended) => ended < 5);
    expect(done).toEqual(begun);
    expect(failed).toEqual([]);
    expect(begun.length).toBeGreaterThanOrEqual(5);
    expect(begun.length).toBeLessThan(numbers.length);
  });

  it('is offered only where a row is known again, and two reasons of one address are two rows', () => {
    for (const area of areas) expect(Boolean(area.acts?.some((act) => act.many)), area.id).toBe(area.markOf !== undefined);
    const markOf = areas.find((area) => area.id === 'suppressions')!.markOf!;
    expect(markOf({ email_address: 'ann@far.test', reason: 'spam' })).not.toBe(markOf({ email_address: 'ann@far.test', reason: 'manual' }));
  });
});

it('shows each record of a sender domain, proved or not', () => {
  const domain = { fulldomain: 'shop.test', dkim_selector: 's1', dkim_verified: false, dkim_status: 'missing', dkim_value: 'dkim.us.test', dkim_record: 'v=DKIM1', rpath_selector: 'em1', rpath_verified: true, rpath_status: '', rpath_value: 'return.us.test' };
  const records = recordsOf({ domain, trackers: [{ fulldomain: 'link.shop.test', cname_verified: false, cname_status: '', cname_value: 'track.us.test' }] });
  expect(records.map((one) => [one.purpose, one.name, one.value, one.right, one.txt])).toEqual([
    ['DKIM', 's1._domainkey.shop.test', 'dkim.us.test', false, 'v=DKIM1'],
    ['Return-Path', 'em1.shop.test', 'return.us.test', true, undefined],
    ['Tracking', 'link.shop.test', 'track.us.test', false, undefined],
  ]);
});

it('a chart of days has each day, the last of them today', () => {
  const now = new Date('2026-11-22T01:00:00Z');
  expect(daysBack(7, now)).toBe('2026-11-16');
  const period = { period_start: '2026-11-21 00:00:00+00:00', emails: 9, delivered: 7, bounces: 1, rejects: 1, spam: 0, unsubscribes: 0, opens: 0, clicks: 0 };
  const points = pointsOf([period], 3, now);
  expect(points.map((one) => [one.at, one.received, one.sent])).toEqual([
    ['2026-11-20 00:00:00', 0, 0],
    ['2026-11-21 00:00:00', 9, 7],
    ['2026-11-22 00:00:00', 0, 0],
  ]);
});

it('an address of ours is looked for as an address, anything else as words', () => {
  const domains = ['Inbox.test'];
  expect(['ann@inbox.test', 'ANN@Sub.inbox.test', 'ann@far.test', 'ann', 'ann@inbox.test said', '@inbox.test'].map((words) => isOurs(words, domains))).toEqual([true, true, false, false, false, false]);
});
