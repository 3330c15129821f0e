/**
 * Runs inside the document, before anything is painted and while the script of the page is still on its way: the theme,
 * the frame of what will be shown, and the first requests.
 *
 * The frames come from the components themselves, drawn when the page was built (`frames.ts`). What they cannot know is
 * left out: then an empty page waits for the script, as it would without them.
 */

import { addressInToken, currentOf, isAddressBook, NO_ADDRESSES } from '../lib/addresses';
import { nameOf } from '../lib/begun';
import { splitAddress } from '../lib/faces';
import { isText, recall } from '../lib/memory';
import { readPath } from '../lib/paths';
import { fingerprint, headersFor, PLAIN } from '../lib/requests';
import { readInvitation, readRoute } from '../lib/route';
import type { OpenSettings } from '../account/account.svelte';
import type { ServiceSettings } from '../lib/wire';
import { found } from '../texts/languages';
import { painted } from './painted';
import { ADDRESS_DOMAIN, ADDRESS_LOCAL, type FrameName } from './marks';

const root = document.documentElement;
const own = readPath(location.pathname);
const theme = recall('mailbox.theme', '', isText);
if (theme) root.dataset['theme'] = theme;

const language = found([...(own.language ? [own.language] : []), recall('mailbox.language', '', isText), ...navigator.languages]);
const settings = carried<ServiceSettings>('settings');
const accounts = carried<OpenSettings>('accounts');

// A form of the frame is not to be sent before the page is there to take it.
addEventListener('submit', (event) => event.preventDefault());

let whole = false;
if (settings.domains && !settings.needAuth) begin();
void (whole ? painted() : Promise.resolve()).then(() => {
  load(document.querySelector<HTMLElement>('script[data-load]')?.dataset['load']);
  load(document.querySelector<HTMLMetaElement>('meta[name="load"]')?.content);
});

function begin(): void {
  const asksHuman = Boolean(settings.enableAltcha || settings.cfTurnstileSiteKey);
  const mayCreate = Boolean(settings.enableUserCreateEmail) && !settings.disableAnonymousUserCreateEmail;
  const hold: Record<string, boolean> = {
    send: Boolean(settings.enableSendMail),
    delete: Boolean(settings.enableUserDeleteEmail),
    password: Boolean(settings.enableAddressPassword),
    domains: (settings.defaultDomains?.length || settings.domains?.length || 0) > 1,
    register: accounts.enable === true,
    forgot: accounts.enableMailVerify === true,
    passkey: typeof PublicKeyCredential !== 'undefined' && isSecureContext,
  };
  switch (own.page) {
    case 'mailbox': {
      const { jwt, mail } = readInvitation(location.search);
      const book = recall('mailbox.addresses', NO_ADDRESSES, isAddressBook);
      const current = currentOf(book);
      const address = (jwt && addressInToken(jwt)) || (jwt ? '' : current?.address) || '';
      const token = jwt ?? current?.jwt ?? '';
      const prefs = recall('mailbox.preferences', {}, (value): value is { simple?: boolean; page?: number; whole?: boolean; dense?: boolean; lines?: number } => typeof value === 'object' && value !== null);
      const route = mail === null ? readRoute(location.hash) : ({ view: 'mail', id: mail } as const);
      if (address && token) {
        ask('GET', `/api/inbox/brief?limit=${prefs.page ?? 50}`, token);
        if (jwt) ask('GET', '/api/settings', token);
        if (route.view === 'mail') ask('GET', `/api/inbox/${route.id}`, token);
        if (prefs.simple || prefs.whole || prefs.dense || (prefs.lines ?? 1) !== 1) break;
        if (route.view === 'inbox') show('inbox', hold, address);
        else if (route.view === 'mail') show('mail', hold, address);
      } else if (!jwt && mayCreate && route.view === 'inbox') {
        if (!asksHuman) ask('POST', '/api/new_address', '', '{}');
        show('first', hold);
      }
      break;
    }
    case 'account':
      if (!recall('mailbox.account', '', isText) && !accounts.oauth2ClientIDs?.length) show('account', hold);
      break;
    case 'admin':
      if (!recall('mailbox.account', '', isText) && !recall('mailbox.admin-password', '', isText) && !sessionStorage['mailbox.admin-password'] && !settings.disableAdminPasswordCheck) show('admin', hold);
  }
}

function carried<Told extends object>(id: string): Partial<Told> {
  return JSON.parse(document.getElementById(id)?.textContent || '{}') as Partial<Told>;
}

/** Begins a request that the page will make. */
function ask(method: string, path: string, token: string, body: string | null = null): void {
  const headers = headersFor({ token }, language, fingerprint());
  const answer = fetch(path, { ...PLAIN, method, headers, body });
  // Whoever takes it hears of its failure.
  answer.catch(() => undefined);
  (globalThis.begun ??= new Map()).set(nameOf(method, path, headers, body), answer);
}

/** Puts a frame in its place, without what does not hold here. */
function show(name: FrameName, hold: Readonly<Record<string, boolean>>, address = ''): void {
  const frame = document.querySelector<HTMLTemplateElement>(`template[data-frame="${name}"]`);
  const page = document.getElementById('page');
  if (!frame || !page || language !== root.lang) return;
  const { local, domain } = splitAddress(address);
  page.innerHTML = frame.innerHTML.replaceAll(ADDRESS_LOCAL, plain(local)).replaceAll(ADDRESS_DOMAIN, plain(domain));
  for (const part of page.querySelectorAll<HTMLElement>('[data-when]')) if (!hold[part.dataset['when'] ?? '']) part.remove();
  const domains = page.querySelector<HTMLSelectElement>('select[data-when]');
  if (domains) domains.length = 1;
  for (const one of settings.defaultDomains?.length ? settings.defaultDomains : (settings.domains ?? [])) domains?.add(new Option(`@${one}`));
  load(frame.dataset['load']);
  // Where the frame is all that there is to read, it is painted before the processor is busy with scripts.
  whole = name !== 'inbox' && name !== 'mail';
}

/** Sends for files: scripts of the page, or their styles. */
function load(files = ''): void {
  for (const path of files.split(' ').filter(Boolean)) {
    const link = document.createElement('link');
    link.rel = path.endsWith('.js') ? 'modulepreload' : 'preload';
    if (link.rel === 'preload') link.as = 'style';
    link.crossOrigin = '';
    link.href = path;
    document.head.append(link);
  }
}

/** A text that is written into HTML. */
function plain(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
