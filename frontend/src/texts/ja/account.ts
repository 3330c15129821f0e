/** Japanese. */

import type { AccountTexts } from '../en/account';

export const account: AccountTexts = {
  // Signing in
  'sign-in': 'ログイン',
  'sign-out': 'ログアウト',
  register: '登録',
  forgot: 'パスワードを忘れた場合',
  'forgot.why': 'コードをメールで送ります。それで新しいパスワードを決められます。',
  'account.why': 'アカウントは複数のアドレスを持ち、メールを一か所に表示します。',
  'account.without': 'アカウントなしで続ける',
  email: 'メールアドレス',
  code: 'コード',
  'code.send': 'コードを送信',
  'code.sent': '{email} にコードを送りました。5 分間有効です。',
  'password.next': '新しいパスワード',
  'password.help': '8 文字以上。',
  'passkey.sign-in': 'パスキーでログイン',
  'passkey.stopped': 'パスキーは使われませんでした。もう一度試すか、別の方法を使ってください。',
  'oauth.sign-in': '{name} でログイン',
  'oauth.strange': 'このログインはこのブラウザーで始まっていないか、時間切れです。最初からやり直してください。',

  // Addresses of an account
  'account.inbox': 'すべてのメール',
  'account.all': 'すべてのアドレス',
  'bound.none': 'アドレスはまだありません',
  'bound.none.why': 'このブラウザーで開いているアドレスを結び付けるか、先にメールボックスで作成してください。',
  'bound.open': '{address} を開く',
  'bound.counts': '受信 {mails}、送信 {sent}',
  'bound.done': '{address} はあなたのアカウントのものです',
  bind: '結び付ける',
  'bind.why': '結び付けると、どの端末でもアカウントから開けます。',
  unbind: '手放す',
  'unbind.of': '{address} を手放す',
  'unbind.why': '開いたままですが、誰のものでもなくなります。トークンでは引き続き読めます。',
  transfer: '譲渡',
  'transfer.of': '{address} を譲渡',
  'transfer.to': '相手のアカウントのメールアドレス',
  'transfer.why': 'メールも一緒に移ります。このブラウザーを含め、アドレスのトークンはすべて直ちに無効になります。',
  'transfer.done': '{address} は {to} のものになりました',
  'page.before': '前へ',
  'page.next': '次へ',

  // Passkeys
  passkeys: 'パスキー',
  'passkeys.why': 'スマートフォン、PC、セキュリティキーの中の鍵。パスワードなしでログインできます。',
  'passkeys.none': 'パスキーはまだありません。',
  'passkeys.impossible': 'このブラウザーではここでパスキーを作れません。安全な接続（https）が必要です。',
  'passkey.name': 'パスキーの名前',
  'passkey.name.like': 'スマートフォン、ノート PC',
  'passkey.add': 'パスキーを追加',
  'passkey.added': 'パスキーの準備ができました',
  'passkey.remove': '{name} を外す',
};
