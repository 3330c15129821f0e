/** The settings of the service: which there are, and how they are asked for. */

import type { TextKey } from '../texts';
import { addressFault, addressesFault, domainsFault, patternFault, prefixFault, urlFault, type Field, type Values } from './fields';
import type { Shape } from './drafts.svelte';

const asObject = (value: unknown): Values => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : {});

/** A limit that is off has no number; one that is on and empty lets everything through. */
export function limitsOf(stored: unknown): Values {
  const limits = asObject(stored);
  const one = (name: string) => ({ [`${name}Enabled`]: Boolean(limits[`${name}Enabled`]), [`${name}Limit`]: typeof limits[`${name}Limit`] === 'number' ? limits[`${name}Limit`] : undefined });
  return { ...one('daily'), ...one('monthly') };
}

export function limitsToStore(shown: unknown): Values {
  const limits = asObject(shown);
  const one = (name: string) => ({
    [`${name}Enabled`]: Boolean(limits[`${name}Enabled`]),
    [`${name}Limit`]: limits[`${name}Enabled`] ? (typeof limits[`${name}Limit`] === 'number' ? limits[`${name}Limit`] : -1) : null,
  });
  return { ...one('daily'), ...one('monthly') };
}

export const ACCOUNT: Shape = {
  path: '/admin/account_settings',
  read: (answer) => ({ ...asObject(answer), sendMailLimitConfig: limitsOf(asObject(answer)['sendMailLimitConfig']) }),
  write: ({ addressCreationSubdomainMatchStatus: _, ...values }) => {
    const creation = asObject(values['addressCreationSettings']);
    return {
      ...values,
      // Null clears the switch: the settings file decides again.
      addressCreationSettings: { enableSubdomainMatch: typeof creation['enableSubdomainMatch'] === 'boolean' ? creation['enableSubdomainMatch'] : null },
      sendMailLimitConfig: limitsToStore(values['sendMailLimitConfig']),
    };
  },
};
export const USERS: Shape = { path: '/admin/user_settings' };
export const ROLES: Shape = { path: '/admin/role_address_config' };
export const PROVIDERS: Shape = { path: '/admin/user_oauth2_settings', read: (answer) => ({ list: Array.isArray(answer) ? answer : [] }), write: (values) => values['list'] as object, secret: true };
export const ACCESS: Shape = { path: '/admin/ip_blacklist/settings' };
export const EXTRACT: Shape = { path: '/admin/ai_extract/settings' };

/** What overrules the settings file; wrapped, since nothing and empty are two things here. */
export const OVERRIDES: Shape = {
  path: '/admin/overrides',
  read: (answer) => {
    const { stored, configured } = asObject(answer);
    return { configured, ...Object.fromEntries(Object.entries(asObject(stored)).map(([key, own]) => [key, { own }])) };
  },
  // Null gives a setting back to the file.
  write: (values) => Object.fromEntries([...NAMING, ...JUNK].map(({ key }) => [key, asObject(values[key])['own'] ?? null])),
};
export const HOOKS: Shape = { path: '/admin/webhook/settings' };
export const TELEGRAM: Shape = { path: '/admin/telegram/settings' };

export const NEW_ADDRESSES: readonly Field[] = [
  { key: 'blockList', kind: 'list', text: 'set.block', help: 'set.block.help' },
  {
    key: 'addressCreationSettings.enableSubdomainMatch',
    kind: 'choice',
    text: 'set.subdomain',
    help: 'set.subdomain.help',
    choices: [
      { value: null, text: 'set.follow' },
      { value: true, text: 'set.on' },
      { value: false, text: 'set.off' },
    ],
  },
];

const METHODS = ['spf', 'dkim', 'dmarc'];

export const NAMING: readonly Field[] = [
  { key: 'prefix', kind: 'text', text: 'fix.prefix', help: 'over.prefix.help', check: prefixFault },
  { key: 'minAddressLen', kind: 'number', text: 'fix.shortest', help: 'over.length.help', least: 1, most: 64 },
  { key: 'maxAddressLen', kind: 'number', text: 'fix.longest', help: 'over.length.help', least: 1, most: 64 },
  { key: 'randomSubdomainDomains', kind: 'list', text: 'fix.random', help: 'over.random.help', check: domainsFault },
  { key: 'randomSubdomainLength', kind: 'number', text: 'fix.random-length', help: 'over.random-length.help', least: 1, most: 63 },
];

