import { describe, expect, test } from 'vitest';
import { hostOf, readable } from '../src/admin/deliveries';
import { standing, zoneFile, type DnsRecord } from '../src/admin/domains';
import { addressesFault, domainsFault, faultOfField, patternFault, sameSetting, type Field } from '../src/admin/fields';
import { bounceShare, peak, stepName, type Point } from '../src/admin/figures';
import { NO_RULE, readRules, ruleFault } from '../src/admin/forwarding';
import { listPlace, readListPlace } from '../src/admin/places';
import { faultsOf, KNOWN, newProvider, readProviders } from '../src/admin/providers';
import { asked, ALL, readPlace } from '../src/admin/queue';
import { ACCOUNT, limitsOf, limitsToStore } from '../src/admin/settings';
import { readStatements, statementFault } from '../src/admin/statements';
import { sizeInWords } from '../src/lib/size';

describe('settings as fields', () => {
  test('what was never set, is off or is empty is the same setting', () => {
    for (const value of [undefined, null, false, '', []]) expect(sameSetting(value, undefined)).toBe(true);
    expect(sameSetting(['a'], ['a'])).toBe(true);
    expect(sameSetting(0, undefined)).toBe(false);
    expect(sameSetting(['a', 'b'], ['b', 'a'])).toBe(false);
  });

  test.each([
    [5, null],
    [undefined, null],
    [-1, 'fault.range'],
    [11, 'fault.range'],
    [1.5, 'fault.number'],
    [NaN, 'fault.number'],
  ])('a number between 0 and 10: %s', (value, fault) => {
    const field: Field = { key: 'n', kind: 'number', text: 'set.most', most: 10 };
    expect(faultOfField(field, value)).toBe(fault);
  });

  test('patterns, addresses and domains are judged before they are sent', () => {
    expect(patternFault('^[a-z]+$')).toBeNull();
    expect(patternFault('(')).toBe('fault.pattern');
    expect(addressesFault(['ann@mail.example'])).toBeNull();
    expect(addressesFault(['ann@mail.example', 'ann'])).toBe('fault.addresses');
    expect(domainsFault(['mail.example'])).toBeNull();
    expect(domainsFault(['ann@mail.example'])).toBe('fault.domains');
  });
});

describe('sending limits', () => {
  test('nothing stored is nothing limited', () => {
    expect(limitsOf(null)).toEqual({ dailyEnabled: false, dailyLimit: undefined, monthlyEnabled: false, monthlyLimit: undefined });
    expect(limitsToStore(limitsOf(null))).toEqual({ dailyEnabled: false, dailyLimit: null, monthlyEnabled: false, monthlyLimit: null });
  });

  test('a limit that is on without a number lets everything through; one that is off has none', () => {
    expect(limitsToStore({ dailyEnabled: true, monthlyEnabled: false, monthlyLimit: 9 })).toEqual({ dailyEnabled: true, dailyLimit: -1, monthlyEnabled: false, monthlyLimit: null });
    expect(limitsToStore({ dailyEnabled: true, dailyLimit: 0 })).toMatchObject({ dailyLimit: 0 });
  });

  test('what is told and not taken is left out, and following the settings file clears the switch', () => {
    const shown = ACCOUNT.read!({ blockList: ['root'], addressCreationSettings: {}, addressCreationSubdomainMatchStatus: { envConfigured: true }, sendMailLimitConfig: null });
    expect(ACCOUNT.write!(shown)).toEqual({
      blockList: ['root'],
      addressCreationSettings: { enableSubdomainMatch: null },
      sendMailLimitConfig: { dailyEnabled: false, dailyLimit: null, monthlyEnabled: false, monthlyLimit: null },
    });
    expect(ACCOUNT.write!({ ...shown, addressCreationSettings: { enableSubdomainMatch: false } })).toMatchObject({ addressCreationSettings: { enableSubdomainMatch: false } });
  });
});

