/** The audit log: its entries, and the actions that it can be filtered by. */

import { saidAs, type Told } from '../lib/told';
import { t, type TextKey } from '../texts';
import { CLEANUPS } from './cleanup';
import type { Field } from './fields';
import { ALLOWED, BLOCKED, BOT, CODES, DAILY, HOOK_OWNERS, JUNK, LIMITS, NAMING, NEW_ADDRESSES, RECEIVING, RECIPIENTS, REGISTERING, ROLE_LIMITS } from './settings';

/** What a value of an entry is called by the service, where it is no setting. */
export interface NamedValue {
  name: string;
  title: string | null;
  title_told: Told | null;
  value_told: Told | null;
}

export interface Entry {
  id: number;
  at: string;
  actor: string;
  from: string;
  action: string;
  subject: string;
  detail: Readonly<Record<string, unknown>>;
  fields: readonly NamedValue[];
  title: string;
  title_told: Told | null;
  actor_told: Told | null;
}

export interface KnownAction {
  action: string;
  title: string;
  title_told: Told;
}

export interface ActionGroup {
  text: TextKey;
  /** What finds all of them: how their names begin. */
  all: string | null;
  actions: readonly KnownAction[];
}

/** What actions are about, by how their names begin; in the order of the menu. */
const AREAS: readonly [string, TextKey][] = [
  ['address', 'addresses'],
  ['mail', 'admin.mails'],
  ['sent', 'nav.sent'],
  ['allowance', 'admin.senders'],
  ['queue', 'queue'],
  ['user', 'admin.users'],
  ['settings', 'admin.settings'],
  ['cleanup', 'admin.cleanup'],
  ['webhook', 'hooks'],
  ['domain', 'domains'],
  ['sending', 'sa'],
];

const areaOf = (action: string) => action.split('.', 1)[0]!;

export function groupsOf(known: readonly KnownAction[]): ActionGroup[] {
  const groups = AREAS.map(([area, text]) => {
    const actions = known.filter((one) => areaOf(one.action) === area);
    return { text, all: actions.length > 1 ? `${area}.` : null, actions };
  });
  const others = known.filter((one) => !AREAS.some(([area]) => areaOf(one.action) === area));
  return [...groups, { text: 'audit.others' as const, all: null, actions: others }].filter((group) => group.actions.length > 0);
}

/** Settings are called as in their forms. */
const FORMS: Readonly<Record<string, readonly Field[]>> = {
  'settings.change': [...NEW_ADDRESSES, ...RECEIVING, ...LIMITS, ...RECIPIENTS],
  'settings.overrule': [...NAMING, ...JUNK],
  'settings.accounts': REGISTERING,
  'settings.access': [...BLOCKED, ...ALLOWED, ...DAILY],
  'settings.codes': CODES,
  'settings.webhooks': HOOK_OWNERS,
  'settings.telegram': BOT,
};

/** Keys of the nightly cleanup: a switch and an age for each kind. */
const CLEANUP = /^(?:enable(?<on>\w+)AutoCleanup|clean(?<aged>\w+)Days)$/;

/** What a value is called: by its form, by the service's word, or as it is written. */
function titleOf(entry: Entry, name: string): string {
  const field = FORMS[entry.action]?.find((one) => one.key === name);
  if (field) return t(field.text);
  const parts = CLEANUP.exec(name)?.groups;
  const kind = parts && CLEANUPS.find((one) => one.name === (parts['on'] ?? parts['aged']));
  if (kind) return parts['aged'] ? `${t(kind.text)}: ${t('clean.days')}` : t(kind.text);
  const named = wordsOf(entry, name);
  if (named !== null) return named;
  const [outer, inner] = [name.slice(0, name.indexOf('.')), name.slice(name.indexOf('.') + 1)];
  return name.includes('.') ? `${wordsOf(entry, outer) ?? outer}: ${inner}` : name;
}

function wordsOf(entry: Entry, name: string): string | null {
  const named = entry.fields.find((one) => one.name === name);
  return named && named.title !== null ? saidAs(named.title_told ?? undefined, named.title) : null;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const isPlain = (value: unknown) => typeof value !== 'object' || value === null;

/** A value in words. */
function said(entry: Entry, name: string, value: unknown): string {
  const told = entry.fields.find((one) => one.name === name)?.value_told;
  if (told) return saidAs(told, String(value));
  if (value === true) return t('set.on');
  if (value === false) return t('set.off');
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return t('set.none');
  if (name === 'cleanType') {
    const kind = CLEANUPS.find((one) => one.type === value);
    if (kind) return t(kind.text);
  }
  if (Array.isArray(value) && value.every(isPlain)) return value.join(', ');
  if (isObject(value)) return rolesSaid(value) ?? JSON.stringify(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The limits of a role; null for any other object. */
function rolesSaid(value: Record<string, unknown>): string | null {
  const known = Object.entries(value).map(([key, limit]) => [ROLE_LIMITS.find((field) => field.key === key), limit] as const);
  return known.length > 0 && known.every(([field]) => field) ? known.map(([field, limit]) => `${t(field!.text)} ${String(limit)}`).join(', ') : null;
}

/** The values of an entry in words, each by its name; what lies in an object stands by itself. */
export function factsOf(entry: Entry): [string, string, string][] {
  const flat = Object.entries(entry.detail).flatMap(([name, value]): [string, unknown][] =>
    isObject(value) && Object.keys(value).length > 0 ? Object.entries(value).map(([inner, one]) => [`${name}.${inner}`, one]) : [[name, value]],
  );
  return flat.map(([name, value]) => [name, titleOf(entry, name), said(entry, name, value)]);
}
