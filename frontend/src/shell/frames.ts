/**
 * Draws the frames: each place as it looks before its first answer, by the components that will show it, in every
 * language. Runs on Node while the page is built; `early.ts` shows them.
 */

import { render } from 'svelte/server';
import type { ServiceSettings } from '../lib/wire';
import { LANGUAGES, type Language } from '../texts/languages';
import type { Mail, MailRow } from '../lib/wire';
import type { Drawn } from './fill';
import { ADDRESS_DOMAIN, ADDRESS_LOCAL, type FrameName } from './marks';

/** The frames of a place in one language. */
export type Frames = Partial<Record<FrameName, string>>;

const ADDRESS = `${ADDRESS_LOCAL}@${ADDRESS_DOMAIN}`;

/** Everything is there; what does not hold for a site is taken out where the frame is shown. */
const SETTINGS = {
  domains: ['a.test', 'b.test'],
  defaultDomains: [],
  enableUserCreateEmail: true,
  enableUserDeleteEmail: true,
  enableAddressPassword: true,
  enableSendMail: true,
} as unknown as ServiceSettings;

/** A mail that has everything; a mark stands in the place of each text (`fill.ts`). */
const ROW: MailRow = {
  id: 1,
  created_at: '2026-01-01 00:00:00',
  size: 1,
  from_address: '[address]',
  from_name: '[sender]',
  subject: '[subject]',
  preview: '[preview]',
  seen: false,
  flagged: false,
  answered: true,
  attachment_count: 1,
  code: '[code]',
  link: { url: 'https://a.test/', host: '[host]', text: '[label]' },
};

/** As much of a browser as the stores look at when they are made. */
function pretend(): void {
  const nothing = () => undefined;
  const page = {
    location: { pathname: '/', hash: '', search: '', host: '' },
    document: { getElementById: () => null, addEventListener: nothing, visibilityState: 'visible' },
    addEventListener: nothing,
    matchMedia: () => ({ matches: false, addEventListener: nothing }),
    // A clock that goes would keep the build from ending.
    setInterval: nothing,
  };
  for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true });
  Object.defineProperty(globalThis, 'navigator', { value: { languages: [], onLine: true }, configurable: true });
}

export async function draw(): Promise<Record<'mailbox' | 'account' | 'admin', Record<Language, Frames>> & { fill: Record<Language, Drawn> }> {
  pretend();
  const [{ tables }, { session }, { place }, { reader }, { later }, { line }, App, { account }, Account, { admin }, Admin, MailReader, Mailbox, MailRow, { t }] = await Promise.all([
    import('../texts/tables.svelte'),
    import('../stores/session.svelte'),
    import('../stores/place.svelte'),
    import('../stores/reader.svelte'),
    import('../later'),
    import('../stores/line.svelte'),
    import('../App.svelte'),
    import('../account/account.svelte'),
    import('../account/Account.svelte'),
    import('../admin/admin.svelte'),
    import('../admin/Admin.svelte'),
    import('../parts/MailReader.svelte'),
    import('../views/Mailbox.svelte'),
    import('../parts/MailRow.svelte'),
    import('../texts'),
  ]);
  for (const area of ['mail', 'more', 'account', 'admin', 'adminSettings', 'adminOperate'] as const) await tables.need(area);
  session.settings = SETTINGS;
  session.phase = 'ready';
  line.state = { is: 'opening' };
  account.phase = 'out';
  account.open = { enable: true, enableMailVerify: true, oauth2ClientIDs: [] };
  Object.defineProperty(account, 'passkeysPossible', { value: true });
  admin.phase = 'out';

  later.list = (() => Mailbox) as unknown as typeof later.list;
  const never = () => new Promise(() => undefined);
  const known = { current: ADDRESS, list: [{ address: ADDRESS, jwt: '' }] };
  const drawn = { mailbox: {}, account: {}, admin: {}, fill: {} } as Awaited<ReturnType<typeof draw>>;
  for (const language of Object.keys(LANGUAGES) as Language[]) {
    await tables.choose(language);
    session.book = { current: '', list: [] };
    session.phase = 'starting';
    session.making = true;
    place.route = { view: 'inbox' };
    reader.id = null;
    const first = told(render(App.default).body);
    session.book = known;
    session.phase = 'ready';
    session.making = false;
    later.reader = never as typeof later.reader;
    const inbox = told(render(App.default).body);
    // What has come already is drawn at once.
    later.reader = (() => MailReader) as unknown as typeof later.reader;
    place.route = { view: 'mail', id: 1 };
    reader.id = 1;
    const mail = told(render(App.default).body);
    reader.mail = { ...ROW, to: '[to]', source: '', address: '', text: '', html: '', attachments: [] } as unknown as Mail;
    const opened = told(render(MailReader.default, { props: { id: 1, back: never, remove: never, step: never } }).body);
    reader.mail = null;
    const row = (one: MailRow) => told(render(MailRow.default, { props: { row: one, open: false, stop: false, fresh: false, chosen: null, focused: never } }).body);
    // A row has one of the two, so they are put together here.
    const act = /<a class="act".*?<\/a>/.exec(row({ ...ROW, code: null }))?.[0] ?? '';
    drawn.fill[language] = {
      row: row(ROW).replace('<time', () => `${act}<time`),
      head: /<header class="reader-head.*?<\/header>/.exec(opened)?.[0] ?? '',
      noSubject: t('subject.none'),
      noSender: t('sender.none'),
      openLink: t('link.open'),
      today: t('today', { time: '[time]' }),
    };
    drawn.mailbox[language] = { first, inbox, mail };
    drawn.account[language] = { account: told(render(Account.default, { props: {} }).body) };
    drawn.admin[language] = { admin: told(render(Admin.default, { props: {} }).body) };
  }
  return drawn;
}

/**
 * The markup without what only the components need. A comment `when send` stands before an element that is there
 * only where that holds.
 */
function told(markup: string): string {
  return markup
    .replace(/<!--\s*when (\w+)\s*-->((?:<!--.*?-->|\s)*)<(\w+)/gs, '<$3 data-when="$1"')
    .replace(/<!--.*?-->/gs, '')
    // Menus do nothing before the page is there.
    .replace(/<div class="menu\b(?:(?!<div).)*?<\/div>/gs, '')
    .replace(/\s+/g, ' ')
    .replace(/> </g, (pair, at: number, whole: string) => (/<\/(?:span|b|a|code)> <$/.test(whole.slice(Math.max(0, at - 7), at + 3)) ? pair : '><'))
    .trim();
}
