/** Every word that the page says comes from here. A further language is one more table of the same type. */

import { en, type Texts } from './en';

const tables: Record<string, Texts> = { en };

let current: Texts = en;
let tag = 'en';

export function language(): string {
  return tag;
}

/** Takes the first language of the list that has a table; English otherwise. */
export function chooseLanguage(wishes: readonly string[]): void {
  const found = wishes.map((wish) => wish.toLowerCase().split('-')[0]!).find((wish) => wish in tables);
  tag = found ?? 'en';
  current = tables[tag]!;
}

export type TextKey = keyof Texts;

/** The text of `key`, with `{name}` filled in. A text with plural forms takes its form from `n`. */
export function t(key: TextKey, values: Record<string, string | number> = {}): string {
  const entry = current[key];
  const text = typeof entry === 'string' ? entry : plural(entry, Number(values['n'] ?? 0));
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

function plural(forms: { one: string; other: string }, n: number): string {
  return new Intl.PluralRules(tag).select(n) === 'one' ? forms.one : forms.other;
}
