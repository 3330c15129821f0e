import { describe, expect, test } from 'vitest';
import { limitOf, roleFaults, withLimit } from '../src/admin/settings';
import { conditionsFault, conditionsToStore, countOf, METHODS, nameOfCondition, noConditions, readConditions, subjectFault, wishOf, WISHES, wordsOf } from '../src/lib/conditions';
import { ruleInWords, signed, signInWords, toneOfScore } from '../src/lib/judged';
import { codeFault, codeOf, targetFault } from '../src/lib/onward';
import { boundsOf, tightest, type Usage } from '../src/lib/room';
import { NO_WEBHOOK, readWebhook } from '../src/lib/webhooks';

describe('conditions of a webhook', () => {
  const all = { senders: ['*@shop.example'], recipients: ['*@x.test'], subject: '^(order|invoice)', has_code: true, has_attachment: false, verdicts: { dmarc: ['pass'], spf: ['pass', 'none'] } };

  test('what is stored is shown, and stored again as it was', () => {
    expect(conditionsToStore(readConditions(all)!)).toEqual(all);
    expect(countOf(readConditions(all)!)).toBe(7);
    for (const none of [undefined, null, {}, { senders: [], subject: '', has_code: null, verdicts: {} }]) expect(conditionsToStore(readConditions(none)!)).toBeUndefined();
  });

  test.each([
    [{ sender: ['a@b.test'] }],
    [{ senders: 'a@b.test' }],
    [{ senders: [''] }],
    [{ senders: Array.from({ length: 51 }, () => 'a@b.test') }],
    [{ recipients: ['x'.repeat(255)] }],
    [{ subject: '(' }],
    [{ subject: 'x'.repeat(201) }],
    [{ has_code: 'yes' }],
    [{ verdicts: { dkin: ['pass'] } }],
    [{ verdicts: { spf: ['x'.repeat(21)] } }],
    [['a']],
    ['none'],
  ])('what the service would not read is not read here: %j', (stored) => expect(readConditions(stored)).toBeNull());

  test('what is written is judged while it is written', () => {
    expect(conditionsFault(noConditions())).toBeNull();
    expect(conditionsFault({ ...noConditions(), senders: ['x'.repeat(255)] })).toBe('cond.fault.long');
    expect(conditionsFault({ ...noConditions(), recipients: Array.from({ length: 51 }, String) })).toBe('cond.fault.many');
    expect([subjectFault('['), subjectFault('x'.repeat(201)), subjectFault('')]).toEqual(['cond.fault.pattern', 'cond.fault.pattern-long', null]);
  });

  test('a wish about where mail comes from stands for words, and words that are no wish stay', () => {
    for (const method of METHODS) for (const wish of WISHES) expect(wishOf(method, wordsOf(method, wish))).toBe(wish);
    expect(wordsOf('spf', 'failed')).toEqual(['fail', 'softfail']);
    expect(wordsOf('dmarc', 'kept')).not.toContain('fail');
    expect(wishOf('spf', ['pass', 'none'])).toBeNull();
    expect(METHODS.every((method) => wordsOf(method, 'kept').length <= 10)).toBe(true);
  });

  test('what a test says is named as the form names it', () => {
    expect(nameOfCondition('has_code').text).toBe('cond.code');
    expect(nameOfCondition('verdicts.dmarc')).toEqual({ text: null, plain: 'DMARC' });
    expect(nameOfCondition('conditions: x').plain).toBe('conditions: x');
  });

  test('they stay in what is read', () => expect(readWebhook({ ...NO_WEBHOOK, conditions: all }).conditions).toEqual(all));
});

