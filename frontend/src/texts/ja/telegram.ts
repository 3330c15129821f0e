/** Japanese, of the mini app in Telegram. */

import type { TelegramTexts } from '../en/telegram';

export const telegram: TelegramTexts = {
  mini: 'Telegram のメール',
  'mini.outside': 'Telegram で開いてください',
  'mini.outside.why': 'このページはボットのものです。ボットのメッセージにあるボタンを押してください。Telegram なしのメールボックスはこちらです。',
  'mini.addresses': 'あなたのアドレス',
  'mini.again': '長く開いていた場合は、ボットからもう一度開いてください。',
  'mini.none': 'アドレスはまだありません。新しく作るか、お持ちのものを登録してください。',
  'mini.any': '任意の名前',
  'mini.name.help': '名前、ドメイン付きの名前、または空欄でランダム。',
  'mini.made': '{address} はあなたのものです',
  'mini.bound': 'アドレスを登録しました',
  'mini.bind': 'トークンでアドレスを登録',
  'mini.open': '{address} を開く',
  'mini.release': '{address} を外す',
  'mini.release.why': 'ボットはこのアドレスのメールを知らせなくなります。メールボックスは残ります。',
  'mini.release.do': '外す',
  'mini.mailbox': 'メールボックスを開く',
};
