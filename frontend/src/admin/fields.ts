/** Settings as explained fields: what each is called, what it does, how it is written. */

import type { TextKey } from '../texts';

export interface Field {
  /** Its key in the settings; a dot leads into an object. */
  key: string;
  kind: 'switch' | 'number' | 'text' | 'list' | 'json';
  text: TextKey;
  help?: TextKey;
}

export type Values = Record<string, unknown>;

export function valueAt(values: Values, key: string): unknown {
  return key.split('.').reduce<unknown>((inner, part) => (typeof inner === 'object' && inner !== null ? (inner as Values)[part] : undefined), values);
}

/** A copy in which the value stands; objects on the way are made. */
export function withValue(values: Values, key: string, value: unknown): Values {
  const [first, ...rest] = key.split('.');
  if (rest.length === 0) return { ...values, [first!]: value };
  const inner = values[first!];
  return { ...values, [first!]: withValue(typeof inner === 'object' && inner !== null ? (inner as Values) : {}, rest.join('.'), value) };
}

/** One entry a line; empty lines are none. */
export function linesOf(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join('\n') : '';
}

export function listOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
