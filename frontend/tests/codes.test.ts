import { describe, expect, test } from 'vitest';
import { groups, linkLabel, safeLink } from '../src/lib/codes';

test.each([
  ['482913', ['482', '913']],
  ['12345678', ['1234', '5678']],
  ['4829', ['4829']],
  ['G-7F2K-91', ['G-7F2K-91']],
  ['48291a', ['48291a']],
])('%s is read as %j', (code, parts) => expect(groups(code)).toEqual(parts));

describe('linkLabel', () => {
  test.each([
    ['Confirm', 'Confirm'],
    ['  Reset\n password ', 'Reset password'],
    ['Confirm your e-mail address now', 'Confirm'],
    ['https://x.example/confirm', 'Open link'],
    ['', 'Open link'],
    ['Welcome. One last step:', 'Open link'],
    ['Somebody asked for a new password and you may ignore it', 'Open link'],
    ['Go to the page that confirms', 'Open link'],
  ])('%s', (text, label) => expect(linkLabel(text, 'Open link')).toBe(label));
});

test.each(['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'not a link', '//x.example', 'vbscript:x'])('%s leads nowhere (hazard 32)', (url) =>
  expect(safeLink(url)).toBeNull(),
);
test('a web address stays', () => expect(safeLink('https://x.example/a?b=c')).toBe('https://x.example/a?b=c'));
