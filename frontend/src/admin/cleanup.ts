/** The kinds of cleanup: as they are asked for, as they stand in the settings, and in words. */

import type { TextKey } from '../texts';

export interface Cleanup {
  type: string;
  name: string;
  text: TextKey;
}

export const CLEANUPS: readonly Cleanup[] = [
  { type: 'mails', name: 'Mails', text: 'clean.mails' },
  { type: 'mails_unknow', name: 'UnknowMails', text: 'clean.unknown' },
  { type: 'sendbox', name: 'SendBox', text: 'clean.sent' },
  { type: 'inactiveAddress', name: 'InactiveAddress', text: 'clean.inactive' },
  { type: 'addressCreated', name: 'Address', text: 'clean.address' },
  { type: 'unboundAddress', name: 'UnboundAddress', text: 'clean.unbound' },
  { type: 'emptyAddress', name: 'EmptyAddress', text: 'clean.empty' },
];

/** Who had it run. */
export const ASKED_BY: Readonly<Record<string, TextKey>> = { admin: 'clean.by.hand', schedule: 'clean.by.itself' };
