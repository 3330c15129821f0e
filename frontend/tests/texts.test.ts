import { describe, expect, it } from 'vitest';
import { inLanguage, readPath } from '../src/lib/paths';
import { language, t } from '../src/texts';
import type { Forms } from '../src/texts/forms';
import { found, LANGUAGES, type Language } from '../src/texts/languages';
import { tables } from '../src/texts/tables.svelte';

type Entries = Record<string, string | Forms>;

const files = import.meta.glob<Record<string, Entries>>('../src/texts/*/*.ts');
const areas = Object.keys(files).flatMap((path) => /\/en\/(\w+)\.ts$/.exec(path)?.[1] ?? []);
const others = (Object.keys(LANGUAGES) as Language[]).filter((tag) => tag !== 'en');

async function tableOf(tag: string, area: string): Promise<Entries> {
  return (await files[`../src/texts/${tag}/${area}.ts`]!())[area]!;
}

/** The values that a text names, sorted. */
const named = (entry: string | Forms) =>
  [...new Set((typeof entry === 'string' ? entry : entry.other).match(/\{\w+\}/g) ?? [])].sort();

describe.each(others)('the tables of %s', (tag) => {
  it.each(areas)('lack no key of %s, have none too many, and name the same values', async (area) => {
    const english = await tableOf('en', area);
    const other = await tableOf(tag, area);
    expect(Object.keys(other).sort()).toEqual(Object.keys(english).sort());
    for (const [key, entry] of Object.entries(english)) {
      expect(named(other[key]!), key).toEqual(named(entry));
      expect(typeof other[key], key).toBe(typeof entry);
      const texts = typeof other[key] === 'string' ? [other[key]] : [other[key]!.one, other[key]!.other];
      for (const text of texts) expect(text.trim(), key).not.toBe('');
    }
  });
});

it('no key stands in two areas', async () => {
  const keys = (await Promise.all(areas.map((area) => tableOf('en', area)))).flatMap((table) => Object.keys(table));
  expect(keys.length).toBe(new Set(keys).size);
});

describe('choosing a language', () => {
  it('takes the first wish that can be met, the region aside', () => {
    expect(found(['fr-FR', 'pt-PT', 'en'])).toBe('pt-BR');
    expect(found(['zh-Hant-TW'])).toBe('zh');
    expect(found(['de-AT'])).toBe('de');
    expect(found(['fr', ''])).toBe('en');
  });

  it('brings the tables of all areas that are open, and of those that open later', async () => {
    await tables.need('mail');
    expect(t('reply')).toBe('Reply');
    await tables.choose('de');
    expect([t('reply'), t('nav.inbox'), language()]).toEqual(['Antworten', 'Posteingang', 'de']);
    expect(t('arrived.held', { n: 1 })).toBe('1 neue Mail');
    expect(t('arrived.held', { n: 2 })).toBe('2 neue Mails');
    await tables.choose('en');
  });
});

describe('addresses of the page', () => {
  it.each([
    ['/', null, 'mailbox', true],
    ['/de/', 'de', 'mailbox', true],
    ['/pt-BR/user', 'pt-BR', 'account', true],
    ['/user/oauth2/callback', null, 'signed-in', true],
    ['/ja/admin/', 'ja', 'admin', true],
    ['/telegram_mail', null, 'telegram-mail', true],
    ['/nowhere', null, 'mailbox', false],
    ['/constructor', null, 'mailbox', false],
  ])('%s', (path, tag, page, known) => {
    expect(readPath(path)).toEqual({ language: tag, page, known });
  });

  it('are the same in another language', () => {
    expect(inLanguage('/', 'de')).toBe('/de/');
    expect(inLanguage('/en/user', 'zh')).toBe('/zh/user');
  });
});
