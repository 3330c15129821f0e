import { describe, expect, test } from 'vitest';
import { body, emptyDraft, isBlank, randomId, type Draft } from '../src/lib/draft';
import { draftFault } from '../src/lib/sendable';
import { submission } from '../src/lib/submission';

const ann = { name: 'Ann', address: 'ann@x.example' };
const bob = { name: '', address: 'bob@x.example' };
const draft = (part: Partial<Draft>): Draft => ({ ...emptyDraft('me@inbox.example'), ...part });

describe('draftFault', () => {
  test.each<[Partial<Draft>, string | null]>([
    [{}, 'no-recipient'],
    [{ bcc: [ann], text: 'x' }, 'no-recipient'],
    [{ to: [ann] }, 'no-content'],
    [{ to: [ann], cc: [{ name: '', address: 'bob@x' }], text: 'x' }, 'bad-recipient'],
    [{ to: Array.from({ length: 101 }, (_, i) => ({ name: '', address: `a${i}@x.example` })), text: 'x' }, 'too-many'],
    [{ to: [ann], text: 'x', files: [{ id: '1', name: 'a', type: '', size: 40_000_000 }] }, 'too-big'],
    [{ to: [ann], text: 'x' }, null],
    [{ to: [ann], files: [{ id: '1', name: 'a', type: '', size: 1 }] }, null],
    [{ to: [ann], quoted: '> x' }, null],
    // A picture alone has no words.
    [{ to: [ann], source: true, html: '<img src="https://x.example/a.png">' }, null],
    [{ to: [ann], source: true, html: ' ' }, 'no-content'],
  ])('%o: %s', (part, fault) => expect(draftFault(draft(part))).toBe(fault));
});

test('a draft with nothing in it is blank', () => {
  expect(isBlank(draft({}))).toBe(true);
  expect(isBlank(draft({ text: '  ' }))).toBe(true);
  expect(isBlank(draft({ quoted: '> x' }))).toBe(false);
  expect(isBlank(draft({ source: true, html: '<hr>' }))).toBe(false);
});

test('the quote follows the text after an empty line', () => {
  expect(body(draft({ text: 'Yes.\n\n', quoted: '> Really?' }))).toBe('Yes.\n\n> Really?');
  expect(body(draft({ quoted: '> Really?' }))).toBe('> Really?');
});

describe('submission', () => {
  const files = [{ id: 'f1', name: 'a.txt', type: 'text/plain', size: 5 }];
  const sent = submission(draft({ to: [ann], cc: [bob], subject: ' Hi ', text: 'x', files, inReplyTo: '<m@x>', references: '<m@x>' }), new Map([['f1', 'aGVsbG8=']]));
  test('names addresses, and the one recipient', () => {
    expect(sent).toMatchObject({ to_mail: ['ann@x.example'], to_name: 'Ann', cc: ['bob@x.example'], bcc: [] });
  });
  test('carries files and thread', () => {
    expect(sent.attachments).toEqual([{ filename: 'a.txt', content: 'aGVsbG8=', type: 'text/plain', disposition: 'attachment' }]);
    expect(sent).toMatchObject({ in_reply_to: '<m@x>', references: '<m@x>', subject: 'Hi', is_html: false });
  });
  test('a mail without text has a body all the same', () => {
    expect(submission(draft({ to: [ann], files }), new Map()).content).toBe('\n');
  });
  test('a new mail claims no thread', () => {
    expect(submission(draft({ to: [ann], text: 'x' }), new Map())).not.toHaveProperty('in_reply_to');
  });
});

test('ids are 128 random bits', () => {
  const ids = new Set(Array.from({ length: 100 }, randomId));
  expect(ids.size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
});
