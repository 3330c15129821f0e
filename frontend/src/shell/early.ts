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
import { notePresses } from './presses';
import { ADDRESS_DOMAIN, ADDRESS_LOCAL, type FrameName } from './marks';

/** An answer that takes longer is no reason to keep the page waiting. */
const LONGEST_FILL_MS = 300;

const root = document.documentElement;
const own = readPath(location.pathname);
const theme = recall('mailbox.theme', '', isText);
if (theme) root.dataset['theme'] = theme;

const language = found([...(own.language ? [own.language] : []), recall('mailbox.language', '', isText), ...navigator.languages]);
const settings = carried<ServiceSettings>('settings');
const accounts = carried<OpenSettings>('accounts');

// A form of the frame is not to be sent before the page is there to take it, and send it.
addEventListener('submit', (event) => event.preventDefault());
notePresses();

let frame: HTMLTemplateElement | null = null;
/** Done when the first answers have been seen in the frame. */
let filled: Promise<unknown> | undefined;
try {
  if (settings.domains && !settings.needAuth) begin();
} catch (error) {
  // The page says what is the matter; it does not need the frame.
  reportError(error);
}
// What there is to read comes over the line and is painted before both are busy with scripts.
void (frame ? painted() : Promise.resolve())
  .then(() => filled && Promise.race([filled, new Promise((resolve) => setTimeout(resolve, LONGEST_FILL_MS))]))
  .catch(() => undefined)
  .then(() => {
    const entry = document.querySelector<HTMLMetaElement>('meta[name="entry"]');
    load(entry?.dataset['load']);
    load(document.querySelector<HTMLMetaElement>('meta[name="load"]')?.content);
    load(frame?.dataset['load']);
    const script = document.createElement('script');
    script.type = 'module';
    script.crossOrigin = '';
    script.src = entry?.content ?? '';
    document.head.append(script);
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
      const prefs = recall('mailbox.preferences', {}, (value): value is { simple?: boolean; page?: number; whole?: boolean; dense?: boolean; lines?: number; utc?: boolean; remote?: boolean } => typeof value === 'object' && value !== null);
      const route = mail === null ? readRoute(location.hash) : ({ view: 'mail', id: mail } as const);
      if (address && token) {
        // The first of them has the line that the document came over.
        const mail = route.view === 'mail' && !prefs.remote ? ask('GET', `/api/inbox/${route.id}`, token) : null;
        const list = ask('GET', `/api/inbox/brief?limit=${prefs.page ?? 50}`, token);
        if (jwt) ask('GET', '/api/settings', token);
        if (prefs.simple || prefs.whole || prefs.dense || (prefs.lines ?? 1) !== 1) break;
        if (route.view === 'inbox' || route.view === 'mail') show(route.view, hold, address);
        const file = frame?.dataset['fill'];
        const styles = (frame?.dataset['load'] ?? '').split(' ').filter((path) => path.endsWith('.css'));
        load(styles.join(' '));
        if (file) filled = (import(/* @vite-ignore */ file) as Promise<typeof import('./fill')>).then(({ fill }) => fill(list, mail, { language, utc: Boolean(prefs.utc), open: route.view === 'mail' ? route.id : null, styles }));
      } else if (!jwt && mayCreate && route.view === 'inbox') {
        const made = asksHuman ? null : ask('POST', '/api/new_address', '', '{}');
        show('first', hold);
        const heading = document.getElementById('addr');
        if (heading) void made?.then((answer) => named(heading, answer)).catch(() => undefined);
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
function ask(method: string, path: string, token: string, body: string | null = null): Promise<Response> {
  const headers = headersFor({ token }, language, fingerprint());
  const answer = fetch(path, { ...PLAIN, method, headers, body }).then(read);
  // Whoever takes it hears of its failure.
  answer.catch(() => undefined);
  (globalThis.begun ??= new Map()).set(nameOf(method, path, headers, body), answer);
  return answer;
}

/** The answer with all of its text: whoever takes it has that at once, before anything is painted. */
async function read(answer: Response): Promise<Response> {
  const { ok, status, headers } = answer;
  const text = await answer.text();
  return { ok, status, headers, text: () => Promise.resolve(text), json: () => Promise.resolve().then(() => JSON.parse(text) as unknown) } as Response;
}

/** Says in the frame which address has been made. */
async function named(heading: HTMLElement, answer: Response): Promise<void> {
  if (!answer.ok) return;
  const { local, domain } = splitAddress(((await answer.json()) as { address: string }).address);
  heading.innerHTML = `${plain(local)}<wbr><span class="at">@${plain(domain)}</span>`;
}

/** Puts a frame in its place, without what does not hold here. */
function show(name: FrameName, hold: Readonly<Record<string, boolean>>, address = ''): void {
  const page = document.getElementById('page');
  if (!page || language !== root.lang) return;
  frame = document.querySelector<HTMLTemplateElement>(`template[data-frame="${name}"]`);
  if (!frame) return;
  const { local, domain } = splitAddress(address);
  page.innerHTML = frame.innerHTML.replaceAll(ADDRESS_LOCAL, plain(local)).replaceAll(ADDRESS_DOMAIN, plain(domain));
  for (const part of page.querySelectorAll<HTMLElement>('[data-when]')) if (!hold[part.dataset['when'] ?? '']) part.remove();
  const domains = page.querySelector<HTMLSelectElement>('select[data-when]');
  if (domains) domains.length = 1;
  for (const one of settings.defaultDomains?.length ? settings.defaultDomains : (settings.domains ?? [])) domains?.add(new Option(`@${one}`));
}

/** Sends for files: scripts of the page, or their styles. */
function load(files = ''): void {
  for (const path of files.split(' ').filter(Boolean)) {
    if (document.querySelector(`link[href="${path}"]`)) continue;
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