describe('forwarding rules', () => {
  test('what looks like no rule is left out', () => {
    expect(readRules([{ domains: ['x.test'], forward: 'a@b.test', sourceMatchMode: 'all' }, 7, null])).toEqual([{ domains: ['x.test'], forward: 'a@b.test', sourcePatterns: [], sourceMatchMode: 'all' }]);
    expect(readRules({})).toEqual([]);
  });

  test.each([
    [{}, 'forward.fault.none'],
    [{ forward: 'nobody' }, 'fault.address'],
    [{ forward: 'a@b.test', sourcePatterns: ['['] }, 'fault.pattern'],
    [{ forward: 'a@b.test', sourcePatterns: ['x'.repeat(201)] }, 'forward.fault.long'],
    [{ forward: 'a@b.test', sourcePatterns: ['@bank\\.example$'] }, null],
  ])('%j', (part, fault) => expect(ruleFault({ ...NO_RULE, ...part })).toBe(fault));
});

describe('providers of sign-in', () => {
  test.each(Object.keys(KNOWN))('%s needs no more than what its console gives', (name) => {
    const ready = { ...newProvider(name, 'https://mail.example'), clientID: 'id', clientSecret: 'secret' };
    const faults = Object.values(faultsOf(ready));
    expect(faults.filter((fault) => fault !== 'oa.fault.capitals')).toEqual([]);
    expect(ready.redirectURL).toBe('https://mail.example/user/oauth2/callback');
    expect(faults.length > 0).toBe(name === 'Authentik');
  });

  test('one of no name is told what it lacks', () => {
    expect(faultsOf(newProvider('', 'https://mail.example'))).toMatchObject({ name: 'fault.empty', clientID: 'fault.empty', scope: 'fault.empty' });
    expect(faultsOf({ ...newProvider('GitHub', ''), enableMailAllowList: true }).mailAllowList).toBe('fault.empty');
    expect(faultsOf({ ...newProvider('GitHub', ''), authorizationURL: 'javascript:x' }).authorizationURL).toBe('webhook.fault.url');
  });

  test('what was stored by an older front end is made complete', () => {
    expect(readProviders([{ name: 'GitHub' }, 3])).toMatchObject([{ name: 'GitHub', mailAllowList: [], enableEmailFormat: false }]);
  });
});

test.each([
  ['DELETE FROM raw_mails WHERE id < 5;', null],
  ['delete from raw_mails', null],
  ['', 'sql.fault.empty'],
  ['DROP TABLE raw_mails', 'sql.fault.delete'],
  ['DELETE FROM a; DELETE FROM b', 'sql.fault.one'],
  ['DELETE FROM a -- all', 'sql.fault.comment'],
  [`DELETE FROM a WHERE b = '${'x'.repeat(1000)}'`, 'sql.fault.long'],
])('the statement %s', (sql, fault) => expect(statementFault(sql)).toBe(fault));

test('stored statements are read leniently', () => {
  expect(readStatements([{ sql: 'DELETE FROM a' }, null])).toEqual([{ id: '0', name: '', sql: 'DELETE FROM a', enabled: false }]);
});

describe('figures', () => {
  const point = (at: string, received: number): Point => ({ at, received, sent: 0, deferred: 0, bounced: 0, addresses: 0 });

  test('bounces are a share of what came to an end', () => {
    expect(bounceShare({ received: 9, sent: 0, deferred: 4, bounced: 0, addresses: 0 })).toBeNull();
    expect(bounceShare({ received: 0, sent: 124, deferred: 0, bounced: 1, addresses: 0 })).toBe(0.8);
  });

  test('the peak is the first of the highest, and none where nothing was', () => {
    const points = [point('2026-11-21 10:00:00', 0), point('2026-11-21 11:00:00', 3), point('2026-11-21 12:00:00', 3)];
    expect(peak(points, 'received')?.at).toBe('2026-11-21 11:00:00');
    expect(peak(points, 'sent')).toBeNull();
  });

  test('steps are called by the hour within days, and by the day beyond', () => {
    const at = new Date(2026, 10, 21, 9, 30);
    expect(stepName(at, 3600, 'en')).toBe('09:30');
    expect(stepName(at, 86_400, 'en')).toBe('21 Nov');
    expect(stepName(at, 3600, 'en', true)).toContain('21 Nov');
  });

  test('disks have sizes beyond megabytes', () => {
    expect([sizeInWords(2_600_000), sizeInWords(999_960_000), sizeInWords(75_000_000_000), sizeInWords(2.5e12)]).toEqual(['2.6 MB', '1 GB', '75 GB', '2.5 TB']);
  });
});

