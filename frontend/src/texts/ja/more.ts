/** Japanese. */

import type { MoreTexts } from '../en/more';

export const more: MoreTexts = {
  // Composing
  'from-name': 'あなたの名前',
  balance: '残り送信数',
  'balance.none': 'このアドレスはまだ送信できません。',
  'access.ask': '許可を求める',
  'access.asked': '申請しました。運営者が判断します。',
};
