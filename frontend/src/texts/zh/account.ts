/** Chinese. */

import type { AccountTexts } from '../en/account';

export const account: AccountTexts = {
  // Signing in
  'sign-in': '登录',
  'sign-out': '退出登录',
  register: '注册',
  forgot: '忘记密码？',
  'forgot.why': '我们会发送验证码，凭它可设置新密码。',
  'account.why': '一个账户可持有多个地址，并在一处显示它们的邮件。',
  'account.without': '不使用账户，继续',
  email: '电子邮箱',
  code: '验证码',
  'code.send': '发送验证码',
  'code.sent': '验证码已发往 {email}，五分钟内有效。',
  'password.next': '新密码',
  'password.help': '至少八个字符。',
  'passkey.sign-in': '用通行密钥登录',
  'passkey.stopped': '未使用通行密钥。请重试或换一种方式。',
  'oauth.sign-in': '用 {name} 登录',
  'oauth.strange': '这次登录不是在此浏览器中开始的，或已超时。请重新开始。',

  // Addresses of an account
  'account.inbox': '全部邮件',
  'account.all': '全部地址',
  'bound.none': '还没有地址',
  'bound.none.why': '绑定此浏览器中已打开的地址，或先在邮箱中创建一个。',
  'bound.open': '打开 {address}',
  'bound.counts': '收到 {mails} 封，发送 {sent} 封',
  'bound.done': '{address} 已归入您的账户',
  bind: '绑定',
  'bind.why': '绑定后，您的账户可在任何设备上打开它们。',
  unbind: '解除绑定',
  'unbind.of': '解除绑定 {address}',
  'unbind.why': '地址仍保持打开，但不属于任何人。其令牌仍可读取。',
  transfer: '转让',
  'transfer.of': '转让 {address}',
  'transfer.to': '对方账户的电子邮箱',
  'transfer.why': '邮件会一并转让。该地址的所有令牌立即失效，包括此浏览器中的。',
  'transfer.done': '{address} 现在属于 {to}',
  'page.before': '上一页',
  'page.next': '下一页',

  // Passkeys
  passkeys: '通行密钥',
  'passkeys.why': '存放在手机、电脑或安全密钥中，用它登录无需密码。',
  'passkeys.none': '还没有通行密钥。',
  'passkeys.impossible': '此浏览器无法在此创建通行密钥：需要安全连接 (https)。',
  'passkey.name': '通行密钥的名称',
  'passkey.name.like': '手机、笔记本电脑',
  'passkey.add': '添加通行密钥',
  'passkey.added': '通行密钥已就绪',
  'passkey.remove': '移除 {name}',
};
