/** Formatted letters: between HTML and plain text. Only HTML that the editor has cleaned comes here. */

import { escapeHtml } from './frame';

/** What a formatted letter is made of; everything else is taken out of what is typed or pasted. */
export const KEPT_TAGS = ['a', 'b', 'blockquote', 'br', 'code', 'del', 'div', 'em', 'i', 'li', 'ol', 'p', 'pre', 's', 'strike', 'strong', 'u', 'ul'];
export const KEPT_ATTRIBUTES = ['href'];
/** Where links may lead. */
export const KEPT_LINKS = /^(?:https?|mailto|tel):/i;

/** A person's idea of a web address as a link, or null when it can be none. */
export function linkOf(typed: string): string | null {
  const text = typed.trim();
  if (text === '' || /\s/.test(text)) return null;
  if (/^[^\s@/:]+@[^\s@/]+\.[^\s@/]+$/.test(text)) return `mailto:${text}`;
  const whole = /^[a-z][a-z\d+.-]*:/i.test(text) && !/^[\w.-]+:\d+(?:\/|$)/.test(text) ? text : `https://${text}`;
  if (!KEPT_LINKS.test(whole)) return null;
  return URL.canParse(whole) ? whole : null;
}

/** Paragraphs of plain text as the editor writes them. */
export function htmlOfText(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .map((line) => `<div>${line === '' ? '<br>' : escapeHtml(line)}</div>`)
    .join('');
}

/** What is answered or forwarded, below a formatted letter: its text alone, nothing of its HTML. */
export function htmlOfQuote(quoted: string): string {
  return `<blockquote type="cite">${escapeHtml(quoted).replaceAll('\n', '<br>')}</blockquote>`;
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

function unescape(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,6}));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole;
    const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hex!, 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
  });
}

/** The words of a formatted letter: lists with marks, quotes with `> `, links with where they lead. */
export function textOfHtml(html: string): string {
  const lines: string[] = [];
  let line = '';
  let depth = 0;
  const lists: number[] = [];
  let href = '';
  let linked = '';

  const end = (always: boolean) => {
    if (line !== '' || always) lines.push('> '.repeat(depth) + line.trimEnd());
    line = '';
  };

  for (const [piece] of html.matchAll(/<[^>]*>|[^<]+/g)) {
    const tag = /^<(\/?)([a-z\d]+)([^>]*)>$/i.exec(piece);
    if (!tag) {
      const text = unescape(piece).replace(/[ \t\r\n]+/g, ' ');
      line += line === '' ? text.trimStart() : text;
      if (href) linked += text;
      continue;
    }
    const closing = tag[1] === '/';
    switch (tag[2]!.toLowerCase()) {
      case 'br':
        end(true);
        break;
      case 'div':
      case 'p':
      case 'pre':
        end(false);
        break;
      case 'blockquote':
        end(false);
        depth = Math.max(0, depth + (closing ? -1 : 1));
        break;
      case 'ul':
      case 'ol':
        end(false);
        if (closing) lists.pop();
        else lists.push(tag[2]!.toLowerCase() === 'ol' ? 1 : 0);
        break;
      case 'li': {
        end(false);
        if (closing) break;
        const number = lists.at(-1) ?? 0;
        line = `${'  '.repeat(Math.max(0, lists.length - 1))}${number > 0 ? `${number}.` : '-'} `;
        if (number > 0) lists[lists.length - 1] = number + 1;
        break;
      }
      case 'a':
        if (closing) {
          const bare = href.replace(/^mailto:/i, '');
          if (href && linked.trim() !== href && linked.trim() !== bare) line += ` <${bare}>`;
          href = linked = '';
        } else {
          href = unescape(/href=("|')(.*?)\1/i.exec(tag[3]!)?.[2] ?? '');
          linked = '';
        }
    }
  }
  end(false);
  return lines.join('\n');
}

/** The words of HTML that somebody typed: what a browser would not show is left out first. */
export function textOfSource(html: string): string {
  return textOfHtml(html.replace(/<!--[^]*?(?:-->|$)|<![^>]*>|<(head|style|script|title)\b[^]*?(?:<\/\1\s*>|$)/gi, ''));
}

const SPOKEN: Readonly<Record<string, string>> = { 38: '&amp;', 60: '&lt;', 62: '&gt;', 34: '"', 39: "'" };

/** What the editor wrote in one line, to be read and changed by a person: a line for each paragraph. */
export function sourceOfRich(html: string): string {
  return html
    .replace(/(<\/(?:div|p|ul|ol|li|blockquote|pre)>)(?=<)/gi, '$1\n')
    .replace(/&#(38|60|62|34|39);/g, (_, code: string) => SPOKEN[code]!);
}

/** The HTML half of a mail: the letter, then the quote. */
export function mailHtml(html: string, quoted: string): string {
  return quoted ? `${html}<div><br></div>${htmlOfQuote(quoted)}` : html;
}
