/** German. */

import type { MoreTexts } from '../en/more';

export const more: MoreTexts = {
  // Composing
  'from-name': 'Dein Name',
  balance: 'Noch erlaubte Mails',
  'balance.none': 'Diese Adresse darf noch nicht senden.',
  'access.ask': 'Darum bitten',
  'access.asked': 'Gefragt. Wer diesen Dienst betreibt, entscheidet.',
};
