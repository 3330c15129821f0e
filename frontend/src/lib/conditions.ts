/** Of which mail a webhook tells. All conditions must hold; what is absent or empty does not matter. */

import type { TextKey } from '../texts';

export const METHODS = ['dmarc', 'spf', 'dkim', 'arc'] as const;
export type Method = (typeof METHODS)[number];

export interface Conditions {
  senders: string[];
  recipients: string[];
  subject: string;
  has_code: boolean | null;
  has_attachment: boolean | null;
  /** The words that will do; none: any. */
  verdicts: Record<Method, string[]>;
}

const MOST_LINES = 50;
const LONGEST_LINE = 254;
const LONGEST_PATTERN = 200;
const MOST_WORDS = 10;
const LONGEST_WORD = 20;

export const noConditions = (): Conditions => ({ senders: [], recipients: [], subject: '', has_code: null, has_attachment: null, verdicts: { dmarc: [], spf: [], dkim: [], arc: [] } });

type Given = Record<string, unknown>;
const isObject = (value: unknown): value is Given => typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((one) => typeof one === 'string');

/** The conditions of stored settings; null when they cannot be read, so that no mail meets them. */
export function readConditions(stored: unknown): Conditions | null {
  const found = noConditions();
  if (!stored) return found;
  if (!isObject(stored)) return null;
  for (const [key, value] of Object.entries(stored)) {
    if (key === 'senders' || key === 'recipients') {
      if (!isTexts(value) || value.includes('') || linesFault(value)) return null;
      found[key] = value;
    } else if (key === 'subject') {
      if (typeof value !== 'string' || subjectFault(value)) return null;
      found.subject = value;
    } else if (key === 'has_code' || key === 'has_attachment') {
      if (value !== null && typeof value !== 'boolean') return null;
      found[key] = value;
    } else if (key === 'verdicts') {
      if (!isObject(value)) return null;
      for (const [method, words] of Object.entries(value)) {
        if (!METHODS.includes(method as Method) || !isTexts(words) || words.length > MOST_WORDS || words.some((word) => word.length > LONGEST_WORD)) return null;
        found.verdicts[method as Method] = words;
      }
    } else return null;
  }
  return found;
}

/** As they are stored: what does not matter is left out; undefined when nothing does. */
export function conditionsToStore(shown: Conditions): object | undefined {
  const verdicts = Object.fromEntries(METHODS.filter((method) => shown.verdicts[method].length > 0).map((method) => [method, shown.verdicts[method]]));
  const kept = {
    ...(shown.senders.length > 0 && { senders: shown.senders }),
    ...(shown.recipients.length > 0 && { recipients: shown.recipients }),
    ...(shown.subject !== '' && { subject: shown.subject }),
    ...(shown.has_code !== null && { has_code: shown.has_code }),
    ...(shown.has_attachment !== null && { has_attachment: shown.has_attachment }),
    ...(Object.keys(verdicts).length > 0 && { verdicts }),
  };
  return Object.keys(kept).length > 0 ? kept : undefined;
}

export function countOf(shown: Conditions): number {
  const { verdicts, ...others } = (conditionsToStore(shown) ?? {}) as { verdicts?: object };
  return Object.keys(others).length + Object.keys(verdicts ?? {}).length;
}

export function linesFault(lines: readonly string[]): TextKey | null {
  if (lines.length > MOST_LINES) return 'cond.fault.many';
  return lines.some((line) => line.length > LONGEST_LINE) ? 'cond.fault.long' : null;
}

export function subjectFault(pattern: string): TextKey | null {
  if (pattern.length > LONGEST_PATTERN) return 'cond.fault.pattern-long';
  try {
    new RegExp(pattern, 'i');
    return null;
  } catch {
    return 'cond.fault.pattern';
  }
}

export const conditionsFault = (shown: Conditions): TextKey | null => linesFault(shown.senders) ?? linesFault(shown.recipients) ?? subjectFault(shown.subject);

/** Everything that may be found out, as docs/verdicts.md names it. */
const WORDS: Readonly<Record<Method, readonly string[]>> = {
  dmarc: ['pass', 'fail', 'none', 'temperror', 'permerror'],
  spf: ['pass', 'fail', 'softfail', 'neutral', 'none', 'temperror', 'permerror'],
  dkim: ['pass', 'fail', 'policy', 'neutral', 'none', 'temperror', 'permerror'],
  arc: ['pass', 'fail', 'none', 'temperror'],
};

export type Wish = 'any' | 'passed' | 'kept' | 'failed';
export const WISHES: readonly Wish[] = ['any', 'passed', 'kept', 'failed'];

const isFailure = (word: string) => word === 'fail' || word === 'softfail';

export function wordsOf(method: Method, wish: Wish): string[] {
  if (wish === 'any') return [];
  if (wish === 'passed') return ['pass'];
  return WORDS[method].filter((word) => isFailure(word) === (wish === 'failed'));
}

/** The wish that words stand for; null when somebody chose them one by one. */
export function wishOf(method: Method, words: readonly string[]): Wish | null {
  const same = (other: readonly string[]) => other.length === words.length && other.every((word) => words.includes(word));
  return WISHES.find((wish) => same(wordsOf(method, wish))) ?? null;
}

export interface Tested {
  conditions?: { met: boolean; unmet: string[] };
}

const NAMES: Readonly<Record<string, TextKey>> = { senders: 'cond.senders', recipients: 'cond.recipients', subject: 'cond.subject', has_code: 'cond.code', has_attachment: 'cond.attachment' };

/** What a condition that is not met is called on the form; `verdicts.spf` is SPF, anything else is told as it is. */
export function nameOfCondition(name: string): { text: TextKey | null; plain: string } {
  const text = NAMES[name] ?? null;
  return { text, plain: name.startsWith('verdicts.') ? name.slice(9).toUpperCase() : name };
}
