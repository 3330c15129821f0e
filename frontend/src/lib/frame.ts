/**
 * The document inside the reader's frame.
 *
 * Three walls stand one behind the other: the service has sanitised the HTML, the frame is sandboxed
 * (no scripts, no origin, no forms), and the policy below lets nothing be fetched that was not asked for.
 */

import { withPictures } from './pictures';

/** Pictures come from the network only after "Show images"; styles only from the mail itself. */
export function framePolicy(remote: boolean): string {
  const images = remote ? 'data: https: http:' : 'data:';
  return `default-src 'none'; img-src ${images}; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'`;
}

/**
 * Mail is written for white paper. Wide parts stay inside it, but a table of figures is scrolled rather than set letter
 * below letter. A picture that was held back leaves a hole of
 * its own size; pixels that only count readers leave none.
 */
const PAPER = `
html{color-scheme:light;background:#fff}
body{margin:0;padding:16px;background:#fff;color:#16232a;font:15px/1.55 system-ui,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif;overflow-wrap:anywhere}
img{max-width:100%}
img[src]{height:auto}
img:not([src]){display:inline-block;box-sizing:border-box;min-width:24px;min-height:24px;background:#eef2f2;border:1px dashed #b9c4c5;border-radius:4px;color:#566367;font-size:13px}
img:not([src]):is([width="1"],[height="1"],[alt=""]:not([width])){display:none}
table{max-width:100%}
tr:has(>:nth-child(4))>*{overflow-wrap:break-word}
pre{white-space:pre-wrap}
a{color:#005e6d}
@media(max-width:640px){body{padding:12px}table[width],td[width],th[width]{width:auto!important}table{min-width:0!important}img{max-width:min(100%,calc(100vw - 24px))}img:not([src]){max-width:calc(100vw - 96px)}}
`;

export function frameDocument(html: string, options: { title: string; remote: boolean; pictures: ReadonlyMap<string, string> }): string {
  const policy = framePolicy(options.remote);
  return (
    `<!doctype html><html><head><meta charset="utf-8">` +
    `<meta http-equiv="Content-Security-Policy" content="${policy}">` +
    `<meta name="viewport" content="width=device-width,initial-scale=1">` +
    `<base target="_blank"><title>${escapeHtml(options.title)}</title><style>${PAPER}</style></head>` +
    `<body>${withPictures(html, options.pictures)}</body></html>`
  );
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

export interface TextPiece {
  text: string;
  /** Where a press leads, when the piece is a web address. */
  href: string | null;
}

/** Chinese and Japanese put no space behind an address, but may put a mark of their own there. */
const WEB = /\bhttps?:\/\/[^\s<>"'`“”「」『』《》【】（），。、；：！？\u0000-\u001f]+/gi;

/** More pieces than this make no mail more readable, only the page slower. */
const MOST_LINKS = 500;

/** Cuts plain text at its web addresses; trailing punctuation stays with the sentence. */
export function pieces(text: string): TextPiece[] {
  const found: TextPiece[] = [];
  let from = 0;
  for (const match of text.matchAll(WEB)) {
    if (found.length >= MOST_LINKS * 2) break;
    const url = match[0].replace(/[.,;:!?*_~)\]}>]+$/, (tail) => keepClosing(match[0], tail));
    if (match.index > from) found.push({ text: text.slice(from, match.index), href: null });
    found.push({ text: url, href: url });
    from = match.index + url.length;
  }
  if (from < text.length) found.push({ text: text.slice(from), href: null });
  return found;
}

/** A closing bracket belongs to the address when the address opened it. */
function keepClosing(url: string, tail: string): string {
  return tail.startsWith(')') && url.includes('(') ? ')' : '';
}