describe('forwarding by the owner', () => {
  test.each([
    ['me@home.example', null],
    [' me@home.example ', null],
    ['me', 'onward.fault.address'],
    ['', 'onward.fault.address'],
    ['Ann@x.test', 'onward.fault.self'],
    ['ann+tag@x.test', 'onward.fault.self'],
    ['ann+tag@y.test', null],
    ['now@home.example', 'onward.fault.same'],
  ])('to “%s”', (target, fault) => expect(targetFault(target, 'ann@x.test', 'now@home.example')).toBe(fault));

  test('a code is eight digits, however it was copied', () => {
    expect(codeOf(' 4829 1307 ')).toBe('48291307');
    expect([codeFault('4829-1307'), codeFault('4829130'), codeFault('4829130a')]).toEqual([null, 'onward.fault.digits', 'onward.fault.digits']);
  });
});

describe('room in a mailbox', () => {
  const usage = (part: Partial<Usage>): Usage => ({ mails: 0, octets: 0, in_minute: 0, in_hour: 0, max_mails: 0, max_octets: 0, mails_per_minute: 0, mails_per_hour: 0, full: false, ...part });

  test('only bounds that there are are shown', () => {
    expect(boundsOf(usage({ mails: 3 }))).toEqual([]);
    expect(boundsOf(usage({ mails: 3, max_mails: 4, mails_per_hour: 60, in_hour: 2 })).map((bound) => bound.of)).toEqual(['mails', 'hour']);
  });

  test('an owner is told from nine tenths on, of the nearest bound, and of none that ends by itself', () => {
    expect(tightest(usage({ mails: 89, max_mails: 100 }))).toBeNull();
    expect(tightest(usage({ mails: 90, max_mails: 100, octets: 99, max_octets: 100 }))?.of).toBe('octets');
    expect(tightest(usage({ in_hour: 60, mails_per_hour: 60 }))).toBeNull();
    expect(tightest(usage({ mails: 4, max_mails: 4, full: true }))).toEqual({ of: 'mails', used: 4, most: 4 });
  });
});

describe('what the service makes of a mail', () => {
  test('a score has a tone and a sign', () => {
    expect([-4, 0, 1, 4].map(toneOfScore)).toEqual(['good', 'idle', 'wait', 'bad']);
    expect([-4, 0, 3].map(signed)).toEqual(['−4', '0', '+3']);
  });

  test('signs and rules are said in words, and new ones as they are called', () => {
    expect(signInWords({ name: 'mixed-scripts', points: 3 }).text).toBe('score.mixed-scripts');
    expect(signInWords({ name: 'dmarc=fail', points: 4 }).plain).toBe('DMARC fail');
    expect(signInWords({ name: 'brand-new', points: 1 }).plain).toBe('brand-new');
    expect([ruleInWords('model'), ruleInWords('brand-new')]).toEqual(['found.rule.model', null]);
  });
});

describe('limits of a role', () => {
  test('an empty limit is left out, and with it a role that has none', () => {
    const limits = withLimit({}, 'vip', 'sendLimitDay', 20);
    expect(limits).toEqual({ vip: { sendLimitDay: 20 } });
    expect(withLimit(limits, 'vip', 'maxAddressCount', 5)).toEqual({ vip: { maxAddressCount: 5, sendLimitDay: 20 } });
    expect(withLimit(limits, 'vip', 'sendLimitDay', undefined)).toEqual({});
  });

  test('what was changed and changed back is written as it was', () => {
    const stored = { vip: { maxAddressCount: 5, sendLimitDay: 20 }, member: { sendLimitMonth: 3 } };
    const back = withLimit(withLimit(stored, 'vip', 'maxAddressCount', 6), 'vip', 'maxAddressCount', 5);
    expect(JSON.stringify(back)).toBe(JSON.stringify(stored));
  });

  test('no limit is shown as none, and wrong ones are counted', () => {
    expect(limitOf({ vip: { sendLimitDay: -1 } }, 'vip', 'sendLimitDay')).toBeUndefined();
    expect(roleFaults({ vip: { sendLimitDay: -1, maxAddressCount: 0 } }, ['vip', 'member'])).toBe(0);
    expect(roleFaults({ vip: { sendLimitDay: -2, sendLimitMonth: 1.5 }, gone: { sendLimitDay: -2 } }, ['vip'])).toBe(2);
  });
});
