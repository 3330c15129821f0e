import { describe, expect, it } from 'vitest';
import { emptyDraft } from '../src/lib/draft';
import { submission } from '../src/lib/submission';
import { htmlOfQuote, htmlOfText, linkOf, mailHtml, sourceOfRich, textOfHtml, textOfSource } from '../src/lib/rich';

describe('the words of a formatted letter', () => {
  it.each([
    ['<div>One</div><div><br></div><div>Two</div>', 'One\n\nTwo'],
    ['<div>a &lt;b&gt; &amp; c&nbsp;d</div>', 'a <b> & c d'],
    ['<ul><li>one</li><li>two<ol><li>deep</li><li>deeper</li></ol></li></ul>', '- one\n- two\n  1. deep\n  2. deeper'],
    ['<blockquote><div>said</div><blockquote>before</blockquote></blockquote><div>new</div>', '> said\n> > before\nnew'],
    ['<div><a href="https://x.example/?a=1&amp;b=2">here</a>.</div>', 'here <https://x.example/?a=1&b=2>.'],
    ['<div><a href="https://x.example">https://x.example</a></div>', 'https://x.example'],
    ['<div><a href="mailto:ann@x.example">ann@x.example</a></div>', 'ann@x.example'],
    ['<div><b>bold</b> and <i>slanted</i></div>', 'bold and slanted'],
    ['', ''],
  ])('%s', (html, text) => expect(textOfHtml(html)).toBe(text));

  it('come back the same when nothing was formatted', () => {
    const text = 'Dear Ann,\n\n1 < 2 & "so on"\n\nBob';
    expect(textOfHtml(htmlOfText(text))).toBe(text);
  });
});

it('what is quoted is text, whatever it says', () => {
  const html = mailHtml('<div>Yes</div>', '> <img src=x onerror=alert(1)>\n> </blockquote><script>');
  expect(html).not.toContain('<img');
  expect(html).not.toContain('<script');
  expect(html.match(/<\/blockquote>/g)).toHaveLength(1);
  expect(htmlOfQuote('a\nb')).toContain('a<br>b');
});

describe('links', () => {
  it.each([
    ['x.example/a', 'https://x.example/a'],
    [' http://x.example ', 'http://x.example'],
    ['ann@x.example', 'mailto:ann@x.example'],
    ['localhost:8080/x', 'https://localhost:8080/x'],
    ['javascript:alert(1)', null],
    ['data:text/html,x', null],
    ['two words', null],
    ['', null],
  ])('%s', (typed, link) => expect(linkOf(typed)).toBe(link));
});

it('a formatted letter goes out as HTML with its words beside it', () => {
  const draft = { ...emptyDraft('a@x.example'), fromName: 'Ann', html: '<div><b>Hi</b></div>', text: 'Hi', quoted: '> before' };
  const sent = submission({ ...draft, to: [{ name: '', address: 'b@x.example' }] }, new Map());
  expect(sent).toMatchObject({ is_html: true, text: 'Hi\n\n> before', from_name: 'Ann' });
  expect(sent.content).toContain('<b>Hi</b>');
  expect(sent.content).toContain('&#62; before');
});

describe('typed HTML', () => {
  it('has the words that a browser would show', () => {
    const html = '<!doctype html><head><title>x</title></head><style>p{color:red}</style><!-- a --><p>Dear Ann,<br>the <b>offer</b></p><script>alert(1)</script>';
    expect(textOfSource(html)).toBe('Dear Ann,\nthe offer');
    expect(textOfSource('<p>kept</p><style>never closed')).toBe('kept');
  });
  it('of a formatted letter has a line for each paragraph and the signs that people write', () => {
    const source = sourceOfRich(htmlOfText('a < b\n"c" & d'));
    expect(source).toBe('<div>a &lt; b</div>\n<div>"c" &amp; d</div>');
    expect(textOfHtml(source)).toBe('a < b\n"c" & d');
  });
});
