/** English, of the mini app in Telegram. */

import type { Table } from '../forms';

export const telegram = {
  mini: 'Mail in Telegram',
  'mini.outside': 'Open this in Telegram',
  'mini.outside.why': 'This page belongs to the bot: press a button below one of its messages. Without Telegram, the mailbox is here.',
  'mini.addresses': 'Your addresses',
  'mini.again': 'If this page was open for long, open it again from the bot.',
  'mini.none': 'No address yet. Make one, or bind one that you have.',
  'mini.any': 'any name',
  'mini.name.help': 'A name, a name with its domain, or nothing for a random one.',
  'mini.made': '{address} is yours',
  'mini.bound': 'The address is bound',
  'mini.bind': 'Bind an address by its token',
  'mini.open': 'Open {address}',
  'mini.release': 'Let {address} go',
  'mini.release.why': 'The bot tells you of its mail no longer. The mailbox itself stays.',
  'mini.release.do': 'Let it go',
  'mini.mailbox': 'Open the mailbox',
};

export type TelegramTexts = Table<typeof telegram>;
