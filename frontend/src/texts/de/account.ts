/** German. */

import type { AccountTexts } from '../en/account';

export const account: AccountTexts = {
  // Signing in
  'sign-in': 'Anmelden',
  'sign-out': 'Abmelden',
  register: 'Registrieren',
  forgot: 'Passwort vergessen?',
  'forgot.why': 'Dir wird ein Code geschickt; damit wählst du ein neues Passwort.',
  'account.why': 'Ein Konto hält mehrere Adressen und zeigt ihre Mails an einem Ort.',
  'account.without': 'Ohne Konto weiter',
  email: 'E-Mail',
  code: 'Code',
  'code.send': 'Code senden',
  'code.sent': 'Ein Code ist unterwegs an {email}. Er gilt fünf Minuten.',
  'password.next': 'Neues Passwort',
  'password.help': 'Mindestens acht Zeichen.',
  'passkey.sign-in': 'Mit Passkey anmelden',
  'passkey.stopped': 'Der Passkey wurde nicht benutzt. Versuche es noch einmal oder nimm einen anderen Weg.',
  'oauth.sign-in': 'Mit {name} anmelden',
  'oauth.strange': 'Diese Anmeldung wurde nicht in diesem Browser begonnen oder dauerte zu lange. Beginne neu.',

  // Addresses of an account
  'account.inbox': 'Alle Mails',
  'account.all': 'Alle Adressen',
  'bound.none': 'Noch keine Adressen',
  'bound.none.why': 'Binde eine Adresse, die in diesem Browser offen ist, oder lege zuerst eine im Postfach an.',
  'bound.open': '{address} öffnen',
  'bound.counts': '{mails} empfangen, {sent} gesendet',
  'bound.done': '{address} gehört jetzt zu deinem Konto',
  bind: 'Binden',
  'bind.why': 'Binde sie, und dein Konto öffnet sie auf jedem Gerät.',
  unbind: 'Freigeben',
  'unbind.of': '{address} freigeben',
  'unbind.why': 'Sie bleibt offen und gehört niemandem. Ihr Token liest sie weiter.',
  transfer: 'Übergeben',
  'transfer.of': '{address} übergeben',
  'transfer.to': 'E-Mail des anderen Kontos',
  'transfer.why': 'Die Mails gehen mit. Alle Token der Adresse enden sofort, auch in diesem Browser.',
  'transfer.done': '{address} gehört jetzt {to}',
  'page.before': 'Zurück',
  'page.next': 'Weiter',

  // Passkeys
  passkeys: 'Passkeys',
  'passkeys.why': 'Schlüssel in Telefon, Laptop oder Stick. Damit meldest du dich ohne Passwort an.',
  'passkeys.none': 'Noch keine Passkeys.',
  'passkeys.impossible': 'Dieser Browser erzeugt hier keine Passkeys: sie brauchen eine sichere Verbindung (https).',
  'passkey.name': 'Name des Passkeys',
  'passkey.name.like': 'Telefon, Laptop',
  'passkey.add': 'Passkey hinzufügen',
  'passkey.added': 'Der Passkey ist bereit',
  'passkey.remove': '{name} entfernen',
};
