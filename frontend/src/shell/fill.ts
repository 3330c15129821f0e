/**
 * Fills the frame of a mailbox with the first answers while the script of the page is still on its way. The rows and the
 * head of a mail are drawn by their own components when the page is built; what mails say comes into them as text alone.
 */

import { groups, linkLabel, safeLink } from '../lib/codes';
import { hueOf, initials } from '../lib/faces';
import { clock, instant, shortTime, showUtc } from '../lib/time';
import type { BriefRow, InboxPage, Mail } from '../lib/wire';
import { keep } from './keep';

/** What the build draws in one language (`frames.ts`); it stands in the place of `__DRAWN__`. */
export interface Drawn {
  row: string;
  head: string;
  noSubject: string;
  noSender: string;
  openLink: string;
  today: string;
}

export interface Looks {
  language: string;
  utc: boolean;
  /** The mail that the reader shows. */
  open: number | null;
  /** Files of styles without which nothing is to be seen. */
  styles: readonly string[];
}

declare const __DRAWN__: Drawn;
const drawn = __DRAWN__;

/** More rows are higher than any screen. */
const MOST_ROWS = 30;

/** Where a browser does not tell what it has painted. */
const PAINTED_MS = 100;

/** Puts the answers into the frame as they come. Resolves when what came last has been seen. */
export async function fill(list: Promise<Response>, mail: Promise<Response> | null, looks: Looks): Promise<void> {
  const page = document.querySelector<HTMLElement>('#page > .app');
  if (!page) return;
  globalThis.keeping = keep;
  const styled = Promise.all(looks.styles.map(style));
  const put = async <Told>(answer: Promise<Response> | null, how: (page: HTMLElement, told: Told, looks: Looks) => void) => {
    const told = await answer;
    await styled;
    if (told?.ok && page.isConnected) how(page, (await told.json()) as Told, looks);
  };
  await Promise.allSettled([put(list, fillList), put(mail, fillMail)]);
  await seen();
}

/** Resolves when what is in the page now has been painted. */
function seen(): Promise<void> {
  const from = performance.now();
  return new Promise((resolve) => {
    setTimeout(resolve, PAINTED_MS);
    if (PerformanceObserver.supportedEntryTypes.includes('largest-contentful-paint')) {
      new PerformanceObserver((told) => told.getEntries().some(({ startTime }) => startTime >= from) && resolve()).observe({ type: 'largest-contentful-paint' });
    } else requestAnimationFrame(() => setTimeout(resolve));
  });
}

/** What is filled in is not to be seen without its styles. */
function style(path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.crossOrigin = '';
    link.href = path;
    link.onload = resolve;
    link.onerror = reject;
    document.head.append(link);
  });
}

function fillList(page: HTMLElement, told: InboxPage<BriefRow>, looks: Looks): void {
  const skeleton = page.querySelector('.list-scroll > .skeleton');
  if (!skeleton || told.results.length === 0) return;
  showUtc(looks.utc);
  const rows = document.createElement('ul');
  rows.className = 'rows';
  rows.setAttribute('role', 'list');
  const stop = told.results.find((row) => row.id === looks.open) ?? told.results[0];
  for (const row of told.results.slice(0, MOST_ROWS)) rows.append(rowOf(row, looks, row === stop));
  skeleton.replaceWith(rows);
  page.querySelector('#list-title')?.after(numbered('quiet small num', told.count));
  if (told.unread > 0) page.querySelectorAll('.list-head .seg > button')[1]?.append(' ', numbered('num', told.unread));
}

function fillMail(page: HTMLElement, mail: Mail, looks: Looks): void {
  const room = page.querySelector('.reader-scroll');
  if (!room || room.firstElementChild) return;
  showUtc(looks.utc);
  const date = instant(mail.created_at);
  const sender = mail.from_name || mail.from_address || mail.source || drawn.noSender;
  const head = copyOf(drawn.head, {
    subject: mail.subject || drawn.noSubject,
    sender,
    address: mail.from_address,
    to: mail.to || mail.address,
    code: mail.code ?? '',
    host: mail.link?.host ?? '',
  });
  faced(head, mail.from_name, mail.from_address || mail.source);
  const short = shortTime(date, new Date(), looks.language);
  timed(head.querySelector('time'), date, /^\d\d:\d\d$/.test(short) ? drawn.today.replace('[time]', () => clock(date)) : short);
  if (!mail.from_name) head.querySelector('.name + .quiet')?.remove();
  acted(head, mail.code, mail.link);
  if (!mail.code && !mail.link) head.querySelector('.line.wrap')?.remove();
  room.append(head);
}

