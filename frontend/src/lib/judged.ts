/** What the service makes of a mail: how much speaks against its sender, and how sure its codes and links are. */

import type { TextKey } from '../texts';
import type { LinkFound, Verdicts } from './wire';
import type { Tone } from './verdicts';

export interface Sign {
  name: string;
  points: number;
}

export interface Authentication {
  verdicts: Verdicts | null;
  score: number | null;
  signs: Sign[];
}

export interface Extracted {
  codes: { code: string; confidence: number; rule: string }[];
  links: (LinkFound & { confidence: number; rule: string })[];
}

/** A failed DMARC alone makes four. */
const MUCH = 4;

export function toneOfScore(score: number): Tone {
  if (score < 0) return 'good';
  if (score === 0) return 'idle';
  return score < MUCH ? 'wait' : 'bad';
}

/** `+4`, `−2`, `0`; the minus is one. */
export function signed(points: number): string {
  return points > 0 ? `+${points}` : points < 0 ? `−${-points}` : '0';
}

const LOOKS: ReadonlySet<string> = new Set(['name-shows-other-address', 'mixed-scripts', 'looks-like-ours']);

/** A sign in words; `dmarc=fail` stays what it is called: `DMARC fail`. */
export function signInWords(sign: Sign): { text: TextKey | null; plain: string } {
  if (LOOKS.has(sign.name)) return { text: `score.${sign.name}` as TextKey, plain: '' };
  const [method = '', result = ''] = sign.name.split('=');
  return { text: null, plain: result ? `${method.toUpperCase()} ${result}` : sign.name };
}

const RULES: ReadonlySet<string> = new Set(['named', 'near', 'alone', 'subject', 'label', 'address', 'both', 'model']);

export function ruleInWords(rule: string): TextKey | null {
  return RULES.has(rule) ? (`found.rule.${rule}` as TextKey) : null;
}

export function percent(confidence: number, language: string): string {
  return new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 0 }).format(confidence);
}