export const JUNK: readonly Field[] = [
  { key: 'enableCheckJunkMail', kind: 'switch', text: 'fix.junk', help: 'over.junk.help' },
  { key: 'junkMailCheckList', kind: 'several', text: 'fix.junk-check', help: 'over.junk-check.help', when: 'enableCheckJunkMail', options: METHODS },
  { key: 'junkMailForcePassList', kind: 'several', text: 'fix.junk-pass', help: 'over.junk-pass.help', when: 'enableCheckJunkMail', options: METHODS },
];

export const RECEIVING: readonly Field[] = [
  { key: 'emailRuleSettings.blockReceiveUnknowAddressEmail', kind: 'switch', text: 'set.unknown', help: 'set.unknown.help' },
  { key: 'fromBlockList', kind: 'list', text: 'set.from-block', help: 'set.from-block.help' },
];

export const LIMITS: readonly Field[] = [
  { key: 'sendMailLimitConfig.dailyEnabled', kind: 'switch', text: 'set.limit.day', help: 'set.limit.help' },
  { key: 'sendMailLimitConfig.dailyLimit', kind: 'number', text: 'set.limit.day.most', help: 'set.limit.most.help', when: 'sendMailLimitConfig.dailyEnabled', unit: 'set.per-day', least: -1 },
  { key: 'sendMailLimitConfig.monthlyEnabled', kind: 'switch', text: 'set.limit.month', help: 'set.limit.help' },
  { key: 'sendMailLimitConfig.monthlyLimit', kind: 'number', text: 'set.limit.month.most', help: 'set.limit.most.help', when: 'sendMailLimitConfig.monthlyEnabled', unit: 'set.per-month', least: -1 },
];

export const RECIPIENTS: readonly Field[] = [
  { key: 'sendBlockList', kind: 'list', text: 'set.send-block', help: 'set.send-block.help' },
  { key: 'verifiedAddressList', kind: 'list', text: 'set.verified', help: 'set.verified.help', check: addressesFault },
  { key: 'noLimitSendAddressList', kind: 'list', text: 'set.no-limit', help: 'set.lines', check: addressesFault },
];

export const REGISTERING: readonly Field[] = [
  { key: 'enable', kind: 'switch', text: 'set.register', help: 'set.register.help' },
  { key: 'enableMailVerify', kind: 'switch', text: 'set.verify', help: 'set.verify.help' },
  { key: 'verifyMailSender', kind: 'text', text: 'set.verify-sender', help: 'set.verify-sender.help', when: 'enableMailVerify', check: addressFault },
  { key: 'enableMailAllowList', kind: 'switch', text: 'set.allow-domains', help: 'set.allow-domains.help' },
  { key: 'mailAllowList', kind: 'list', text: 'set.domains', help: 'set.lines', when: 'enableMailAllowList', check: domainsFault },
  { key: 'enableEmailCheckRegex', kind: 'switch', text: 'set.email-pattern', help: 'set.email-pattern.help' },
  { key: 'emailCheckRegex', kind: 'text', text: 'set.pattern', help: 'set.pattern.help', when: 'enableEmailCheckRegex', check: patternFault },
  { key: 'maxAddressCount', kind: 'number', text: 'set.most', help: 'set.most.help', unit: 'set.addresses', most: 1_000_000 },
];

export const BLOCKED: readonly Field[] = [
  { key: 'enabled', kind: 'switch', text: 'set.ip', help: 'set.ip.help' },
  { key: 'blacklist', kind: 'list', text: 'set.ip-block', help: 'set.ip-block.help', when: 'enabled' },
  { key: 'asnBlacklist', kind: 'list', text: 'set.asn', help: 'set.asn.help', when: 'enabled' },
  { key: 'fingerprintBlacklist', kind: 'list', text: 'set.fingerprint', help: 'set.fingerprint.help', when: 'enabled' },
];

