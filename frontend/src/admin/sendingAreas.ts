/** What an administrator keeps of the sending API: each kind of thing with its list, its form and its acts. */

import type { TextKey } from '../texts';
import { linesOf, listOf } from './fields';
import { ask, servers, type Row } from './sendingApi';

export type Values = Record<string, unknown>;
export type Option = readonly [value: string, text: TextKey | null];

export interface Field {
  key: string;
  text: TextKey;
  kind: 'text' | 'email' | 'password' | 'number' | 'area' | 'code' | 'lines' | 'pairs' | 'switch' | 'choice' | 'several';
  help?: TextKey;
  needed?: boolean;
  longest?: number;
  options?: readonly Option[];
  /** Asked for by the service at the time: which permissions there are. */
  ask?: () => Promise<readonly Option[]>;
  begin?: unknown;
  /** Only for what is new, or for what is there. */
  only?: 'new' | 'old';
  /** The key of a switch that this one belongs to. */
  when?: string;
  /** Stands folded away with the others that few need. */
  more?: boolean;
}

export interface Column {
  text: TextKey;
  of: (row: Row) => unknown;
  as?: 'when' | 'number' | 'mono';
  /** What the values of a fixed set are called, and which of them are good, bad or in between. */
  words?: Readonly<Record<string, TextKey>>;
  tones?: Readonly<Record<string, 'good' | 'wait' | 'bad'>>;
}

export interface Page {
  rows: readonly Row[];
  total: number;
  /** Leads to the next page; empty at the end. */
  next: string;
  whole: Row;
}

export interface RowAct {
  text: TextKey;
  icon: 'trash' | 'refresh' | 'x' | 'plug' | 'send' | 'check' | 'external';
  ask?: TextKey;
  run: (row: Row) => Promise<unknown>;
  when?: (row: Row) => boolean;
  /** May be done to many rows at a time: what is asked before, what it means, and what is said after it. */
  many?: Readonly<Record<'ask' | 'why' | 'done' | 'failed', TextKey>>;
}

export interface Area {
  id: string;
  text: TextKey;
  none: TextKey;
  /** Read what is searched for, and the page that a token leads to. */
  list: (words: string, next: string, choice: string) => Promise<Page>;
  nameOf: (row: Row) => string;
  columns: readonly Column[];
  fields?: readonly Field[];
  newText?: TextKey;
  add?: (values: Values) => Promise<unknown>;
  /** The row as the form knows it, when the list shows less. */
  whole?: (row: Row) => Promise<Values>;
  change?: (row: Row, values: Values) => Promise<unknown>;
  acts?: readonly RowAct[];
  /** What makes a row itself when the list is read again. Rows that have it can be marked. */
  markOf?: (row: Row) => string;
  /** A choice above the list: a filter, or how the list counts. */
  choice?: { text: TextKey; any?: TextKey; options: readonly Option[]; now?: (page: Row) => string; set?: (value: string, page: Page) => Promise<unknown> };
  /** Whether the box is asked of the service; else the rows are looked through here. */
  searched?: boolean;
}

const rowsOf = (data: unknown, key?: string): readonly Row[] => {
  const found = key ? (data as Row)[key] : data;
  return Array.isArray(found) ? (found as Row[]) : [];
};

const page = (data: unknown, key?: string, total?: string): Page => {
  const rows = rowsOf(data, key);
  const whole = (Array.isArray(data) ? {} : data) as Row;
  return { rows, total: Number(whole[total ?? 'total'] ?? rows.length), next: String(whole['continue_token'] ?? ''), whole };
};

const text = (key: string) => (row: Row) => row[key];
const all = (path: string, key?: string, also: Values = {}) => async () => page(await ask(path, also), key);
const texts = (names: readonly string[], rows: Page): Page => ({ ...rows, rows: names.map((value) => ({ value })) });

