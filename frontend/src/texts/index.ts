/** Every word that the page says comes from here. */

import type { AccountTexts } from './en/account';
import type { AdminTexts } from './en/admin';
import type { AdminOperateTexts } from './en/adminOperate';
import type { AdminSendingTexts } from './en/adminSending';
import type { AdminSettingsTexts } from './en/adminSettings';
import type { AdminToldTexts } from './en/adminTold';
import type { MailTexts } from './en/mail';
import type { MoreTexts } from './en/more';
import type { PageTexts } from './en/page';
import type { TelegramTexts } from './en/telegram';
import { tables, type Area } from './tables.svelte';

export type TextKey = keyof (PageTexts & MailTexts & MoreTexts & AccountTexts & AdminTexts & TelegramTexts & AdminSettingsTexts & AdminOperateTexts & AdminToldTexts & AdminSendingTexts);

export function language(): string {
  return tables.language;
}

/** The text of `key`, with `{name}` filled in. A text with plural forms takes its form from `n`. */
export function t(key: TextKey, values: Record<string, string | number> = {}): string {
  const entry = tables.entries[key];
  if (entry === undefined) return key;
  const text = typeof entry === 'string' ? entry : plural(entry, Number(values['n'] ?? 0));
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

function plural(forms: { one: string; other: string }, n: number): string {
  return new Intl.PluralRules(tables.language).select(n) === 'one' ? forms.one : forms.other;
}

/** A part of the page that is loaded when it is asked for, together with the words that it says. */
export async function withTexts<Module>(areas: readonly Area[], part: Promise<Module>): Promise<Module> {
  const [module] = await Promise.all([part, ...areas.map((area) => tables.need(area))]);
  return module;
}
