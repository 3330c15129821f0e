/** Settings as explained fields: what each is called, what it does, how it is written. */

import type { TextKey } from '../texts';

export interface Choice {
  value: unknown;
  text: TextKey;
}

export interface Field {
  /** Its key in the settings; a dot leads into an object. */
  key: string;
  kind: 'switch' | 'number' | 'text' | 'list' | 'choice' | 'several';
  text: TextKey;
  help?: TextKey;
  /** The key of a switch; the field is asked for only while that is on. */
  when?: string;
  /** What a number counts. */
  unit?: TextKey;
  least?: number;
  most?: number;
  choices?: readonly Choice[];
  /** What any number may be ticked of, as it is written. */
  options?: readonly string[];
  /** What is wrong with a value, before the service has to say it. */
  check?: (value: unknown) => TextKey | null;
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

/** Two values are the same setting when they are written the same; what was never set is nothing, off or empty. */
export function sameSetting(one: unknown, other: unknown): boolean {
  const plain = (value: unknown) => (value === undefined || value === null || value === false || value === '' || (Array.isArray(value) && value.length === 0) ? null : value);
  return JSON.stringify(plain(one)) === JSON.stringify(plain(other));
}

/** The first thing that is wrong with a field, or null. */
export function faultOfField(field: Field, value: unknown): TextKey | null {
  if (field.kind === 'number') {
    if (typeof value !== 'number') return value === undefined || value === null ? null : 'fault.number';
    if (!Number.isInteger(value)) return 'fault.number';
    if (value < (field.least ?? 0) || value > (field.most ?? Number.MAX_SAFE_INTEGER)) return 'fault.range';
  }
  return field.check?.(value) ?? null;
}

export function patternFault(value: unknown): TextKey | null {
  if (typeof value !== 'string' || value === '') return null;
  try {
    new RegExp(value);
    return null;
  } catch {
    return 'fault.pattern';
  }
}

/** An address as far as a typing error shows. */
export function addressFault(value: unknown): TextKey | null {
  return typeof value !== 'string' || value === '' || /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value) ? null : 'fault.address';
}

export function addressesFault(value: unknown): TextKey | null {
  return Array.isArray(value) && value.some((one) => addressFault(one) !== null) ? 'fault.addresses' : null;
}

export function domainsFault(value: unknown): TextKey | null {
  return Array.isArray(value) && value.some((one) => !/^[^\s@/:]+\.[^\s@/:]+$/.test(String(one))) ? 'fault.domains' : null;
}

/** What stands before every name must be able to begin an address. */
export function prefixFault(value: unknown): TextKey | null {
  return typeof value !== 'string' || (/^[^\s@<>()[\],;:\\"]{0,32}$/.test(value.trim()) && !/^\.|\.\./.test(value.trim())) ? null : 'fault.prefix';
}

export function urlFault(value: unknown): TextKey | null {
  return typeof value !== 'string' || value === '' || /^https?:\/\/[^\s/]+/i.test(value) ? null : 'webhook.fault.url';
}