function rowOf(row: BriefRow, looks: Looks, stop: boolean): HTMLElement {
  const date = instant(row.created_at);
  const item = copyOf(drawn.row, {
    subject: row.subject || drawn.noSubject,
    sender: row.from_name || row.from_address || drawn.noSender,
    address: row.from_address ?? '',
    preview: row.preview ?? '',
    code: row.code ?? '',
    host: row.link?.host ?? '',
  });
  const without = (part: string, there: unknown) => there || item.querySelector(part)?.remove();
  item.dataset['id'] = String(row.id);
  item.classList.toggle('unread', !row.seen);
  faced(item, row.from_name ?? '', row.from_address ?? '');
  timed(item.querySelector('time'), date, shortTime(date, new Date(), looks.language));
  item.querySelector('.star')?.setAttribute('aria-pressed', String(row.flagged ?? false));
  const link = item.querySelector('.row-open');
  link?.setAttribute('href', `#/mail/${row.id}`);
  if (row.id === looks.open) link?.setAttribute('aria-current', 'true');
  without('.row-open > .sr', !row.seen);
  without('.answered', row.answered);
  without('.row-mark', row.attachment_count);
  without('.row-preview', row.preview);
  acted(item, row.code ?? null, row.code ? null : (row.link ?? null));
  if (stop) for (const one of item.querySelectorAll('[tabindex]')) one.setAttribute('tabindex', '0');
  return item;
}

/** What was drawn is read once: twenty rows are twenty copies. */
const parsed = new Map<string, DocumentFragment>();

/** A copy of what was drawn, with its marks replaced: in texts and attributes, after both have been read as HTML. */
function copyOf(markup: string, values: Readonly<Record<string, string>>): HTMLElement {
  let read = parsed.get(markup);
  if (!read) {
    const room = document.createElement('template');
    room.innerHTML = markup;
    parsed.set(markup, (read = room.content));
  }
  const copy = read.cloneNode(true) as DocumentFragment;
  const said = (text: string) => text.replace(/\[(\w+)\]/g, (mark, name: string) => values[name] ?? mark);
  const nodes = document.createTreeWalker(copy, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    if (node instanceof Text) node.data = said(node.data);
    else for (const one of (node as Element).attributes) if (one.value.includes('[')) one.value = said(one.value);
  }
  return copy.firstElementChild as HTMLElement;
}

function faced(part: HTMLElement, name: string, address: string): void {
  const face = part.querySelector<HTMLElement>('.avatar');
  if (!face) return;
  face.dataset['hue'] = String(hueOf(address || name));
  face.textContent = initials(name, address);
}

function timed(place: Element | null, date: Date, text: string): void {
  if (!place) return;
  if (place.hasAttribute('datetime') && !Number.isNaN(date.getTime())) place.setAttribute('datetime', date.toISOString());
  place.textContent = text;
}

/** The code and the link of a mail, where it has them. */
function acted(part: HTMLElement, code: string | null, link: { url: string; text: string } | null): void {
  const chip = part.querySelector('.code');
  const group = chip?.querySelector('.group');
  if (!code) chip?.remove();
  else
    group?.replaceWith(
      ...groups(code).map((text) => {
        const one = group.cloneNode() as Element;
        one.textContent = text;
        return one;
      }),
    );
  const act = part.querySelector<HTMLAnchorElement>('.act');
  const href = link && safeLink(link.url);
  if (!act || !link || !href) return act?.remove();
  act.href = href;
  const label = act.firstChild;
  if (label instanceof Text) label.data = linkLabel(link.text, drawn.openLink);
}

function numbered(look: string, number: number): HTMLElement {
  const part = document.createElement('span');
  part.className = look;
  part.textContent = String(number);
  return part;
}
