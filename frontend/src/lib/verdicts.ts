/** Verdicts on where a mail comes from, as a person reads them. */

import type { IconName } from '../parts/icons';
import type { TextKey } from '../texts';
import type { Verdicts } from './wire';

export type Tone = 'good' | 'wait' | 'bad' | 'idle';

export interface VerdictLine {
  method: 'SPF' | 'DKIM' | 'DMARC' | 'ARC';
  /** The word of the protocol. */
  word: string;
  tone: Tone;
  icon: IconName;
  text: TextKey;
}

/** Results that mean the same to a reader. */
const SAME: Readonly<Record<string, string>> = { neutral: 'none' };

const KNOWN: ReadonlySet<string> = new Set([
  'spf.pass', 'spf.fail', 'spf.softfail', 'spf.none',
  'dkim.pass', 'dkim.fail', 'dkim.policy', 'dkim.none',
  'dmarc.pass', 'dmarc.fail', 'dmarc.none',
  'arc.pass', 'arc.fail',
]);

function toneOf(word: string): Tone {
  if (word === 'pass') return 'good';
  if (word === 'fail') return 'bad';
  return word === 'none' || word === 'neutral' ? 'idle' : 'wait';
}

const ICONS: Readonly<Record<Tone, IconName>> = { good: 'check', bad: 'x', wait: 'alert', idle: 'more' };

function lineOf(method: VerdictLine['method'], word: string): VerdictLine {
  const plain = SAME[word] ?? word;
  const own = `${method.toLowerCase()}.${plain}`;
  const text = KNOWN.has(own) ? own : word === 'permerror' ? 'permerror' : 'temperror';
  const tone = toneOf(word);
  return { method, word, tone, icon: ICONS[tone], text: `verdict.${text}` as TextKey };
}

/** A line for each way to prove; ARC only where there was something to judge. */
export function verdictLines(verdicts: Verdicts): VerdictLine[] {
  const lines = [lineOf('SPF', verdicts.spf), lineOf('DKIM', verdicts.dkim), lineOf('DMARC', verdicts.dmarc)];
  if (KNOWN.has(`arc.${verdicts.arc}`)) lines.push(lineOf('ARC', verdicts.arc));
  return lines;
}

/** What it comes to: DMARC alone speaks of the sender that is shown. */
export function verdictInShort(verdicts: Verdicts | null | undefined): { tone: Tone; text: TextKey } {
  if (!verdicts) return { tone: 'idle', text: 'verdict.unknown' };
  if (verdicts.dmarc === 'pass') return { tone: 'good', text: 'verdict.proved' };
  if (verdicts.dmarc === 'fail') return { tone: 'bad', text: 'verdict.forged' };
  return { tone: 'idle', text: 'verdict.open' };
}