test.each([
  ['', { open: null, filter: {} }],
  ['12', { open: 12, filter: {} }],
  ['reason=451 4.7.1 come back=later', { open: null, filter: { reason: '451 4.7.1 come back=later' } }],
  ['password=x', { open: null, filter: {} }],
])('the place %s of the queue', (text, place) => expect(readPlace(text)).toEqual(place));

test('a filter asks for what is set alone', () => {
  expect(asked(ALL)).toEqual({});
  expect(asked({ ...ALL, state: 'held', sender: ' ' })).toEqual({ state: 'held' });
});

test.each([
  ['', 'mails', { begin: '', open: null }],
  ['12', 'mails', { begin: '', open: 12 }],
  ['ann@x.test', 'sent', { begin: 'ann@x.test', open: null }],
  ['ann@x.test/12', 'sent', { begin: 'ann@x.test', open: 12 }],
  ['12', 'addresses', { begin: '12', open: null }],
])('the place “%s” of the list of %s', (rest, list, place) => {
  expect(readListPlace(rest, list)).toEqual(place);
  expect(decodeURIComponent(listPlace(list, place.begin, place.open))).toBe(rest ? `#/${list}/${rest}` : `#/${list}`);
});

describe('DNS records', () => {
  const record = (part: Partial<DnsRecord>): DnsRecord => ({ purpose: 'spf', type: 'TXT', name: 'x.test', value: 'v=spf1 mx -all', required: true, why: '', why_told: { code: '', values: {} }, ...part });

  test('as a zone file: names end in a dot, texts are quoted and cut into pieces of 255', () => {
    const key = 'p='.padEnd(300, 'A');
    const zone = zoneFile([record({}), record({ type: 'MX', value: '10 mail.x.test' }), record({ name: 's._domainkey.x.test', value: key }), record({ type: 'PTR' }), record({ value: 'say "x"' }), record({ type: 'A', value: '192.0.2.25' }), record({ type: 'A', value: 'the public address of this server' })]).split('\n');
    expect(zone[0]).toBe('x.test.\tIN\tTXT\t"v=spf1 mx -all"');
    expect(zone[1]).toBe('x.test.\tIN\tMX\t10 mail.x.test.');
    expect(zone[2]).toBe(`s._domainkey.x.test.\tIN\tTXT\t"${key.slice(0, 255)}" "${key.slice(255)}"`);
    expect(zone[3]).toBe('x.test.\tIN\tTXT\t"say \\"x\\""');
    expect(zone[4]).toBe('x.test.\tIN\tA\t192.0.2.25');
    expect(zone).toHaveLength(5);
  });

  test('what is optional does not count', () => {
    expect(standing([record({ state: 'right' }), record({ state: 'missing' }), record({ required: false, state: 'missing' })])).toEqual({ right: 1, all: 2 });
  });
});

test('a post is named by the host that it goes to', () => {
  expect(hostOf('https://hooks.example:8443/a?key=•••')).toBe('hooks.example:8443');
  expect(hostOf('•••')).toBe('•••');
});

test('the body of a post is set in lines when it is JSON', () => {
  expect(readable('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(readable('a=1')).toBe('a=1');
});