const STATES = { allowed: 'sa.state.allowed', sandbox: 'sa.state.sandbox', blocked: 'sa.state.blocked' } as const satisfies Record<string, TextKey>;
const options = (words: Readonly<Record<string, TextKey>>): Option[] => Object.entries(words);
const REASONS = { manual: 'sa.reason.manual', bounce: 'sa.reason.bounce', spam: 'sa.reason.spam', unsubscribe: 'sa.reason.unsubscribe', compliance: 'sa.reason.compliance' } as const satisfies Record<string, TextKey>;
export const EVENTS = {
  processed: 'sa.e.processed',
  delivered: 'sa.e.delivered',
  opened: 'sa.e.opened',
  clicked: 'sa.e.clicked',
  'soft-bounced': 'sa.e.soft-bounced',
  'hard-bounced': 'sa.e.hard-bounced',
  rejected: 'sa.e.rejected',
  spam: 'sa.e.spam',
  unsubscribed: 'sa.e.unsubscribed',
  resubscribed: 'sa.e.resubscribed',
} as const satisfies Record<string, TextKey>;
const HOOK_EVENTS: readonly Option[] = [
  ['processed', 'sa.e.processed'],
  ['delivered', 'sa.e.delivered'],
  ['open', 'sa.e.opened'],
  ['click', 'sa.e.clicked'],
  ['bounce', 'sa.e.bounce'],
  ['reject', 'sa.e.rejected'],
  ['spam', 'sa.e.spam'],
  ['unsubscribe', 'sa.e.unsubscribed'],
  ['resubscribe', 'sa.e.resubscribed'],
];

/** What keys, SMTP users and trusted addresses have in common. */
const COMMON: readonly Field[] = [
  { key: 'status', text: 'sa.state', kind: 'choice', options: options(STATES), begin: 'allowed', help: 'sa.state.help' },
  { key: 'custom_ratelimit', text: 'sa.rate', kind: 'switch' },
  { key: 'custom_ratelimit_value', text: 'sa.rate.value', kind: 'number', when: 'custom_ratelimit', begin: 100, needed: true },
  { key: 'custom_ratelimit_period', text: 'sa.rate.period', kind: 'choice', when: 'custom_ratelimit', begin: '1 hour', options: [['0:01:00', 'sa.period.minute'], ['1 hour', 'sa.period.hour'], ['1 day', 'sa.period.day']] },
  { key: 'open_tracking_enabled', text: 'sa.opens', kind: 'switch', help: 'sa.opens.help', more: true },
  { key: 'click_tracking_enabled', text: 'sa.clicks', kind: 'switch', help: 'sa.clicks.help', more: true },
  { key: 'archive_enabled', text: 'sa.archived', kind: 'switch', help: 'sa.archived.help', more: true },
  { key: 'feedback_enabled', text: 'sa.footer', kind: 'switch', help: 'sa.footer.help', more: true },
  { key: 'feedback_html', text: 'sa.footer.html', kind: 'code', when: 'feedback_enabled', more: true },
  { key: 'feedback_text', text: 'sa.footer.text', kind: 'area', when: 'feedback_enabled', more: true },
  { key: 'audit_email', text: 'sa.audit', kind: 'email', more: true },
  { key: 'bounce_notifications', text: 'sa.bounces', kind: 'text', begin: 'from', help: 'sa.bounces.help', more: true },
];
const DESCRIPTION: Field = { key: 'description', text: 'sa.description', kind: 'text', longest: 1000 };
const STATE: Column = { text: 'sa.state', of: text('status'), words: STATES, tones: { allowed: 'good', sandbox: 'wait', blocked: 'bad' } };

