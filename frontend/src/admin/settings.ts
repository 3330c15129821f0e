/** The settings of the service: which there are, and how they are asked for. */

import type { TextKey } from '../texts';
import { addressFault, addressesFault, domainsFault, faultOfField, patternFault, prefixFault, urlFault, type Field, type Values } from './fields';
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

export type RoleLimits = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What limits the members of a role. The service knows a billion mails as the most that it counts to. */
export const ROLE_LIMITS: readonly Field[] = [
  { key: 'maxAddressCount', kind: 'number', text: 'role.addresses', help: 'role.addresses.help', least: 0, most: 1_000_000 },
  { key: 'sendLimitDay', kind: 'number', text: 'set.limit.day.most', help: 'role.sent.help', least: 0, most: 1_000_000_000 },
  { key: 'sendLimitMonth', kind: 'number', text: 'set.limit.month.most', help: 'role.sent.help', least: 0, most: 1_000_000_000 },
];

/** A limit as it is shown: −1 is none. */
export function limitOf(limits: RoleLimits, role: string, key: string): unknown {
  const value = limits[role]?.[key];
  return value === -1 ? undefined : value;
}

/** A copy with another limit; a role without any is left out. */
export function withLimit(limits: RoleLimits, role: string, key: string, value: number | undefined): RoleLimits {
  const { [role]: now, ...others } = limits;
  const { [key]: _, ...rest } = now ?? {};
  const changed = value === undefined ? rest : { ...rest, [key]: value };
  if (Object.keys(changed).length === 0) return others;
  // In its old place, so that what is as it was is no change.
  return role in limits ? { ...limits, [role]: ordered(changed) } : { ...limits, [role]: changed };
}

const ordered = (limits: Readonly<Record<string, unknown>>) =>
  Object.fromEntries([...ROLE_LIMITS.map((field) => field.key).filter((key) => key in limits), ...Object.keys(limits).filter((key) => !ROLE_LIMITS.some((field) => field.key === key))].map((key) => [key, limits[key]]));

/** How many limits of these roles are wrong. */
export const roleFaults = (limits: RoleLimits, roles: readonly string[]): number =>
  roles.flatMap((role) => ROLE_LIMITS.filter((field) => faultOfField(field, limitOf(limits, role, field.key)) !== null)).length;

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

export interface Fact {
  /** Its name in the configuration; in lower case it is the name in the settings file. */
  key: string;
  text: TextKey;
  /** Its name in the settings file, where the service tells something else about it. */
  name?: string;
  /** What it does, where its name does not say it all. */
  help?: TextKey;
  /** A number of octets, or of what; 0 is no bound. */
  as?: 'octets' | 'bound';
}

/** What the settings file decides, beside the settings that it belongs to. */
export const FACTS: Readonly<Record<'addresses' | 'receiving' | 'origin' | 'model' | 'sending' | 'accounts' | 'networks' | 'access' | 'limits' | 'retention', readonly Fact[]>> = {
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
    { key: 'enable_owner_forwarding', text: 'fix.owners', help: 'fix.owners.help' },
    { key: 'ENABLE_AUTO_REPLY', text: 'fix.reply' },
    { key: 'ENABLE_ANOTHER_WORKER', text: 'fix.worker' },
  ],
  origin: [
    { key: 'verify_origin', text: 'fix.origin', help: 'fix.origin.help' },
    { key: 'score_header', text: 'fix.score', help: 'fix.score.help' },
  ],
  model: [
    { key: 'enable_ai_email_extract', text: 'fix.extract', help: 'fix.extract.help' },
    { key: 'extraction_url', text: 'fix.model', help: 'fix.model.help' },
    { key: 'has_extraction_secret', name: 'extraction_secret', text: 'fix.model-secret', help: 'fix.model-secret.help' },
    { key: 'extraction_private_addresses', text: 'fix.model-private', help: 'fix.model-private.help' },
  ],
  sending: [
    { key: 'NO_LIMIT_SEND_ROLE', text: 'fix.no-limit-role' },
    { key: 'enable_send_from_subdomains', text: 'fix.below', help: 'fix.below.help' },
  ],
  accounts: [
    { key: 'USER_ROLES', text: 'fix.roles' },
    { key: 'USER_DEFAULT_ROLE', text: 'fix.default-role' },
    { key: 'ADMIN_USER_ROLE', text: 'fix.admin-role' },
    { key: 'imap_account_login', text: 'fix.imap', help: 'fix.imap.help' },
  ],
  networks: [
    { key: 'asn_database', text: 'fix.owners-file', help: 'fix.owners-file.help' },
    { key: 'trusted_proxies', text: 'fix.proxies', help: 'fix.proxies.help' },
  ],
  access: [{ key: 'DISABLE_ADMIN_PASSWORD_CHECK', text: 'fix.no-password' }],
  limits: [
    { key: 'mailbox_max_mails', text: 'fix.max-mails', help: 'fix.max-mails.help', as: 'bound' },
    { key: 'mailbox_max_octets', text: 'fix.max-octets', help: 'fix.max-octets.help', as: 'octets' },
    { key: 'mailbox_mails_per_minute', text: 'fix.per-minute', as: 'bound' },
    { key: 'mailbox_mails_per_hour', text: 'fix.per-hour', help: 'fix.per-hour.help', as: 'bound' },
  ],
  retention: [{ key: 'retention_octets', text: 'fix.retention', help: 'fix.retention.help', as: 'octets' }],
};
