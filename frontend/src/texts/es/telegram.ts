/** Spanish, of the mini app in Telegram. */

import type { TelegramTexts } from '../en/telegram';

export const telegram: TelegramTexts = {
  mini: 'Correo en Telegram',
  'mini.outside': 'Ábrelo en Telegram',
  'mini.outside.why': 'Esta página pertenece al bot: pulsa un botón bajo uno de sus mensajes. Sin Telegram, el buzón está aquí.',
  'mini.addresses': 'Tus direcciones',
  'mini.again': 'Si esta página llevaba mucho tiempo abierta, ábrela otra vez desde el bot.',
  'mini.none': 'Aún no hay direcciones. Crea una o vincula una que tengas.',
  'mini.any': 'cualquier nombre',
  'mini.name.help': 'Un nombre, un nombre con su dominio, o nada para uno al azar.',
  'mini.made': '{address} es tuya',
  'mini.bound': 'La dirección está vinculada',
  'mini.bind': 'Vincular una dirección con su token',
  'mini.open': 'Abrir {address}',
  'mini.release': 'Soltar {address}',
  'mini.release.why': 'El bot ya no te avisará de su correo. El buzón se queda.',
  'mini.release.do': 'Soltar',
  'mini.mailbox': 'Abrir el buzón',
};