/** The permissions that there are, by area; `*` is all of them. */
async function permissions(): Promise<readonly Option[]> {
  const paths = await ask<string[]>('api_keys/permissions');
  const areas = new Set(paths.flatMap((path) => (/^\/[^/]+\//.exec(path) ?? []).map((area) => `${area}*`)));
  return [['*', 'sa.may.all'], ...[...areas].sort().map((area): Option => [area, null])];
}

/** `name = value`, one a line. What is no plain text stays as it was. */
export function pairsOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .filter(([, one]) => typeof one !== 'object')
    .map(([name, one]) => `${name} = ${String(one)}`)
    .join('\n');
}

export function pairsFrom(lines: string, before: unknown): Values {
  const nested = Object.entries(typeof before === 'object' && before !== null ? before : {}).filter(([, one]) => typeof one === 'object');
  const plain = listOf(lines).map((line): [string, string] => {
    const at = line.indexOf('=');
    return at < 0 ? [line, ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  return Object.fromEntries([...nested, ...plain]);
}

/** What a form begins with: of a row that is there, or of none. */
export function begun(fields: readonly Field[], row: Values | null): Values {
  return Object.fromEntries(
    fields.map((field) => {
      const value = row?.[field.key] ?? (row ? undefined : field.begin);
      if (field.kind === 'switch') return [field.key, Boolean(value)];
      if (field.kind === 'several') return [field.key, Array.isArray(value) ? value : []];
      if (field.kind === 'lines') return [field.key, linesOf(value)];
      if (field.kind === 'pairs') return [field.key, pairsOf(value)];
      if (field.kind === 'number') return [field.key, Number(value || field.begin || 0)];
      return [field.key, field.kind === 'password' ? '' : String(value ?? field.begin ?? '')];
    }),
  );
}

/** What is sent of a form: lists as lists, nothing of what is switched off, no password that was left empty. */
export function filled(fields: readonly Field[], values: Values, row: Values | null): Values {
  const sent: Values = {};
  for (const field of fields) {
    if ((field.only === 'new' && row) || (field.only === 'old' && !row)) continue;
    const value = values[field.key];
    if (field.when && !values[field.when]) continue;
    if (field.kind === 'password' && value === '') continue;
    if (!row && value === '' && !field.needed) continue;
    sent[field.key] = field.kind === 'lines' ? listOf(String(value)) : field.kind === 'pairs' ? pairsFrom(String(value), row?.[field.key]) : value;
  }
  return sent;
}

const remove = (path: string, field: string, of: (row: Row) => unknown): RowAct => ({ text: 'sa.remove', icon: 'trash', ask: 'sa.remove.ask', run: (row) => ask(path, { [field]: of(row) }) });

const keys: Area = {
  id: 'keys',
  text: 'sa.keys',
  none: 'sa.none.keys',
  list: all('api_keys/view'),
  nameOf: (row) => String(row['description'] || row['username']),
  columns: [
    { text: 'sa.description', of: (row) => row['description'] || row['username'] },
    { text: 'sa.keys', of: (row) => `${String(row['username'])}…`, as: 'mono' },
    { text: 'sa.may', of: (row) => (row['endpoints'] as string[]).join(' '), words: { '*': 'sa.may.all' } },
    STATE,
  ],
  fields: [DESCRIPTION, { key: 'endpoints', text: 'sa.may', kind: 'several', ask: permissions, begin: ['/email/*'], help: 'sa.may.help', needed: true }, ...COMMON],
  newText: 'sa.new.keys',
  add: (values) => ask('api_keys/add', values),
  change: (row, values) => ask('api_keys/edit', { ...values, id: row['username'] }),
  acts: [remove('api_keys/remove', 'id', text('username'))],
};

const users: Area = {
  id: 'users',
  text: 'sa.users',
  none: 'sa.none.users',
  list: all('smtp_users/view', 'results'),
  nameOf: (row) => String(row['username']),
  columns: [
    { text: 'sa.username', of: text('username') },
    { text: 'sa.description', of: text('description') },
    { text: 'sa.from-ips', of: (row) => (row['allowed_ips'] as string[]).join(' '), as: 'mono' },
    STATE,
  ],
  fields: [
    { key: 'username', text: 'sa.username', kind: 'text', needed: true, only: 'new', longest: 64 },
    { key: 'email_password', text: 'password', kind: 'password', help: 'sa.password.new.help', only: 'new', longest: 128 },
    { key: 'email_password', text: 'password.next', kind: 'password', help: 'sa.password.keep.help', only: 'old', longest: 128 },
    DESCRIPTION,
    { key: 'allowed_ips', text: 'sa.from-ips', kind: 'lines', help: 'sa.lines.help' },
    { key: 'allow_senders', text: 'sa.from-senders', kind: 'lines', help: 'sa.lines.help' },
    ...COMMON,
  ],
  newText: 'sa.new.users',
  add: (values) => ask('smtp_users/add', values),
  change: (row, values) => ask('smtp_users/edit', { ...values, username: row['username'] }),
  acts: [remove('smtp_users/remove', 'username', text('username'))],
};

const ips: Area = {
  id: 'ips',
  text: 'sa.ips',
  none: 'sa.none.ips',
  list: all('ip_auth/view', 'results'),
  nameOf: (row) => String(row['ip_address']),
  columns: [{ text: 'sa.ip', of: text('ip_address'), as: 'mono' }, { text: 'sa.description', of: text('description') }, STATE],
  fields: [{ key: 'ip_address', text: 'sa.ip', kind: 'text', needed: true, only: 'new', help: 'sa.ip.help', longest: 50 }, DESCRIPTION, ...COMMON],
  newText: 'sa.new.ips',
  add: (values) => ask('ip_auth/add', values),
  change: (row, values) => ask('ip_auth/edit', { ...values, ip_address: row['ip_address'] }),
  acts: [remove('ip_auth/remove', 'ip_address', text('ip_address'))],
};

const smtpServers: Area = {
  id: 'servers',
  text: 'sa.servers',
  none: 'sa.none.servers',
  list: async () => page(await servers.list(), 'results'),
  nameOf: (row) => String(row['name']),
  columns: [
    { text: 'sa.name', of: text('name') },
    { text: 'sa.server', of: (row) => `${String(row['host'])}:${String(row['port'])}`, as: 'mono' },
    { text: 'sa.username', of: text('username') },
    { text: 'sa.from', of: text('from_address') },
  ],
  fields: [
    { key: 'name', text: 'sa.name', kind: 'text', needed: true, only: 'new', begin: 'default', longest: 64 },
    { key: 'host', text: 'sa.server', kind: 'text', needed: true, longest: 253 },
    { key: 'port', text: 'sa.port', kind: 'number', needed: true, begin: 587 },
    { key: 'use_tls', text: 'sa.tls', kind: 'switch', begin: true },
    { key: 'ignore_self_signed', text: 'sa.self-signed', kind: 'switch', when: 'use_tls' },
    { key: 'username', text: 'sa.username', kind: 'text', longest: 255 },
    { key: 'password', text: 'password', kind: 'password', only: 'new', longest: 255 },
    { key: 'password', text: 'password.next', kind: 'password', help: 'sa.password.keep.help', only: 'old', longest: 255 },
    { key: 'from_address', text: 'sa.from', kind: 'email' },
    { key: 'from_name', text: 'sa.from-name', kind: 'text', longest: 255 },
  ],
  newText: 'sa.new.servers',
  add: ({ name, ...values }) => servers.save(String(name), values),
  change: (row, values) => servers.save(String(row['name']), values),
  acts: [
    {
      text: 'sa.try',
      icon: 'plug',
      run: async (row) => {
        const found = await servers.try(String(row['name']));
        if (!found.success) throw new Error(found.error);
        return { text: 'sa.try.good', values: { host: found.host ?? '', ms: found.duration_ms ?? 0 } };
      },
    },
    { text: 'sa.remove', icon: 'trash', ask: 'sa.remove.ask', run: (row) => servers.remove(String(row['name'])) },
  ],
};

const accounts: Area = {
  id: 'accounts',
  text: 'sa.accounts',
  none: 'sa.none.accounts',
  list: async (words, next) => page(await ask('subaccounts/search', { search_terms: words ? [words] : [], ...(next ? { continue_token: next } : {}) }), 'subaccounts'),
  nameOf: (row) => String(row['name']),
  columns: [
    { text: 'sa.name', of: text('name') },
    { text: 'email', of: text('email') },
    { text: 'sa.used', of: text('plan_used'), as: 'number' },
    { text: 'sa.plan', of: text('plan_size'), as: 'number' },
    { text: 'sa.state', of: (row) => (row['state'] === 'Active' ? 'allowed' : 'blocked'), words: STATES, tones: { allowed: 'good', blocked: 'bad' } },
  ],
  fields: [
    { key: 'fullname', text: 'sa.name', kind: 'text', needed: true, longest: 200 },
    { key: 'subaccount_email', text: 'email', kind: 'email' },
    { key: 'limit', text: 'sa.plan', kind: 'number', begin: 10000, needed: true },
  ],
  newText: 'sa.new.accounts',
  add: (values) => ask('subaccount/add', values),
  whole: (row) => Promise.resolve({ ...row, fullname: row['name'], subaccount_email: row['email'], limit: row['plan_size'] }),
  change: (row, values) => ask('subaccount/edit', { ...values, id: row['id'] }),
  acts: [
    { text: 'sa.close', icon: 'x', ask: 'sa.remove.ask', run: (row) => ask('subaccount/close', { id: row['id'] }), when: (row) => row['state'] === 'Active' },
    { text: 'sa.reopen', icon: 'check', run: (row) => ask('subaccount/reopen', { id: row['id'] }), when: (row) => row['state'] !== 'Active' },
  ],
  searched: true,
};

const templates: Area = {
  id: 'templates',
  text: 'sa.templates',
  none: 'sa.none.templates',
  list: async (words, next) => page(await ask('template/search', { search_terms: words ? [words] : [], fuzzy_search: true, include_archived: true, ...(next ? { continue_token: next } : {}) }), 'templates'),
  nameOf: (row) => String(row['name'] || row['id']),
  columns: [
    { text: 'sa.name', of: text('name') },
    { text: 'sa.template.id', of: text('id'), as: 'mono' },
    { text: 'field.subject', of: text('subject') },
    { text: 'sa.tags', of: (row) => (row['tags'] as string[]).join(', ') },
    { text: 'sa.changed', of: text('last_updated'), as: 'when' },
  ],
  fields: [
    { key: 'template_name', text: 'sa.name', kind: 'text', needed: true, longest: 64 },
    { key: 'id', text: 'sa.template.id', kind: 'text', only: 'new', help: 'sa.template.id.help', longest: 24 },
    { key: 'subject', text: 'field.subject', kind: 'text', help: 'sa.template.help', longest: 998 },
    { key: 'html_body', text: 'sa.html', kind: 'code' },
    { key: 'text_body', text: 'sa.text', kind: 'area' },
    { key: 'template_variables', text: 'sa.values', kind: 'pairs', help: 'sa.values.help' },
    { key: 'tags', text: 'sa.tags', kind: 'lines', help: 'sa.lines.one' },
    { key: 'is_archived', text: 'sa.hidden', kind: 'switch', help: 'sa.hidden.help', only: 'old' },
  ],
  newText: 'sa.new.templates',
  add: (values) => ask('template/add', values),
  whole: (row) => ask<Values>('template/view', { id: row['id'] }),
  change: (row, values) => ask('template/edit', { ...values, id: row['id'] }),
  acts: [remove('template/delete', 'id', text('id'))],
  searched: true,
};

const suppressions: Area = {
  id: 'suppressions',
  text: 'sa.suppressions',
  none: 'sa.none.suppressions',
  list: async (words, next, reason) =>
    page(await ask('suppression/view', { limit: 100, ...(words ? { wildcard: words } : {}), ...(reason ? { suppression_types: [reason] } : {}), ...(next ? { continue_token: next } : {}) }), 'results'),
  nameOf: (row) => String(row['email_address']),
  columns: [
    { text: 'email', of: text('email_address') },
    { text: 'sa.reason', of: text('reason'), words: REASONS },
    { text: 'sa.why', of: (row) => row['block_description'] || row['complaint'] },
    { text: 'admin.when', of: text('timestamp'), as: 'when' },
  ],
  fields: [
    { key: 'email_address', text: 'sa.who', kind: 'lines', needed: true, help: 'sa.lines.one' },
    { key: 'block_description', text: 'sa.why', kind: 'text', longest: 1000 },
  ],
  newText: 'sa.new.suppressions',
  add: (values) => ask('suppression/add', values),
  acts: [
    {
      text: 'sa.release',
      icon: 'check',
      ask: 'sa.release.ask',
      run: (row) => ask('suppression/remove', { email_address: row['email_address'], reasons: [row['reason']] }),
      many: { ask: 'sa.release.many', why: 'sa.release.many.why', done: 'sa.released', failed: 'sa.release.failed' },
    },
  ],
  markOf: (row) => `${String(row['email_address'])} ${String(row['reason'])}`,
  choice: { text: 'sa.reason', any: 'sa.any-reason', options: options(REASONS) },
  searched: true,
};

export const hooks: Area = {
  id: 'hooks',
  text: 'hooks',
  none: 'sa.none.hooks',
  list: all('webhook/view'),
  nameOf: (row) => String(row['name'] || row['url']),
  columns: [
    { text: 'sa.name', of: (row) => row['name'] || row['url'] },
    { text: 'sa.url', of: text('url'), as: 'mono' },
    { text: 'sa.events', of: (row) => [...(row['events'] as string[]), ...(row['sms_events'] as string[])].join(', ') },
    { text: 'sa.format', of: text('output_format') },
  ],
  fields: [
    { key: 'url', text: 'sa.url', kind: 'text', needed: true, longest: 2000 },
    { key: 'name', text: 'sa.name', kind: 'text', longest: 200 },
    { key: 'events', text: 'sa.events', kind: 'several', options: HOOK_EVENTS, begin: ['delivered', 'bounce', 'spam', 'unsubscribe'], needed: true },
    { key: 'output_format', text: 'sa.format', kind: 'choice', begin: 'json', options: [['json', null], ['form', null]] },
    { key: 'usernames', text: 'sa.only-keys', kind: 'lines', help: 'sa.lines.help', more: true },
    { key: 'headers', text: 'sa.headers', kind: 'lines', help: 'sa.lines.one', more: true },
    { key: 'auth_header_type', text: 'sa.auth', kind: 'choice', options: [['', 'sa.auth.none'], ['bearer', null], ['basic', null]], more: true },
    { key: 'auth_header_value', text: 'sa.auth.value', kind: 'password', when: 'auth_header_type', longest: 2000, help: 'sa.password.keep.help', more: true },
  ],
  newText: 'sa.new.hooks',
  add: (values) => ask('webhook/add', values),
  change: (row, values) => ask('webhook/edit', { ...values, id: row['id'] }),
  acts: [remove('webhook/remove', 'id', text('id'))],
};

const singles: Area = {
  id: 'singles',
  text: 'sa.singles',
  none: 'sa.none.singles',
  list: all('single_sender_emails/view', 'senders'),
  nameOf: (row) => String(row['email_address']),
  columns: [
    { text: 'email', of: text('email_address') },
    { text: 'sa.state', of: (row) => String(row['verified']), words: { true: 'sa.proved', false: 'sa.unproved' }, tones: { true: 'good', false: 'wait' } },
  ],
  fields: [
    { key: 'email_address', text: 'email', kind: 'email', needed: true },
    { key: 'message', text: 'sa.message', kind: 'area', longest: 1000 },
  ],
  newText: 'sa.new.singles',
  add: (values) => ask('single_sender_emails/add', values),
  acts: [
    { text: 'sa.again', icon: 'send', run: (row) => ask('single_sender_emails/add', { email_address: row['email_address'] }), when: (row) => !row['verified'] },
    remove('single_sender_emails/remove', 'email_address', text('email_address')),
  ],
};

const MODES = { disabled: 'sa.mode.disabled', whitelist: 'sa.mode.whitelist', blacklist: 'sa.mode.blacklist' } as const satisfies Record<string, TextKey>;

const senders: Area = {
  id: 'senders',
  text: 'sa.senders',
  none: 'sa.none.list',
  list: async () => {
    const found = page(await ask('allowed_senders/view'));
    return texts(found.whole['allowed_senders'] as string[], found);
  },
  nameOf: (row) => String(row['value']),
  columns: [{ text: 'sa.who', of: text('value') }],
  fields: [{ key: 'allowed_senders', text: 'sa.who', kind: 'lines', needed: true, help: 'sa.lines.one' }],
  newText: 'sa.new.suppressions',
  add: (values) => ask('allowed_senders/add', values),
  acts: [remove('allowed_senders/remove', 'allowed_senders', (row) => [row['value']])],
  choice: {
    text: 'sa.mode',
    options: options(MODES),
    now: (whole) => String(whole['mode']),
    set: (mode, now) => ask('allowed_senders/update', { allowed_senders: now.whole['allowed_senders'], mode }),
  },
};

const recipients: Area = {
  id: 'recipients',
  text: 'sa.recipients',
  none: 'sa.none.list',
  list: async () => {
    const found = page(await ask('allowed_recipients/view'));
    return texts(found.whole['allowed_recipients'] as string[], found);
  },
  nameOf: (row) => String(row['value']),
  columns: [{ text: 'sa.who', of: text('value') }],
  fields: [{ key: 'allowed_recipients', text: 'sa.who', kind: 'lines', needed: true, help: 'sa.lines.one' }],
  newText: 'sa.new.suppressions',
  add: (values) => ask('allowed_recipients/add', values),
  acts: [remove('allowed_recipients/remove', 'allowed_recipients', (row) => [row['value']])],
  choice: {
    text: 'sa.mode',
    options: [['false', 'sa.mode.disabled'], ['true', 'sa.mode.whitelist']],
    now: (whole) => String(whole['enabled']),
    set: (enabled, now) => ask('allowed_recipients/update', { allowed_recipients: now.whole['allowed_recipients'], enabled: enabled === 'true' }),
  },
};

const placesOf = (id: string, words: TextKey, type: 'api' | 'smtp'): Area => ({
  id,
  text: words,
  none: 'sa.none.list',
  list: all('ip_allow_list/view', 'ip_addresses', { type }),
  nameOf: (row) => String(row['ip_address']),
  columns: [{ text: 'sa.ip', of: text('ip_address'), as: 'mono' }, { text: 'sa.description', of: text('description') }],
  fields: [{ key: 'ip_address', text: 'sa.ip', kind: 'text', needed: true, help: 'sa.ip.help', only: 'new', longest: 50 }, DESCRIPTION],
  newText: 'sa.new.suppressions',
  add: (values) => ask('ip_allow_list/add', { ...values, type }),
  change: (row, values) => ask('ip_allow_list/edit', { ...values, ip_address: row['ip_address'], type }),
  acts: [{ text: 'sa.remove', icon: 'trash', ask: 'sa.remove.ask', run: (row) => ask('ip_allow_list/remove', { ip_address: row['ip_address'], type }) }],
  choice: {
    text: 'sa.mode',
    options: [['false', 'sa.mode.disabled'], ['true', 'sa.mode.whitelist']],
    now: (whole) => String(whole['enabled']),
    set: (enabled) => ask('ip_allow_list/switch', { enabled: enabled === 'true', type }),
  },
});

const activity: Area = {
  id: 'activity',
  text: 'sa.activity',
  none: 'sa.none.activity',
  list: async (words, next, kind) =>
    page(await ask('activity/search', { start_date: new Date(Date.now() - 30 * 86_400_000).toISOString(), limit: 50, search: words, ...(kind ? { event_types: [kind] } : {}), ...(next ? { continue_token: next } : {}) }), 'events'),
  nameOf: (row) => String(row['subject']),
  columns: [
    { text: 'field.to', of: text('recipient') },
    { text: 'sa.event', of: text('event'), words: EVENTS, tones: { delivered: 'good', 'soft-bounced': 'wait', 'hard-bounced': 'bad', rejected: 'wait', spam: 'bad', unsubscribed: 'wait' } },
    { text: 'field.subject', of: text('subject') },
    { text: 'sa.said', of: (row) => row['reason'] || row['smtp_response'] },
    { text: 'sa.by', of: text('username'), as: 'mono' },
    { text: 'admin.when', of: text('date'), as: 'when' },
  ],
  choice: { text: 'sa.event', any: 'sa.any-event', options: options(EVENTS) },
  searched: true,
};

const scheduled: Area = {
  id: 'scheduled',
  text: 'sa.scheduled',
  none: 'sa.none.scheduled',
  list: async (words) => page(await ask('scheduled/search', words ? { search: words } : {})),
  nameOf: (row) => String(row['subject']),
  columns: [
    { text: 'field.to', of: text('recipients') },
    { text: 'field.from', of: text('sender') },
    { text: 'field.subject', of: text('subject') },
    { text: 'sa.at', of: text('schedule'), as: 'when' },
  ],
  acts: [{ text: 'sa.cancel-mail', icon: 'x', ask: 'sa.cancel-mail.ask', run: (row) => ask('scheduled/remove', { schedule_id: row['schedule_id'] }) }],
  searched: true,
};

const archive: Area = {
  id: 'archive',
  text: 'sa.archive',
  none: 'sa.none.archive',
  list: async (words, next) => page(await ask('archive/search', { start_date: new Date(0).toISOString(), limit: 50, ...(words ? { subject: words } : {}), ...(next ? { continue_token: next } : {}) }), 'emails'),
  nameOf: (row) => String(row['subject']),
  columns: [
    { text: 'field.to', of: text('recipient') },
    { text: 'field.from', of: text('sender') },
    { text: 'field.subject', of: text('subject') },
    { text: 'admin.when', of: text('sent'), as: 'when' },
  ],
  acts: [{ text: 'sa.download', icon: 'external', run: (row) => Promise.resolve(open(String(row['url']), '_blank', 'noopener')) }],
  searched: true,
};

const sms = (id: string, words: TextKey, path: string, columns: readonly Column[]): Area => ({
  id,
  text: words,
  none: 'sa.none.sms',
  list: async (_, next) => page(await ask(path, { start_date: new Date(Date.now() - 30 * 86_400_000).toISOString(), ...(next ? { continue_token: next } : {}) }), 'messages'),
  nameOf: (row) => String(row['content']),
  columns,
});

const smsOut = sms('sms-out', 'sa.sms-out', 'sms/view-sent', [
  { text: 'field.to', of: text('destination_address'), as: 'mono' },
  { text: 'sa.text', of: text('content') },
  { text: 'sa.state', of: (row) => row['error'] || row['status'] },
  { text: 'sa.units', of: text('units'), as: 'number' },
  { text: 'admin.when', of: text('timestamp'), as: 'when' },
]);
const smsIn = sms('sms-in', 'sa.sms-in', 'sms/view-received', [
  { text: 'field.from', of: text('source_address'), as: 'mono' },
  { text: 'field.to', of: text('destination_address'), as: 'mono' },
  { text: 'sa.text', of: text('content') },
  { text: 'admin.when', of: text('timestamp'), as: 'when' },
]);

export interface Desk {
  text: TextKey;
  why: TextKey;
  /** Its parts, the first of them open at first; `numbers` and `domains` have looks of their own. */
  parts: readonly (Area | 'numbers' | 'domains')[];
}

export const DESKS: Readonly<Record<'figures' | 'logins' | 'templates' | 'suppressions' | 'rules', Desk>> = {
  figures: { text: 'sa.figures', why: 'sa.figures.why', parts: ['numbers', activity, scheduled, archive, smsOut, smsIn] },
  logins: { text: 'sa.logins', why: 'sa.logins.why', parts: [keys, users, ips, smtpServers, accounts] },
  templates: { text: 'sa.templates', why: 'sa.templates.why', parts: [templates] },
  suppressions: { text: 'sa.suppressions', why: 'sa.suppressions.why', parts: [suppressions] },
  rules: { text: 'sa.rules', why: 'sa.rules.why', parts: ['domains', singles, senders, recipients, placesOf('api-ips', 'sa.api-ips', 'api'), placesOf('smtp-ips', 'sa.smtp-ips', 'smtp')] },
};
