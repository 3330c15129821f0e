import { describe, expect, it } from 'vitest';
import { verdictInShort, verdictLines } from '../src/lib/verdicts';
import { mail } from '../src/texts/en/mail';

const RESULTS = ['pass', 'fail', 'softfail', 'policy', 'neutral', 'none', 'temperror', 'permerror', 'a word of tomorrow'];

describe('where a mail comes from', () => {
  it.each(RESULTS)('has words for %s, whatever said it', (word) => {
    for (const line of verdictLines({ spf: word, dkim: word, dmarc: word, arc: word })) expect(Object.keys(mail)).toContain(line.text);
  });

  it('is told for each way to prove it; ARC only where there was something to judge', () => {
    const told = verdictLines({ spf: 'pass', dkim: 'policy', dmarc: 'permerror', arc: 'none' });
    expect(told.map((line) => [line.method, line.tone, line.text])).toEqual([
      ['SPF', 'good', 'verdict.spf.pass'],
      ['DKIM', 'wait', 'verdict.dkim.policy'],
      ['DMARC', 'wait', 'verdict.permerror'],
    ]);
    expect(verdictLines({ spf: 'pass', dkim: 'pass', dmarc: 'pass', arc: 'fail' }).at(-1)).toMatchObject({ method: 'ARC', tone: 'bad' });
  });

  it.each([
    [null, 'verdict.unknown'],
    [{ spf: 'pass', dkim: 'pass', dmarc: 'pass', arc: 'none' }, 'verdict.proved'],
    // A host may send for one domain, and write another into From.
    [{ spf: 'pass', dkim: 'pass', dmarc: 'fail', arc: 'none' }, 'verdict.forged'],
    [{ spf: 'pass', dkim: 'pass', dmarc: 'none', arc: 'none' }, 'verdict.open'],
    [{ spf: 'fail', dkim: 'none', dmarc: 'temperror', arc: 'none' }, 'verdict.open'],
  ])('%j in short: %s', (verdicts, text) => expect(verdictInShort(verdicts).text).toBe(text));
});
