/** Chinese, of the mini app in Telegram. */

import type { TelegramTexts } from '../en/telegram';

export const telegram: TelegramTexts = {
  mini: 'Telegram 邮件',
  'mini.outside': '请在 Telegram 中打开',
  'mini.outside.why': '此页面属于机器人：请点击其消息下方的按钮。不使用 Telegram 时，邮箱在这里。',
  'mini.addresses': '您的地址',
  'mini.again': '如果此页面打开已久，请从机器人重新打开。',
  'mini.none': '还没有地址。请新建一个，或绑定已有的地址。',
  'mini.any': '任意名称',
  'mini.name.help': '名称、带域名的名称，或留空以随机生成。',
  'mini.made': '{address} 已归您使用',
  'mini.bound': '地址已绑定',
  'mini.bind': '用令牌绑定地址',
  'mini.open': '打开 {address}',
  'mini.release': '解除 {address}',
  'mini.release.why': '机器人将不再通知其邮件，邮箱本身保留。',
  'mini.release.do': '解除',
  'mini.mailbox': '打开邮箱',
};
