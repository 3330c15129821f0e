/** German, of the mini app in Telegram. */

import type { TelegramTexts } from '../en/telegram';

export const telegram: TelegramTexts = {
  mini: 'Mail in Telegram',
  'mini.outside': 'Öffne das in Telegram',
  'mini.outside.why': 'Diese Seite gehört zum Bot: Drücke auf eine Schaltfläche unter einer seiner Nachrichten. Ohne Telegram ist das Postfach hier.',
  'mini.addresses': 'Deine Adressen',
  'mini.again': 'Wenn diese Seite lange offen war, öffne sie noch einmal aus dem Bot.',
  'mini.none': 'Noch keine Adresse. Lege eine an oder verbinde eine, die du hast.',
  'mini.any': 'beliebiger Name',
  'mini.name.help': 'Ein Name, ein Name mit Domain, oder nichts für einen zufälligen.',
  'mini.made': '{address} gehört dir',
  'mini.bound': 'Die Adresse ist verbunden',
  'mini.bind': 'Adresse mit ihrem Token verbinden',
  'mini.open': '{address} öffnen',
  'mini.release': '{address} loslassen',
  'mini.release.why': 'Der Bot meldet ihre Mail dann nicht mehr. Das Postfach selbst bleibt.',
  'mini.release.do': 'Loslassen',
  'mini.mailbox': 'Postfach öffnen',
};
