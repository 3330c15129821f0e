/** English, of accounts. */

import type { Table } from '../forms';

export const account = {
  // Signing in
  'sign-in': 'Sign in',
  'sign-out': 'Sign out',
  register: 'Register',
  forgot: 'Forgot the password?',
  'forgot.why': 'A code is mailed to you; with it you choose a new password.',
  'account.why': 'An account holds several addresses and shows their mail in one place.',
  'account.without': 'Go on without an account',
  email: 'E-mail',
  code: 'Code',
  'code.send': 'Send code',
  'code.sent': 'A code is on its way to {email}. It is good for five minutes.',
  'password.next': 'New password',
  'password.help': 'At least eight characters.',
  'passkey.sign-in': 'Sign in with a passkey',
  'passkey.stopped': 'The passkey was not used. Try again, or take another way.',
  'oauth.sign-in': 'Sign in with {name}',
  'oauth.strange': 'This sign-in was not begun in this browser, or it took too long. Begin again.',

  // Addresses of an account
  'account.inbox': 'All mail',
  'account.all': 'All addresses',
  'bound.none': 'No addresses yet',
  'bound.none.why': 'Bind an address that is open in this browser, or make one in the mailbox first.',
  'bound.open': 'Open {address}',
  'bound.counts': '{mails} received, {sent} sent',
  'bound.done': '{address} belongs to your account',
  mine: 'Your account',
  'mine.bound': 'It belongs to {email}, who opens it on every device.',
  'mine.bind': 'Bind it to my account',
  'mine.bind.why': '{email} then opens it on every device.',
  'mine.out': 'With an account you come back to it from any device.',
  'mine.addresses': 'In your account',
  'mine.forget': 'Forget {address} here',
  'bound.add': 'Add an address',
  'bound.add.why': 'Make a new one, or open one that you have: it becomes part of your account.',
  'bound.add.new': 'New',
  'bound.add.have': 'One I have',
  bind: 'Bind',
  'bind.why': 'Bind them, and your account opens them on every device.',
  unbind: 'Let go',
  'unbind.of': 'Let go of {address}',
  'unbind.why': 'It stays open, and belongs to nobody. Its token still reads it.',
  transfer: 'Hand over',
  'transfer.of': 'Hand over {address}',
  'transfer.to': 'E-mail of the other account',
  'transfer.why': 'The mail goes along. Every token of the address ends at once, in this browser as well.',
  'transfer.done': '{address} now belongs to {to}',
  'page.before': 'Previous',
  'page.next': 'Next',

  // Passkeys
  passkeys: 'Passkeys',
  'passkeys.why': 'Keys in a phone, a laptop or a stick. With one you sign in without a password.',
  'passkeys.none': 'No passkeys yet.',
  'passkeys.impossible': 'This browser makes no passkeys here: they need a secure connection (https).',
  'passkey.name': 'Name of the passkey',
  'passkey.name.like': 'Phone, laptop',
  'passkey.add': 'Add a passkey',
  'passkey.added': 'The passkey is ready',
  'passkey.remove': 'Remove {name}',
};

export type AccountTexts = Table<typeof account>;
