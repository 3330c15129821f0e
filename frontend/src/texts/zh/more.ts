/** Chinese. */

import type { MoreTexts } from '../en/more';

export const more: MoreTexts = {
  // Composing
  'from-name': '您的名字',
  balance: '剩余可发邮件',
  'balance.none': '此地址尚不能发送。',
  'access.ask': '申请权限',
  'access.asked': '已申请，由本服务的运营者决定。',
};
