import { describe, expect, test } from 'vitest';
import { frameDocument, framePolicy, pieces } from '../src/lib/frame';
import { contentId, isPicture, picturesNamed, withPictures } from '../src/lib/pictures';

const nothing = new Map<string, string>();

describe('the frame (hazards 32, 33)', () => {
  test('fetches nothing before it is asked for', () => {
    const policy = framePolicy(false);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|script-src|\*/);
  });
  test('shows pictures of other hosts when asked for, and still runs nothing', () => {
    expect(framePolicy(true)).toContain('img-src data: https: http:');
    expect(framePolicy(true)).not.toContain('script-src');
  });
  test('has its policy before anything of the mail', () => {
    const html = frameDocument('<p>mail</p>', { title: '</title><script>x</script>', remote: false, pictures: nothing });
    expect(html.indexOf('Content-Security-Policy')).toBeLessThan(html.indexOf('<title>'));
    expect(html).not.toContain('<script>');
    expect(html.indexOf('<p>mail</p>')).toBeGreaterThan(html.indexOf('<body>'));
  });
});

describe('pictures inside the mail', () => {
  const html = '<img alt="x" src="cid:a%40b" width="5"><img src=\'cid:missing\'><a href="cid:a@b">x</a>';
  test('are found by name', () => expect(picturesNamed(html)).toEqual(new Set(['a@b', 'missing'])));
  test('are put where they are named; missing ones leave a hole', () => {
    expect(withPictures(html, new Map([['a@b', 'data:image/png;base64,AA']]))).toBe(
      '<img alt="x" src="data:image/png;base64,AA" width="5"><img><a href="data:image/png;base64,AA">x</a>',
    );
  });
  test('have one name in all spellings', () => {
    expect(contentId('<a@b>')).toBe('a@b');
    expect(contentId('a%40b')).toBe('a@b');
    expect(contentId('%zz')).toBe('%zz');
  });
  test('an SVG is a document, not a picture', () => {
    expect(isPicture('image/png')).toBe(true);
    expect(isPicture('image/svg+xml')).toBe(false);
  });
});

describe('pieces', () => {
  test.each([
    ['see https://x.example/a.', ['see ', 'https://x.example/a', '.']],
    ['(https://x.example/a_(b))', ['(', 'https://x.example/a_(b)', ')']],
    ['https://x.example', ['https://x.example']],
    ['javascript:alert(1)', ['javascript:alert(1)']],
    ['', []],
    ['点https://x.example/a。谢谢（https://y.example/?b=）', ['点', 'https://x.example/a', '。谢谢（', 'https://y.example/?b=', '）']],
  ])('%s', (text, parts) => expect(pieces(text).map((piece) => piece.text)).toEqual(parts));
  test('loses nothing of the text', () => {
    const text = 'a http://x.example, b "https://y.example/?q=1&r=2"!\n> c https://z.example)';
    expect(pieces(text).map((piece) => piece.text).join('')).toBe(text);
  });
  test('bounds the links of one mail', () => {
    const text = 'https://x.example/ '.repeat(5000);
    const cut = pieces(text);
    expect(cut.length).toBeLessThan(1010);
    expect(cut.map((piece) => piece.text).join('')).toBe(text);
  });
});
