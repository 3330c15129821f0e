/** Spanish. */

import type { MoreTexts } from '../en/more';

export const more: MoreTexts = {
  // Composing
  'from-name': 'Tu nombre',
  balance: 'Correos restantes',
  'balance.none': 'Esta dirección aún no puede enviar.',
  'access.ask': 'Pedir permiso',
  'access.asked': 'Pedido. Decide quien gestiona el servicio.',
};
