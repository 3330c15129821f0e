/** Sentences of the service, said in the language of the page: by their code, or as they came when it is not known here. */

import { language, t, type TextKey } from '../texts';

export interface Told {
  code: string;
  values: Readonly<Record<string, string | number>>;
}

export function saidAs(told: Told | undefined, text: string): string {
  if (!told) return text;
  const values: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(told.values)) values[name] = name.endsWith('_seconds') ? ahead(Number(value), language()) : value;
  const key = `told.${told.code}`;
  const said = t(key as TextKey, values);
  return said === key ? text : said;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** So far ahead, in the largest unit that makes two or more. */
export function ahead(seconds: number, tag: string): string {
  const words = new Intl.RelativeTimeFormat(tag, { numeric: 'always' });
  for (const [unit, size] of UNITS) if (seconds >= 2 * size) return words.format(Math.floor(seconds / size), unit);
  return words.format(Math.max(seconds, 0), 'second');
}
