/** Addresses of the page as people have kept them: a language before a place, both optional. */

import { isLanguage, type Language } from '../texts/languages';

/** What stands at an address. Unknown places are the mailbox. */
export type Page = 'mailbox' | 'account' | 'signed-in' | 'admin' | 'telegram-mail';

const PLACES: Readonly<Record<string, Page>> = {
  '': 'mailbox',
  user: 'account',
  'user/oauth2/callback': 'signed-in',
  admin: 'admin',
  telegram_mail: 'telegram-mail',
};

export function readPath(path: string): { language: Language | null; page: Page; known: boolean } {
  const parts = path.split('/').filter((part) => part !== '');
  const language = isLanguage(parts[0]) ? parts[0] : null;
  const place = (language ? parts.slice(1) : parts).join('/');
  const known = Object.hasOwn(PLACES, place);
  return { language, page: known ? PLACES[place]! : 'mailbox', known };
}

/** The same place in another language. */
export function inLanguage(path: string, language: Language): string {
  const parts = path.split('/').filter((part) => part !== '');
  const place = (isLanguage(parts[0]) ? parts.slice(1) : parts).join('/');
  return place === '' ? `/${language}/` : `/${language}/${place}`;
}
