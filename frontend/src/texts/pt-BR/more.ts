/** Portuguese (Brazil). */

import type { MoreTexts } from '../en/more';

export const more: MoreTexts = {
  // Composing
  'from-name': 'Seu nome',
  balance: 'E-mails restantes',
  'balance.none': 'Este endereço ainda não pode enviar.',
  'access.ask': 'Pedir permissão',
  'access.asked': 'Pedido feito. Quem mantém o serviço decide.',
};
