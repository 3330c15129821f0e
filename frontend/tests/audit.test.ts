import { beforeAll, describe, expect, test } from 'vitest';
import { factsOf, type Entry } from '../src/admin/audit';
import { tables } from '../src/texts/tables.svelte';

const entry = (action: string, detail: Record<string, unknown>, fields: Entry['fields'] = []): Entry => ({
  id: 1,
  at: '2026-11-21 10:00:00',
  actor: 'admin password',
  from: '',
  action,
  subject: '',
  detail,
  fields,
  title: action,
  title_told: null,
  actor_told: null,
});

/** As the service tells it: a word by its code. */
const word = (name: string, title: string, code: string, value_told: Entry['fields'][number]['value_told'] = null) => ({ name, title, title_told: { code, values: {} }, value_told });

describe('values of the audit log in words', () => {
  beforeAll(async () => {
    for (const area of ['admin', 'adminSettings', 'adminTold'] as const) await tables.need(area);
  });

  test('a setting is called as in its form', () => {
    expect(factsOf(entry('settings.telegram', { enableAllowList: true, allowList: ['1', '2'] })).map(([, title, value]) => [title, value])).toEqual([
      ['Only these people', 'On'],
      ['Who may use it', '1, 2'],
    ]);
    const [one] = factsOf(entry('settings.change', { sendMailLimitConfig: { dailyLimit: 5 } }));
    expect(one).toEqual(['sendMailLimitConfig.dailyLimit', 'Mails a day', '5']);
  });

  test('kinds of cleanup and limits of roles are said in words', () => {
    expect(factsOf(entry('settings.cleanup', { enableMailsAutoCleanup: false, cleanMailsDays: 30 }))).toEqual([
      ['enableMailsAutoCleanup', 'Mails', 'Off'],
      ['cleanMailsDays', 'Mails: Days', '30'],
    ]);
    expect(factsOf(entry('cleanup.run', { cleanType: 'sendbox' }))[0]![2]).toBe('Sent mails');
    const limits = entry('user.role_limits', { configs: { vip: { maxAddressCount: 2 } } }, [word('configs', 'By role', 'field.configs')]);
    expect(factsOf(limits)[0]!.slice(0, 2)).toEqual(['configs.vip', 'By role: vip']);
    expect(factsOf(limits)[0]![2]).toMatch(/ 2$/);
  });

  test('what the service calls by a word is said by it, and counts likewise; the rest stays as it is', () => {
    const told = [word('filter', 'Filter', 'field.filter'), word('filter.domain', 'Domain', 'field.domain'), word('content', 'Text', 'field.text', { code: 'count.characters', values: { size: '5' } })];
    expect(factsOf(entry('queue.drop', { filter: { domain: 'far.test' }, content: '(5 characters)', odd: null, more: { deep: { er: 1 } } }, told))).toEqual([
      ['filter.domain', 'Domain', 'far.test'],
      ['content', 'Text', '(5 characters)'],
      ['odd', 'odd', 'none'],
      ['more.deep', 'more: deep', '{"er":1}'],
    ]);
  });
});
