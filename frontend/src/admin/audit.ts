/** The audit log: its entries, and the actions that it can be filtered by. */

import type { TextKey } from '../texts';
import type { Told } from './told';

export interface Entry {
  id: number;
  at: string;
  actor: string;
  from: string;
  action: string;
  subject: string;
  detail: unknown;
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
