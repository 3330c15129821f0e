/** English, of what comes with time: the composer's further parts, settings of a mailbox, programs, simple mode. */

import type { Table } from '../forms';

export const more = {
  // Composing
  'from-name': 'Your name',
  balance: 'Mails left',
  'balance.none': 'This address may not send yet.',
  'access.ask': 'Ask for it',
  'access.asked': 'Asked. Whoever runs this service decides.',
};

export type MoreTexts = Table<typeof more>;
