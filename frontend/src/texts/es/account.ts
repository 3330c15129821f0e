/** Spanish. */

import type { AccountTexts } from '../en/account';

export const account: AccountTexts = {
  // Signing in
  'sign-in': 'Iniciar sesión',
  'sign-out': 'Cerrar sesión',
  register: 'Registrarse',
  forgot: '¿Olvidaste la contraseña?',
  'forgot.why': 'Se te envía un código; con él eliges una contraseña nueva.',
  'account.why': 'Una cuenta reúne varias direcciones y muestra su correo en un solo lugar.',
  'account.without': 'Seguir sin cuenta',
  email: 'Correo electrónico',
  code: 'Código',
  'code.send': 'Enviar código',
  'code.sent': 'Un código va de camino a {email}. Vale cinco minutos.',
  'password.next': 'Contraseña nueva',
  'password.help': 'Al menos ocho caracteres.',
  'passkey.sign-in': 'Entrar con una llave de acceso',
  'passkey.stopped': 'No se usó la llave de acceso. Inténtalo de nuevo o de otra forma.',
  'oauth.sign-in': 'Entrar con {name}',
  'oauth.strange': 'Este inicio no comenzó en este navegador, o tardó demasiado. Empieza de nuevo.',

  // Addresses of an account
  'account.inbox': 'Todo el correo',
  'account.all': 'Todas las direcciones',
  'bound.none': 'Aún no hay direcciones',
  'bound.none.why': 'Vincula una dirección abierta en este navegador, o crea antes una en el buzón.',
  'bound.open': 'Abrir {address}',
  'bound.counts': '{mails} recibidos, {sent} enviados',
  'bound.done': '{address} pertenece a tu cuenta',
  bind: 'Vincular',
  'bind.why': 'Vincúlalas y tu cuenta las abrirá en cualquier dispositivo.',
  unbind: 'Soltar',
  'unbind.of': 'Soltar {address}',
  'unbind.why': 'Sigue abierta y no pertenece a nadie. Su token aún la lee.',
  transfer: 'Ceder',
  'transfer.of': 'Ceder {address}',
  'transfer.to': 'Correo de la otra cuenta',
  'transfer.why': 'El correo va con ella. Todos los tokens de la dirección terminan al momento, también en este navegador.',
  'transfer.done': '{address} pertenece ahora a {to}',
  'page.before': 'Anterior',
  'page.next': 'Siguiente',

  // Passkeys
  passkeys: 'Llaves de acceso',
  'passkeys.why': 'Llaves en un teléfono, portátil o dispositivo. Con una entras sin contraseña.',
  'passkeys.none': 'Aún no hay llaves de acceso.',
  'passkeys.impossible': 'Este navegador no crea llaves de acceso aquí: necesitan una conexión segura (https).',
  'passkey.name': 'Nombre de la llave',
  'passkey.name.like': 'Teléfono, portátil',
  'passkey.add': 'Añadir una llave de acceso',
  'passkey.added': 'La llave de acceso está lista',
  'passkey.remove': 'Quitar {name}',
};
