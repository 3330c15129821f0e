/** The languages of the page, and how a wish finds its language. */

export type Language = 'en' | 'zh' | 'es' | 'pt-BR' | 'ja' | 'de';

/** Each by its own name, so that everybody finds their own. */
export const LANGUAGES: Readonly<Record<Language, string>> = {
  en: 'English',
  zh: '中文',
  es: 'Español',
  'pt-BR': 'Português',
  ja: '日本語',
  de: 'Deutsch',
};

export function isLanguage(value: unknown): value is Language {
  return typeof value === 'string' && Object.hasOwn(LANGUAGES, value);
}

/** The first wish that can be met, by the language alone where the region differs; English otherwise. */
export function found(wishes: readonly string[]): Language {
  const tags = Object.keys(LANGUAGES) as Language[];
  for (const wish of wishes) {
    const main = wish.toLowerCase().split('-')[0];
    const tag = tags.find((one) => one.toLowerCase() === wish.toLowerCase()) ?? tags.find((one) => one.split('-')[0] === main);
    if (tag) return tag;
  }
  return 'en';
}