export const ALLOWED: readonly Field[] = [
  { key: 'enableWhitelist', kind: 'switch', text: 'set.only', help: 'set.only.help' },
  { key: 'whitelist', kind: 'list', text: 'set.ip-allow', help: 'set.ip-allow.help', when: 'enableWhitelist' },
];

export const DAILY: readonly Field[] = [
  { key: 'enableDailyLimit', kind: 'switch', text: 'set.daily', help: 'set.daily.help' },
  { key: 'dailyRequestLimit', kind: 'number', text: 'set.daily.most', when: 'enableDailyLimit', unit: 'set.per-day', least: 1, most: 1_000_000 },
];

export const CODES: readonly Field[] = [
  { key: 'enableAllowList', kind: 'switch', text: 'set.extract.only', help: 'set.extract.only.help' },
  { key: 'allowList', kind: 'list', text: 'set.allow-list', help: 'set.allow-list.help', when: 'enableAllowList' },
];

export const HOOK_OWNERS: readonly Field[] = [
  { key: 'enableAllowList', kind: 'switch', text: 'set.hooks.only', help: 'set.hooks.only.help' },
  { key: 'allowList', kind: 'list', text: 'set.allow-list', help: 'set.lines', when: 'enableAllowList', check: addressesFault },
];

export const BOT: readonly Field[] = [
  { key: 'enableAllowList', kind: 'switch', text: 'tg.only', help: 'tg.only.help' },
  { key: 'allowList', kind: 'list', text: 'tg.allowed', help: 'tg.ids.help', when: 'enableAllowList' },
  { key: 'miniAppUrl', kind: 'text', text: 'tg.app', help: 'tg.app.help', check: urlFault },
  { key: 'enableGlobalMailPush', kind: 'switch', text: 'tg.push', help: 'tg.push.help' },
  { key: 'globalMailPushList', kind: 'list', text: 'tg.pushed', help: 'tg.ids.help', when: 'enableGlobalMailPush' },
];

interface Fact {
  key: string;
  text: TextKey;
}

/** What the settings file decides, beside the settings that it belongs to. */
export const FACTS: Readonly<Record<'addresses' | 'receiving' | 'sending' | 'accounts' | 'access', readonly Fact[]>> = {
  addresses: [
    { key: 'ENABLE_USER_CREATE_EMAIL', text: 'fix.create' },
    { key: 'DISABLE_ANONYMOUS_USER_CREATE_EMAIL', text: 'fix.anonymous' },
    { key: 'ENABLE_USER_DELETE_EMAIL', text: 'fix.delete' },
    { key: 'DEFAULT_DOMAINS', text: 'fix.domains' },
    { key: 'ADDRESS_CHECK_REGEX', text: 'fix.check' },
    { key: 'ADDRESS_REGEX', text: 'fix.drop' },
  ],
  receiving: [
    { key: 'REMOVE_EXCEED_SIZE_ATTACHMENT', text: 'fix.big-files' },
    { key: 'REMOVE_ALL_ATTACHMENT', text: 'fix.all-files' },
    { key: 'FORWARD_ADDRESS_LIST', text: 'fix.forward' },
    { key: 'SUBDOMAIN_FORWARD_ADDRESS_LIST', text: 'fix.forward-rules' },
    { key: 'ENABLE_AUTO_REPLY', text: 'fix.reply' },
    { key: 'ENABLE_ANOTHER_WORKER', text: 'fix.worker' },
  ],
  sending: [{ key: 'NO_LIMIT_SEND_ROLE', text: 'fix.no-limit-role' }],
  accounts: [
    { key: 'USER_ROLES', text: 'fix.roles' },
    { key: 'USER_DEFAULT_ROLE', text: 'fix.default-role' },
    { key: 'ADMIN_USER_ROLE', text: 'fix.admin-role' },
  ],
  access: [{ key: 'DISABLE_ADMIN_PASSWORD_CHECK', text: 'fix.no-password' }],
};
