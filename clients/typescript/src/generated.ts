// Written by `make docs` from the routes of the service. Do not edit.
import { Caller, type CallOptions } from "./caller.js";

/** What a front end needs before anybody has logged in. */
export interface SiteSettings {
  announcement: string;
  alwaysShowAnnouncement: boolean;
  prefix: string;
  addressRegex: string;
  minAddressLen: number;
  maxAddressLen: number;
  defaultDomains: string[];
  domains: string[];
  randomSubdomainDomains: string[];
  domainLabels: string[];
  needAuth: boolean;
  enableUserCreateEmail: boolean;
  disableAnonymousUserCreateEmail: boolean;
  disableCustomAddressName: boolean;
  enableUserDeleteEmail: boolean;
  enableAutoReply: boolean;
  enableIndexAbout: boolean;
  enableWebhook: boolean;
  enableAddressPassword: boolean;
  enableAgentEmailInfo: boolean;
  disableAdminPasswordCheck: boolean;
  isS3Enabled: boolean;
  enableSendMail: boolean;
  version: string;
  showGithub: boolean;
  showGithubForUser: boolean;
  smtpImapProxyConfig: Record<string, unknown>;
  statusUrl: string;
  enableGlobalTurnstileCheck: boolean;
  title?: string;
  adminContact?: string;
  copyright?: string;
  cfTurnstileSiteKey?: string;
  enableAltcha?: boolean;
  repositoryUrl?: string;
  enableOwnerForwarding?: boolean;
  imapAccountLogin?: boolean;
  mailboxLimits?: LimitsOfMailboxes;
}

/**
 * What every mailbox may hold, and what may arrive for it in a minute and an hour of the clock
 * (UTC); 0: any.
 */
export interface LimitsOfMailboxes {
  mails: number;
  octets: number;
  perMinute: number;
  perHour: number;
}

/** A proof of work to do (ALTCHA 2): parameters, and our signature over them. */
export interface Challenge {
  parameters: Record<string, unknown>;
  signature: string;
}

/** The lower-case hex SHA-256 of a password. */
export interface OpenApiSecret {
  password?: string | null;
  cf_token?: string | null;
}

/** A change was made, or was not needed. */
export interface Success {
  success?: boolean;
}

/** An address token. */
export interface Credential {
  credential?: string | null;
  cf_token?: string | null;
}

/** What a new address should be like; nothing is needed. */
export interface AddressWish {
  name?: string | null;
  domain?: string | null;
  cf_token?: string | null;
  enableRandomSubdomain?: boolean | number | string | null;
  expires_in?: unknown;
}

/**
 * An opened address. `password` is shown this once, when addresses have passwords; `expires_at`
 * is there when it has a lifetime.
 */
export interface NewAddress {
  jwt: string;
  address: string;
  password: string | null;
  address_id: number;
  expires_at?: string;
}

/** The mailbox of a token, and how many mails it may still send; when it ends, when it does. */
export interface MailboxState {
  address: string;
  send_balance: number;
  expires_at?: string;
}

/** A token for the address. */
export interface LoggedIn {
  jwt: string;
  address: string;
}

/** An address and the lower-case hex SHA-256 of its password. */
export interface Login {
  email?: string | null;
  password?: string | null;
  cf_token?: string | null;
}

/** The lower-case hex SHA-256 of the new password. */
export interface NewPassword {
  new_password?: string | null;
}

/** A page of mails; `count` is the total on the first page, and 0 on all others. */
export interface MailPage {
  results: MailRow[];
  count: number;
}

/** A mail with its whole source. `metadata` is JSON in a string. */
export interface MailRow {
  id: number;
  message_id: string | null;
  source: string;
  address: string;
  raw: string;
  metadata: string | null;
  created_at: string;
}

/** A page of mails taken apart. */
export interface ParsedPage {
  results: ParsedRow[];
  count: number;
}

/** A mail taken apart. `to` is `address` under the name that the documentation promised. */
export interface ParsedRow {
  id: number;
  message_id: string | null;
  source: string;
  address: string;
  to: string;
  metadata: string | null;
  created_at: string;
  sender: string;
  subject: string;
  text: string;
  html: string;
  attachments: ParsedAttachment[];
}

/** An attachment without its bytes; `size` is octets, decoded. */
export interface ParsedAttachment {
  filename: string;
  mimeType: string;
  disposition: string;
  size: number;
}

/** A page of light rows. `unread` counts the whole mailbox. */
export interface InboxPage {
  results: LightRow[];
  count: number;
  unread: number;
  next_before_id: number | null;
}

/**
 * A mail in a list: everything but its text. `code` and `link` are the best of their kind.
 * `code_confidences` say how sure each of `codes` is, 0 to 1, in their order; absent where that
 * is not known. `verdicts` are null until they were found out.
 */
export interface LightRow {
  id: number;
  address: string;
  source: string;
  from_name: string;
  from_address: string;
  to: string;
  subject: string;
  preview: string;
  created_at: string;
  size: number;
  message_id: string | null;
  seen: boolean;
  flagged: boolean;
  answered: boolean;
  attachment_count: number;
  code: string | null;
  codes: string[];
  link: LinkRow | null;
  links: LinkRow[];
  verdicts?: VerdictsRow | null;
  text?: string;
  code_confidences?: number[];
}

/**
 * A link that a mail asks to follow. `confidence`: how sure that is, 0 to 1; absent from brief
 * rows, and where it is not known.
 */
export interface LinkRow {
  url: string;
  text: string;
  host: string;
  confidence?: number;
}

/**
 * Where a mail comes from, one word a method (RFC 8601 §2.7): `none`, `pass`, `fail`,
 * `temperror`, `permerror`, and for SPF and DKIM a few more.
 */
export interface VerdictsRow {
  spf: string;
  dkim: string;
  dmarc: string;
  arc: string;
}

/** A page of brief rows. `unread` counts the whole mailbox. */
export interface BriefPage {
  results: BriefRow[];
  count: number;
  unread: number;
  next_before_id: number | null;
}

/**
 * A mail in a brief list, where what is empty is left out: an absent mark is false, an absent
 * count 0, an absent text empty.
 */
export interface BriefRow {
  id: number;
  created_at: string;
  size: number;
  from_address?: string;
  from_name?: string;
  subject?: string;
  preview?: string;
  seen?: boolean;
  flagged?: boolean;
  answered?: boolean;
  attachment_count?: number;
  code?: string | null;
  link?: LinkRow | null;
}

/**
 * A mail opened for reading: its light row, and everything that is inside. `html` is sanitised
 * and belongs into a sandboxed frame; it had `remote_count` references to the web, which are
 * gone unless they were asked for.
 */
export interface OpenedMail {
  id: number;
  address: string;
  source: string;
  from_name: string;
  from_address: string;
  to: string;
  subject: string;
  preview: string;
  created_at: string;
  size: number;
  message_id: string | null;
  seen: boolean;
  flagged: boolean;
  answered: boolean;
  attachment_count: number;
  code: string | null;
  codes: string[];
  link: LinkRow | null;
  links: LinkRow[];
  verdicts?: VerdictsRow | null;
  code_confidences?: number[];
  text: string;
  html: string;
  remote_count: number;
  headers: HeaderRow[];
  attachments: PartRow[];
  reply_to: string;
  cc: string;
  in_reply_to: string;
  references: string;
}

/** One header field, decoded. */
export interface HeaderRow {
  name: string;
  value: string;
}

/** A part that can be fetched by its index; `size` is octets, decoded. */
export interface PartRow {
  index: number;
  filename: string;
  mime_type: string;
  size: number;
  disposition: string;
  content_id: string;
}

/** The mail that came; null when the time passed first. */
export interface Waited {
  mail: LightRow | null;
}

/**
 * Where a mail comes from: the words, and the value of an Authentication-Results field under
 * the name of this host (RFC 8601). `score` is the sum of `signs`: the higher, the more speaks
 * against the author. All null, and no signs, until it was found out.
 */
export interface Authentication {
  verdicts: VerdictsRow | null;
  authentication_results: string | null;
  score: number | null;
  signs: ScoreSign[];
}

/** One thing that counts: `dmarc=fail`, `mixed-scripts` … */
export interface ScoreSign {
  name: string;
  points: number;
}

/** Marks to set or clear; an absent one stays as it is. */
export interface Marks {
  seen?: boolean | null;
  flagged?: boolean | null;
  answered?: boolean | null;
}

/** The same marks for several mails. */
export interface MarkMany {
  seen?: boolean | null;
  flagged?: boolean | null;
  answered?: boolean | null;
  ids?: number[];
}

/** How many mails changed. */
export interface Marked {
  success: boolean;
  changed: number;
}

/** What was found, the surest first; `code` and `link` are the best of their kind. */
export interface Extracted {
  code: string | null;
  codes: ExtractedCode[];
  link: string | null;
  links: ExtractedLink[];
}

/**
 * A code to type. `confidence` is 0 to 1. `rule`: `named` (a word for codes and `:` or `is`
 * stand before it), `near` (such a word is around it), `alone` (on a line of its own in a mail
 * whose subject speaks of a code), `subject` (within a line of such a mail), `model`.
 */
export interface ExtractedCode {
  code: string;
  confidence: number;
  rule: string;
}

/**
 * A link to press. `confidence` is 0 to 1. `rule` is what says that it confirms, resets or
 * signs in: its `label`, its `address`, `both`, or a `model`.
 */
export interface ExtractedLink {
  url: string;
  text: string;
  host: string;
  confidence: number;
  rule: string;
}

/**
 * The mails and octets in a mailbox, and the mails that arrived for it in this minute and hour
 * of the clock (UTC); `max_…` and `…_per_…` are its limits, 0: any. `full`: further mail waits
 * with its sender until something is deleted.
 */
export interface Usage {
  mails: number;
  octets: number;
  in_minute: number;
  in_hour: number;
  max_mails: number;
  max_octets: number;
  mails_per_minute: number;
  mails_per_hour: number;
  full: boolean;
}

/** What a mailbox saved, a thousand at most; without `results` when it saved nothing. */
export interface KeyList {
  results?: KeyRow[];
}

/** One saved attachment. */
export interface KeyRow {
  key: string;
}

/** The name of an attachment; slashes part folders. */
export interface Key {
  key?: unknown;
}

/** An address that may be used by anybody for a while: PUT the bytes as they are, or GET. */
export interface SignedUrl {
  url: string;
}

/** A mail to send. `content` is text, or HTML with `is_html`; `text` and `html` give both. */
export interface MailBody {
  from_name?: string | number | boolean | null;
  to_name?: string | number | boolean | null;
  to_mail?: string | string[] | null;
  subject?: string | number | boolean | null;
  content?: string | number | boolean | null;
  is_html?: boolean | number | string | null;
  cc?: string | string[] | null;
  bcc?: string | string[] | null;
  reply_to?: string | string[] | null;
  text?: string | null;
  html?: string | null;
  attachments?: FileBody[] | null;
  in_reply_to?: string | null;
  references?: string | string[] | null;
  headers?: Record<string, string> | null;
}

/** A file to send; its content is base64. */
export interface FileBody {
  filename: string;
  content: string;
  type?: string;
  disposition?: string;
  content_id?: string;
}

/**
 * The mail is on disk and ours to deliver or report. `id` is that of its row in `/api/sent`.
 */
export interface SendingQueued {
  status: string;
  queue_id: string;
  id: number;
  message_id: string;
}

/** A sending-type request was taken. */
export interface Sent {
  status?: string;
}

/** A page of sent mails, newest first. */
export interface SentPage {
  results: SentRow[];
  count: number;
  next_before_id: number | null;
}

/** A sent mail; `state` is that of the recipient who is worst off. */
export interface SentRow {
  id: number;
  queue_id: string;
  subject: string;
  from_address: string;
  to: string[];
  created_at: string;
  size: number;
  state: string;
  recipients: RecipientRow[];
}

/** One recipient and its fate: queued, held, sending, deferred, delivered or failed. */
export interface RecipientRow {
  address: string;
  state: string;
  attempts: number;
  next_attempt_at: string | null;
  last_reply: string | null;
  updated_at: string;
}

/** A sent mail with its text and all attempts. `html` is sanitised. */
export interface OpenedSentMail {
  id: number;
  queue_id: string;
  subject: string;
  from_address: string;
  to: string[];
  created_at: string;
  size: number;
  state: string;
  recipients: RecipientRow[];
  text: string;
  html: string;
  headers: HeaderRow[];
  attachments: PartRow[];
  attempts: AttemptRow[];
}

/** One attempt at one recipient, and what was said in it. */
export interface AttemptRow {
  recipient: string;
  at: string;
  remote: string;
  reply: string;
  conversation: string;
}

/** A page of sent mails; `count` is the total on the first page, and 0 on all others. */
export interface SendboxPage {
  results: SendboxMail[];
  count: number;
}

/** A sent mail of the contract; `raw` is the JSON of the request in a string. */
export interface SendboxMail {
  id: number;
  address: string;
  raw: string;
  created_at: string;
}

/** The saved answer; empty when none ever was. */
export interface SavedReply {
  subject?: string;
  message?: string;
  enabled?: boolean;
  source_prefix?: string;
  name?: string;
}

/** The answer that is to be saved. */
export interface ReplyChange {
  auto_reply: ReplyBody;
}

/**
 * An automatic answer. `source_prefix` says whom it goes to: empty everybody, `/…/` a pattern
 * of the reverse-path, else how that begins.
 */
export interface ReplyBody {
  subject?: string | null;
  message?: string | null;
  enabled?: unknown;
  source_prefix?: string | null;
  name?: string | null;
}

/**
 * `on`: mail goes on to `target` since that time. `asked`: a code was mailed to that address
 * and not shown yet; it ends at `code_ends_at` and may be tried `tries_left` times. Both may be
 * so at once, while one target is to take the place of another; then the state is `on`.
 */
export interface ForwardingState {
  state: "asked" | "off" | "on";
  target: string | null;
  since: string | null;
  asked: string | null;
  code_ends_at: string | null;
  tries_left: number;
}

/** An address that is to get the mail. */
export interface Target {
  target: string;
}

/** The code that was mailed to the target. */
export interface Code {
  code: string;
}

/**
 * One webhook. `headers` and `body` are texts that hold JSON. Without `conditions` it tells of
 * every mail.
 */
export interface WebhookSettings {
  enabled?: boolean;
  url?: string;
  method?: string;
  headers?: string;
  body?: string;
  conditions?: Conditions;
}

/**
 * Of which mail a webhook tells; what is absent or empty does not matter, all others must hold.
 * `senders` and `recipients` are addresses in any case, with `*` for any text, of which one
 * must fit; `subject` is a regular expression (JavaScript, any case).
 */
export interface Conditions {
  senders?: string[];
  recipients?: string[];
  subject?: string;
  has_code?: boolean | null;
  has_attachment?: boolean | null;
  verdicts?: WantedVerdicts;
}

/**
 * What may have been found out about where a mail comes from: for each method the words that
 * will do, such as `["pass"]`; none: any.
 */
export interface WantedVerdicts {
  spf?: string[];
  dkim?: string[];
  dmarc?: string[];
  arc?: string[];
}

/** The receiver took the post of a test call. `conditions` only where the settings have any. */
export interface Tested {
  success?: boolean;
  conditions?: TestedConditions;
}

/**
 * Whether the mail of a test call meets the conditions: otherwise it would not have been
 * posted, and `unmet` says because of which.
 */
export interface TestedConditions {
  met: boolean;
  unmet: string[];
}

/** A page of the log, newest first. */
export interface PostPage {
  results: PostRow[];
  next_before_id: number | null;
}

/**
 * One post: waiting, posting, delivered or failed; `status` 0 means that nothing came back.
 * `answer` is the beginning of what the receiver said.
 */
export interface PostRow {
  id: number;
  webhook_id: string;
  mail_id: number;
  to: string;
  url: string;
  method: string;
  state: string;
  attempts: number;
  status: number;
  reason: string;
  reason_told: ToldRow | null;
  answer: string;
  created_at: string;
  attempted_at: string | null;
  next_attempt_at: string | null;
}

/**
 * What a sentence of the same answer says: a stable code, and what is filled in. Values whose
 * name ends with `_seconds` say how far ahead something lies; `n` decides between singular and
 * plural.
 */
export interface ToldRow {
  code: string;
  values: Record<string, string | number>;
}

/** With what posts are signed (Standard Webhooks); empty when they are not. */
export interface WebhookSecret {
  secret: string;
}

/** Whether accounts are opened here, and how; a switch that was never set is left out. */
export interface OpenSettings {
  enable?: boolean;
  enableMailVerify?: boolean;
  oauth2ClientIDs: ProviderButton[];
}

/** A provider that people may sign in by. */
export interface ProviderButton {
  clientID: string;
  name: string;
  icon?: string;
}

/**
 * An account by its token. `access_token` proves its role for an hour; `new_user_token` is
 * there when the one that was shown ends soon.
 */
export interface AccountState {
  user_email: string;
  user_id: number;
  exp: number;
  iat: number;
  is_admin?: boolean;
  access_token: string | null;
  new_user_token: string | null;
  user_role?: RoleOfAccount | null;
}

/** A role: the domains of its members' addresses, and what their names begin with. */
export interface RoleOfAccount {
  role: string;
  domains: string[] | string | null;
  prefix: string | null;
}

/** An e-mail and the lower-case hex SHA-256 of the account's password. */
export interface AccountLogin {
  email?: string | null;
  password?: string | null;
  cf_token?: string | null;
}

/** The token of an account, for `x-user-token`. */
export interface AccountToken {
  jwt: string;
}

/** Where the code goes. */
export interface CodeWish {
  email?: string | null;
  cf_token?: string | null;
}

/** The code is on its way, and good for so many seconds. */
export interface CodeSent {
  success: boolean;
  expirationTtl: number;
}

/**
 * An e-mail, the lower-case hex SHA-256 of a password, and the mailed code where one is asked
 * for.
 */
export interface Registration {
  email?: string | null;
  password?: string | null;
  code?: string | number | null;
  cf_token?: string | null;
}

/** A page of addresses; `count` is the total on the first page, and 0 on all others. */
export interface AddressPage {
  results: AddressRow[];
  count: number;
}

/** An address and how much mail it has. */
export interface AddressRow {
  id: number;
  name: string;
  source_meta: string | null;
  created_at: string;
  updated_at: string;
  mail_count: number;
  send_count: number;
  expires_at?: string;
}

/** A token for an address. */
export interface Token {
  jwt: string;
}

/** The id of an address of the account. */
export interface BoundAddress {
  address_id?: number | string | null;
}

/** An address of the account, and the e-mail of the account that gets it. */
export interface Transfer {
  address_id?: number | string | null;
  target_user_email?: string | null;
}

/** A mail to send, with the token of its mailbox. */
export interface TokenMailBody {
  from_name?: string | number | boolean | null;
  to_name?: string | number | boolean | null;
  to_mail?: string | string[] | null;
  subject?: string | number | boolean | null;
  content?: string | number | boolean | null;
  is_html?: boolean | number | string | null;
  cc?: string | string[] | null;
  bcc?: string | string[] | null;
  reply_to?: string | string[] | null;
  text?: string | null;
  html?: string | null;
  attachments?: FileBody[] | null;
  in_reply_to?: string | null;
  references?: string | string[] | null;
  headers?: Record<string, string> | null;
  token?: string | null;
}

/** What a mail program said at AUTH. */
export interface SmtpLogin {
  username?: string;
  password?: string;
}

/** Whom it proves, and the bearer token for submitting. */
export interface Proved {
  kind: string;
  address: string;
  address_id: number;
  unlimited: boolean;
  token: string;
}

/** The message is on disk and ours to deliver or to report. */
export interface Accepted {
  queue_id: string;
}

/** The address to open. */
export interface AdminWish {
  name?: string | null;
  domain?: string | null;
  enablePrefix?: boolean | number | string | null;
  enableRandomSubdomain?: boolean | number | string | null;
  expires_in?: unknown;
}

/**
 * The addresses to open: these names, or so many (`count`) with names of our choosing. All are
 * in one domain, each below a random label of its own with `enableRandomSubdomain`;
 * `expires_in` is their lifetime in seconds.
 */
export interface ManyWishes {
  names?: string[] | null;
  count?: number | null;
  domain?: string | null;
  enablePrefix?: boolean;
  enableRandomSubdomain?: boolean;
  expires_in?: number | null;
}

/** The opened addresses, in the order of their names. */
export interface NewAddresses {
  results: NewAddress[];
}

/** Seconds from now on; null: without end. */
export interface Lifetime {
  expires_in: number | null;
}

/** When the address ends; null: never. */
export interface Ends {
  expires_at: string | null;
  success?: boolean;
}

/** The lower-case hex SHA-256 of the new password. */
export interface PasswordOf {
  password?: string | null;
}

/** A page of light rows; `count` is the total on the first page, and 0 on all others. */
export interface EverybodysPage {
  results: LightRow[];
  count: number;
}

/** A page of allowances; `count` is the total on the first page, and 0 on all others. */
export interface AllowancePage {
  results: AllowanceRow[];
  count: number;
}

/** How many mails an address may send; `enabled` is 0 or 1. */
export interface AllowanceRow {
  id: number;
  address: string;
  balance: number;
  enabled: number;
  created_at: string;
}

/** A new allowance. `address_id` is the id of the allowance's row. */
export interface AllowanceChange {
  address?: string | null;
  address_id?: number | string | null;
  balance?: number | string | null;
  enabled?: boolean | number | string | null;
}

/** A mail to send, and in whose name: any address of our domains. */
export interface AdminMailBody {
  from_name?: string | number | boolean | null;
  to_name?: string | number | boolean | null;
  to_mail?: string | string[] | null;
  subject?: string | number | boolean | null;
  content?: string | number | boolean | null;
  is_html?: boolean | number | string | null;
  cc?: string | string[] | null;
  bcc?: string | string[] | null;
  reply_to?: string | string[] | null;
  text?: string | null;
  html?: string | null;
  attachments?: FileBody[] | null;
  in_reply_to?: string | null;
  references?: string | string[] | null;
  headers?: Record<string, string> | null;
  from_mail?: string | null;
}

/** What an administrator may change while the service runs. */
export interface AccountSettings {
  blockList: string[];
  sendBlockList: string[];
  verifiedAddressList: string[];
  fromBlockList: string[];
  noLimitSendAddressList: string[];
  emailRuleSettings: Record<string, unknown>;
  addressCreationSettings: Record<string, unknown>;
  addressCreationSubdomainMatchStatus: SubdomainMatch;
  sendMailLimitConfig: Record<string, unknown> | null;
}

/** Whether subdomains may be opened: what is configured, stored, and so in force. */
export interface SubdomainMatch {
  envConfigured: boolean;
  envEnabled: boolean;
  effectiveEnabled: boolean;
  storedEnabled?: boolean;
}

/** The lists are replaced; the first three are needed. */
export interface SettingsChange {
  blockList?: string[] | null;
  sendBlockList?: string[] | null;
  verifiedAddressList?: string[] | null;
  fromBlockList?: string[] | null;
  noLimitSendAddressList?: string[] | null;
  emailRuleSettings?: Record<string, unknown> | null;
  addressCreationSettings?: unknown;
  sendMailLimitConfig?: unknown;
}

/** What is stored (only what overrules), what the configuration says, and what holds. */
export interface OverrideState {
  stored: Overrides;
  configured: InForce;
  effective: InForce;
}

/** What an administrator stored of it; None: as the configuration says. */
export interface Overrides {
  prefix?: string | null;
  minAddressLen?: number | null;
  maxAddressLen?: number | null;
  randomSubdomainDomains?: string[] | null;
  randomSubdomainLength?: number | null;
  enableCheckJunkMail?: boolean | null;
  junkMailCheckList?: string[] | null;
  junkMailForcePassList?: string[] | null;
}

/** What holds now, by the names of the configuration (mailbox-api §7.2). */
export interface InForce {
  prefix?: string;
  minAddressLen?: number;
  maxAddressLen?: number;
  randomSubdomainDomains?: string[];
  randomSubdomainLength?: number;
  enableCheckJunkMail?: boolean;
  junkMailCheckList?: string[];
  junkMailForcePassList?: string[];
}

/** Totals; an address is active when its owner was there within the days named. */
export interface Figures {
  mailCount: number;
  addressCount: number;
  activeAddressCount7days: number;
  activeAddressCount30days: number;
  userCount: number;
  sendMailCount: number;
}

/** A page of accounts; `count` is the total on the first page, and 0 on all others. */
export interface AccountPage {
  results: AccountRow[];
  count: number;
}

/** An account and how many addresses it holds. */
export interface AccountRow {
  id: number;
  user_email: string;
  created_at: string;
  updated_at: string;
  role_text: string | null;
  address_count: number;
}

/** An e-mail and the lower-case hex SHA-256 of a password. */
export interface NewAccount {
  email?: string | null;
  password?: string | null;
}

/** An account and its role; the empty text takes it away. */
export interface RoleChange {
  user_id?: number | string | null;
  role_text?: string | null;
}

/** How many addresses the members of each role may hold. */
export interface RoleLimits {
  configs?: unknown;
}

/** All addresses of an account. */
export interface AddressList {
  results: AddressRow[];
}

/** An account and an address, each by its id or by its text. */
export interface UsersBinding {
  user_email?: string | null;
  user_id?: number | string | null;
  address?: string | null;
  address_id?: number | string | null;
}

/** Which addresses may have a webhook of their own: all, unless the list is on. */
export interface AllowList {
  enableAllowList?: boolean;
  allowList?: string[];
}

/**
 * A mail in the words of the platform: `from` any address of our domains, `html`, `text` or
 * both.
 */
export interface PlatformMail {
  from?: string | BindingPerson | null;
  to?: string | string[] | null;
  subject?: string | null;
  html?: string | null;
  text?: string | null;
  cc?: string | string[] | null;
  bcc?: string | string[] | null;
  replyTo?: string | BindingPerson | null;
  attachments?: PlatformFile[] | null;
  headers?: Record<string, string> | null;
}

/** An address, perhaps with a name. */
export interface BindingPerson {
  email: string;
  name?: string | null;
}

/** A file; its content is base64. */
export interface PlatformFile {
  content: string;
  filename: string;
  type?: string;
  disposition?: string;
  contentId?: string | null;
}

/** Entries are addresses, networks, patterns or parts of a text; days are counted in UTC. */
export interface AccessPolicy {
  enabled: boolean;
  blacklist: string[];
  asnBlacklist: string[];
  fingerprintBlacklist: string[];
  enableDailyLimit: boolean;
  dailyRequestLimit: number;
  enableWhitelist?: boolean;
  whitelist?: string[];
}

/** All mailboxes, unless the list is on and has entries: addresses, with `*` for any text. */
export interface ExtractList {
  enableAllowList?: boolean;
  allowList?: string[];
}

/**
 * `cleanType`: mails, mails_unknow, sendbox, inactiveAddress, addressCreated, unboundAddress or
 * emptyAddress. What is older than `cleanDays` (0 to 1000) days is deleted.
 */
export interface CleanupRequest {
  cleanType?: unknown;
  cleanDays?: unknown;
}

/** What is deleted every night: kinds with their age in days, and statements. */
export interface AutoCleanup {
  enableMailsAutoCleanup?: boolean;
  cleanMailsDays?: number;
  enableUnknowMailsAutoCleanup?: boolean;
  cleanUnknowMailsDays?: number;
  enableSendBoxAutoCleanup?: boolean;
  cleanSendBoxDays?: number;
  enableInactiveAddressAutoCleanup?: boolean;
  cleanInactiveAddressDays?: number;
  enableAddressAutoCleanup?: boolean;
  cleanAddressDays?: number;
  enableUnboundAddressAutoCleanup?: boolean;
  cleanUnboundAddressDays?: number;
  enableEmptyAddressAutoCleanup?: boolean;
  cleanEmptyAddressDays?: number;
  customSqlCleanupList?: Statement[];
}

/** A statement of one's own: `DELETE FROM raw_mails WHERE …`. */
export interface Statement {
  id: string;
  name: string;
  sql: string;
  enabled: boolean;
}

/**
 * Saved. `warnings` names statements that cannot be run here, and why; `problems` says the same
 * in its parts.
 */
export interface Saved {
  success?: boolean;
  warnings?: string[];
  problems?: StatementProblem[];
}

/** A statement that cannot be run here, and why. */
export interface StatementProblem {
  name: string;
  problem: string;
  problem_told: ToldRow | null;
}

/** What cleanups did, newest first. */
export interface RunPage {
  results: RunRow[];
  next_before_id: number | null;
}

/** One run of one kind; `problem` is empty when it came to its end. */
export interface RunRow {
  id: number;
  kind: string;
  asked_by: string;
  began_at: string;
  ended_at: string;
  removed: number;
  problem: string;
  problem_told: ToldRow | null;
}

/** The configuration in force, by the names of the mailbox API; no secret is in it. */
export interface Configs {
  HAS_PASSWORD: number;
  HAS_ADMIN_PASSWORDS: number;
  ANNOUNCEMENT: string;
  ALWAYS_SHOW_ANNOUNCEMENT: boolean;
  PREFIX: string;
  ADDRESS_CHECK_REGEX: string;
  ADDRESS_REGEX: string;
  MIN_ADDRESS_LEN: number;
  MAX_ADDRESS_LEN: number;
  FORWARD_ADDRESS_LIST: string[];
  SUBDOMAIN_FORWARD_ADDRESS_LIST: Record<string, unknown>[] | null;
  DEFAULT_DOMAINS: string[];
  DOMAINS: string[];
  ENABLE_CREATE_ADDRESS_SUBDOMAIN_MATCH: boolean;
  RANDOM_SUBDOMAIN_DOMAINS: string[];
  RANDOM_SUBDOMAIN_LENGTH: number;
  DOMAIN_LABELS: string[];
  HAS_JWT_SECRET: boolean;
  ADMIN_USER_ROLE: string;
  USER_DEFAULT_ROLE: string;
  USER_ROLES: Record<string, unknown>[];
  NO_LIMIT_SEND_ROLE: string[];
  ENABLE_USER_CREATE_EMAIL: boolean;
  DISABLE_ANONYMOUS_USER_CREATE_EMAIL: boolean;
  ENABLE_USER_DELETE_EMAIL: boolean;
  ENABLE_AUTO_REPLY: boolean;
  ENABLE_WEBHOOK: boolean;
  S3_ENABLED: boolean;
  VERSION: string;
  DISABLE_SHOW_GITHUB: boolean;
  DISABLE_SHOW_GITHUB_FOR_USER: boolean;
  DISABLE_ADMIN_PASSWORD_CHECK: boolean;
  ENABLE_CHECK_JUNK_MAIL: boolean;
  JUNK_MAIL_CHECK_LIST: string[];
  JUNK_MAIL_FORCE_PASS_LIST: string[];
  REMOVE_EXCEED_SIZE_ATTACHMENT: boolean;
  REMOVE_ALL_ATTACHMENT: boolean;
  ENABLE_ANOTHER_WORKER: boolean;
  ANOTHER_WORKER_LIST: Record<string, unknown>[];
  DEFAULT_LANG?: string;
  TITLE?: string;
  ADMIN_CONTACT?: string;
  COPYRIGHT?: string;
}

/** A value that a front end keeps; null when there is none. */
export interface KeptValue {
  key: string;
  value: string | null;
}

/** A value to keep, as opaque text. */
export interface ValueToKeep {
  key?: unknown;
  value?: unknown;
}

/** The value is kept. */
export interface Kept {
  key: string;
  value: string;
  success?: boolean;
}

/** The store makes and upgrades itself, so nothing is ever needed. Size in octets. */
export interface StoreState {
  need_initialization: boolean;
  need_migration: boolean;
  current_db_version: string | null;
  code_db_version: string;
  database_size: number | null;
}

/** What was done. */
export interface Told {
  message: string;
}

/** What was done. */
export interface Migrated {
  success?: boolean;
  message?: string;
}

/**
 * Values in force, by the names of the configuration. No secret is in it: of one only `has_…`
 * tells, and of an address of a service what names the service.
 */
export interface FileSettings {
  mailbox_max_mails: number;
  mailbox_max_octets: number;
  mailbox_mails_per_minute: number;
  mailbox_mails_per_hour: number;
  retention_octets: number;
  verify_origin: boolean;
  score_header: boolean;
  asn_database: string;
  trusted_proxies: string[];
  enable_send_from_subdomains: boolean;
  enable_owner_forwarding: boolean;
  imap_account_login: boolean;
  enable_ai_email_extract: boolean;
  extraction_url: string;
  has_extraction_secret: boolean;
  extraction_private_addresses: boolean;
}

/** A point for every step of the range, the last one being that of now. */
export interface FiguresOverTime {
  range: string;
  step_seconds: number;
  points: FiguresPoint[];
  totals: Sums;
  now: FiguresNow;
}

/** What happened in the step that begins at `at`. */
export interface FiguresPoint {
  received: number;
  sent: number;
  deferred: number;
  bounced: number;
  addresses: number;
  at: string;
}

/**
 * What happened: mail that arrived, recipients that a next hop took, put off or refused for
 * good, and addresses that were opened.
 */
export interface Sums {
  received: number;
  sent: number;
  deferred: number;
  bounced: number;
  addresses: number;
}

/**
 * How much there is: addresses, mails, recipients that wait and those of them that were put
 * off, since when the oldest waits, and octets of the store and of its disk. Addresses and
 * mails are counted every half a minute. `mail_bytes` are the octets of all arrived mail, as
 * they were added up last, and `retention_bytes` what they may be (`retention_octets`); null
 * without such a bound.
 */
export interface FiguresNow {
  addresses: number;
  mails: number;
  queue: number;
  deferred: number;
  oldest_queued_at: string | null;
  store_bytes: number;
  disk_free_bytes: number;
  disk_total_bytes: number;
  mail_bytes: number | null;
  retention_bytes: number | null;
}

/**
 * A page, newest first; `count`, `reasons` and `domains` are of all that fits, and count fifty
 * thousand at most.
 */
export interface QueueList {
  results: WaitingRow[];
  count: number;
  reasons: ReasonCount[];
  domains: DomainCount[];
  next_before_id: number | null;
}

/**
 * A recipient that waits: queued, deferred, sending or held. `expires_at` is when it is given
 * up; null for what is held.
 */
export interface WaitingRow {
  id: number;
  queue_id: string;
  sender: string;
  recipient: string;
  subject: string;
  state: string;
  attempts: number;
  next_attempt_at: string | null;
  last_reply: string | null;
  created_at: string;
  expires_at: string | null;
  size: number;
}

/** Recipients whose last reply says this; what differs from mail to mail is an ellipsis. */
export interface ReasonCount {
  reply: string;
  count: number;
}

/** Recipients of a domain. */
export interface DomainCount {
  domain: string;
  count: number;
}

/**
 * A recipient with why it waits and what happens next, in sentences and as codes of the same
 * order, and the newest hundred attempts, oldest first.
 */
export interface WaitingStory {
  id: number;
  queue_id: string;
  sender: string;
  recipient: string;
  subject: string;
  state: string;
  attempts: number;
  next_attempt_at: string | null;
  last_reply: string | null;
  created_at: string;
  expires_at: string | null;
  size: number;
  story: string[];
  story_told: ToldRow[];
  attempts_made: AttemptMade[];
}

/**
 * One attempt at a recipient, and what was said in it. `outcome`: delivered, deferred or
 * failed.
 */
export interface AttemptMade {
  at: string;
  host: string;
  address: string;
  outcome: string;
  reply: string;
  conversation: SaidLine[];
}

/** A line of a conversation: said by `us` or `them`, or a `note` of what was seen. */
export interface SaidLine {
  by: string;
  line: string;
}

/** Either the ids of recipients or a filter. */
export interface QueueAct {
  ids?: number[] | null;
  filter?: ActFilter | null;
}

/** Which recipients; an empty one means all that wait. */
export interface ActFilter {
  state?: string;
  domain?: string;
  sender?: string;
  recipient?: string;
  reason?: string;
}

/** How many recipients were changed. */
export interface Changed {
  changed: number;
  success?: boolean;
}

/** The steps in the order in which they are best done. */
export interface FirstStepsList {
  steps: FirstStep[];
}

/**
 * One step: password, domain, reception, dns, outbound, tls, backup or address; what to do, or
 * what was found.
 */
export interface FirstStep {
  key: string;
  done: boolean;
  title: string;
  message: string;
  title_told: ToldRow;
  message_told: ToldRow;
}

/** A page of deliveries, newest first; `count` is of all that fit, ten thousand at most. */
export interface DeliveryPage {
  results: DeliveryRow[];
  count: number;
  next_before_id: number | null;
}

/**
 * A delivery: waiting, delivered or failed. `kind` is mailbox (mail that arrived) or sending
 * (an event of the sending API); `owner` whose webhook it is. What may be a secret in the `url`
 * is hidden. `last_status` is null when nothing was answered.
 */
export interface DeliveryRow {
  id: number;
  webhook_id: string;
  kind: string;
  owner: string;
  url: string;
  event: string;
  recipient: string;
  state: string;
  attempts: number;
  last_status: number | null;
  last_error: string | null;
  last_error_told: ToldRow | null;
  created_at: string;
  next_attempt_at: string | null;
  replayable: boolean;
}

/**
 * A delivery with the beginning of its body (empty when it is not kept any more), its headers,
 * of which those that may be secret are hidden, and the newest hundred attempts.
 */
export interface OpenedDeliveryRow {
  id: number;
  webhook_id: string;
  kind: string;
  owner: string;
  url: string;
  event: string;
  recipient: string;
  state: string;
  attempts: number;
  last_status: number | null;
  last_error: string | null;
  last_error_told: ToldRow | null;
  created_at: string;
  next_attempt_at: string | null;
  replayable: boolean;
  method: string;
  request_body: string;
  request_headers: Record<string, string>;
  attempts_made: AttemptAtDelivery[];
}

/** One attempt; `status` is null when nothing was answered, and `error` says why. */
export interface AttemptAtDelivery {
  at: string;
  status: number | null;
  error: string | null;
  error_told: ToldRow | null;
  duration_ms: number;
  answer: string;
}

/** The delivery that is made again. */
export interface Replayed {
  id: number;
  success?: boolean;
}

/** All domains of ours, in the order of the settings. */
export interface OwnDomains {
  results: OwnDomain[];
}

/** A domain of ours with its records. */
export interface OwnDomain {
  domain: string;
  records: DnsRecord[];
}

/**
 * A record to publish. `purpose`: mx, host, ptr, spf, dkim, dmarc, return_path, mta_sts,
 * mta_sts_policy or tls_rpt. `required`: mail suffers without it; `why` says how.
 */
export interface DnsRecord {
  purpose: string;
  type: string;
  name: string;
  value: string;
  required: boolean;
  why: string;
  why_told: ToldRow;
}

/** One of our domains. */
export interface DomainWish {
  domain: string;
}

/** What DNS says of a domain now. */
export interface CheckedDomain {
  domain: string;
  checked_at: string;
  records: CheckedRecord[];
}

/**
 * A record, what DNS says instead, and what to do. `state`: right, missing, different, or
 * unknown when nobody could tell.
 */
export interface CheckedRecord {
  purpose: string;
  type: string;
  name: string;
  value: string;
  required: boolean;
  why: string;
  why_told: ToldRow;
  found: string[];
  state: string;
  message: string;
  message_told: ToldRow;
}

/** A page of changes, newest first; `count` is of all that fit. */
export interface AuditPage {
  results: AuditRow[];
  count: number;
  next_before_id: number | null;
}

/**
 * A change: who did it and from where, what, to whom, and with which values. Secrets are
 * hidden. `title` is the action in words, or as it is called where there are none.
 */
export interface AuditRow {
  id: number;
  at: string;
  actor: string;
  from: string;
  action: string;
  subject: string;
  detail: Record<string, unknown>;
  fields: NamedValue[];
  title: string;
  title_told: ToldRow | null;
  actor_told: ToldRow | null;
}

/**
 * A value of `detail` by its name there, `filter.state` for what is in an object: what it is
 * called, and what it says, each null where it has no words. Settings are called as in their
 * forms.
 */
export interface NamedValue {
  name: string;
  title: string | null;
  title_told: ToldRow | null;
  value_told: ToldRow | null;
}

/** Actions, those about the same beside each other. */
export interface KnownActions {
  results: KnownAction[];
}

/** An action by its name in the log, and in words. */
export interface KnownAction {
  action: string;
  title: string;
  title_told: ToldRow;
}

/** Where the browser goes. */
export interface LoginUrl {
  url: string;
}

/** What the provider sent along. With `state` it must be one that was given out, once. */
export interface CameBack {
  clientID?: string | null;
  code?: string | null;
  state?: string | null;
}

/** The token of an account, for `x-user-token`. */
export interface UserToken {
  jwt: string;
}

/** A passkey of the account. */
export interface PasskeyRow {
  passkey_name: string;
  passkey_id: string;
  created_at: string;
  updated_at: string;
}

/** A passkey and its new name, 1 to 255 characters. */
export interface Renamed {
  passkey_id?: string | null;
  passkey_name?: unknown;
}

/** The host of the page that asks. */
export interface Asked {
  domain?: string | null;
}

/** What the authenticator answered (RegistrationResponseJSON), on which page. */
export interface PasskeysRegistered {
  credential?: Record<string, unknown> | null;
  origin?: string | null;
  passkey_name?: string | null;
}

/** What the authenticator answered (AuthenticationResponseJSON), on which page. */
export interface Answered {
  domain?: string | null;
  origin?: string | null;
  credential?: Record<string, unknown> | null;
}

/** A provider as it was posted, its secret included. */
export interface ProviderRow {
  name: string;
  clientID: string;
  clientSecret: string;
  authorizationURL: string;
  accessTokenURL: string;
  accessTokenFormat: string;
  userInfoURL: string;
  redirectURL: string;
  userEmailKey: string;
  scope: string;
  icon?: string;
  logoutURL?: string;
  enableEmailFormat?: boolean;
  userEmailFormat?: string;
  userEmailReplace?: string;
  enableMailAllowList?: boolean;
  mailAllowList?: string[];
}

/** An update of the Bot API; only private messages and pressed buttons are looked at. */
export interface Update {
  update_id?: number;
  message?: Record<string, unknown> | null;
  callback_query?: Record<string, unknown> | null;
}

/** Who asks: what Telegram gave the mini app, good for five minutes. */
export interface MiniAppPerson {
  initData?: string | null;
}

/** An address of the person, with a token for it. */
export interface HeldRow {
  address: string;
  jwt: string;
}

/** `name@domain`, `name`, or empty for any. */
export interface MiniAppWish {
  initData?: string | null;
  address?: string | null;
  cf_token?: string | null;
  enableRandomSubdomain?: boolean | number | string | null;
}

/** A new address; `password` is told once. */
export interface OpenedRow {
  jwt: string;
  address: string;
  password: string | null;
  address_id: number;
}

/** An address by its token. */
export interface MiniAppBinding {
  initData?: string | null;
  jwt?: string | null;
}

/** An address of the person. */
export interface Unbinding {
  initData?: string | null;
  address?: string | null;
}

/** A mail of the person. */
export interface MailWish {
  initData?: string | null;
  mailId?: number | string | null;
  remote?: boolean;
}

/** Telegram knows where we are. */
export interface TelegramRegistered {
  message?: string;
}

/** The results of getWebhookInfo and getMyCommands. */
export interface BotStatus {
  info: unknown;
  commands: unknown;
}

/** What an administrator sets (§3.6). Ids are texts. */
export interface TelegramSettings {
  enableAllowList?: boolean;
  allowList?: string[];
  miniAppUrl?: string;
  enableGlobalMailPush?: boolean;
  globalMailPushList?: string[];
}

/** A mail; connectors' other names for the fields are understood too (docs/integrations.md). */
export interface MailForm {
  to: string | string[];
  subject: string;
  html?: string | null;
  text?: string | null;
  reply_to?: string | string[] | null;
  from?: string | null;
  cc?: string | string[] | null;
  bcc?: string | string[] | null;
  attachments?: Record<string, string>[] | Record<string, string> | null;
  connection?: string | null;
}

/** A mail was queued. */
export interface IntegrationQueued {
  success?: boolean;
  status?: string;
  id: string;
  queued_at: string;
  recipients: number;
}

/** Why not: `error_code` is for programs; `field` names what of the request was wrong. */
export interface IntegrationRefusal {
  success?: boolean;
  error: string;
  error_code: string;
  field?: string;
}

/**
 * A queued mail: `queued`, `sending`, `sent` or `failed`. `rejected` are recipients that the
 * server refused, each with its words.
 */
export interface MailState {
  id: string;
  status: string;
  attempts: number;
  queued_at: string;
  sent_at?: string;
  error?: string;
  error_code?: string;
  response?: string;
  rejected?: Record<string, string>;
}

/** Up to fifty mails. */
export interface MailsForm {
  emails: MailForm[];
  connection?: string | null;
}

/** What became of several mails, in the order of the request. */
export interface BatchResult {
  success: boolean;
  total: number;
  sent: number;
  failed: number;
  duration_ms: number;
  connections: number;
  results: MailResult[];
}

/**
 * What became of one mail: `sent`, `partial` or `failed`. `smtp_response` are the words of a
 * server that refused it.
 */
export interface MailResult {
  index: number;
  to: string[];
  status: string;
  response?: string;
  rejected?: Record<string, string>;
  error?: string;
  error_code?: string;
  smtp_code?: number;
  smtp_response?: string;
}

/** Which connection; `default` when it is not said. */
export interface TestForm {
  connection?: string | null;
}

/** What a test found; milliseconds. */
export interface TestResult {
  success: boolean;
  duration_ms: number;
  host: string;
  port: number;
  tls?: string;
  auth?: boolean;
  error?: string;
  error_code?: string;
  smtp_code?: number;
  smtp_response?: string;
}

/** All connections of the caller's account. */
export interface ConnectionRows {
  results: ConnectionRow[];
}

/** A connection, without its password. */
export interface ConnectionRow {
  name: string;
  host: string;
  port: number;
  use_tls: boolean;
  ignore_self_signed: boolean;
  allow_insecure_auth: boolean;
  username: string;
  has_password: boolean;
  from_address: string;
  from_name: string;
}

/** A connection as it is posted. A password that is not said stays as it was. */
export interface ConnectionForm {
  host: string;
  port?: number;
  use_tls?: boolean;
  ignore_self_signed?: boolean;
  allow_insecure_auth?: boolean;
  username?: string;
  password?: string;
  from_address?: string;
  from_name?: string;
}

/** Every call of the HTTP API. */
export class Api extends Caller {
  /** `OK` when all doors are open and the store answers; 503 when it does not. */
  getHealthCheck(options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/health_check", "text", {}, options);
  }

  /** Domains, switches and texts of this site. */
  getOpenApiSettings(options: CallOptions = {}): Promise<SiteSettings> {
    return this.call("GET", "/open_api/settings", "json", {}, options);
  }

  /**
   * A challenge for the ALTCHA widget. Its solution goes where a Turnstile token goes, and
   * counts once. 404 where ALTCHA is off.
   */
  getOpenApiAltcha(options: CallOptions = {}): Promise<Challenge> {
    return this.call("GET", "/open_api/altcha", "json", {}, options);
  }

  /** Test the password of a private site, by its hash. */
  postOpenApiSiteLogin(args: { body: OpenApiSecret }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/open_api/site_login", "json", args, options);
  }

  /** Test an admin password, by its hash. */
  postOpenApiAdminLogin(args: { body: OpenApiSecret }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/open_api/admin_login", "json", args, options);
  }

  /**
   * Test an address token: its signature, and that its address is open and it was not revoked.
   */
  postOpenApiCredentialLogin(args: { body: Credential }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/open_api/credential_login", "json", args, options);
  }

  /**
   * Open an address: the name that is wished for, or one of our choosing. An `x-user-token`
   * brings the domains and the prefix of the account's role; the account binds the address by a
   * call of its own.
   */
  postApiNewAddress(args: { body: AddressWish }, options: CallOptions = {}): Promise<NewAddress> {
    return this.call("POST", "/api/new_address", "json", args, options);
  }

  /** The address of the token and its sending balance. */
  getApiSettings(options: CallOptions = {}): Promise<MailboxState> {
    return this.call("GET", "/api/settings", "json", {}, options);
  }

  /**
   * End every token of the address, the one shown included; the answer has the one that counts
   * from now on. Sessions of mail programs and streams that logged in with another end, too.
   */
  postApiRevokeTokens(options: CallOptions = {}): Promise<LoggedIn> {
    return this.call("POST", "/api/revoke_tokens", "json", {}, options);
  }

  /** Come back to an address by its password. */
  postApiAddressLogin(args: { body: Login }, options: CallOptions = {}): Promise<LoggedIn> {
    return this.call("POST", "/api/address_login", "json", args, options);
  }

  /** Give the address a password of its owner's choosing. */
  postApiAddressChangePassword(args: { body: NewPassword }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/api/address_change_password", "json", args, options);
  }

  /** Give the address up, with its mail, what it sent and what it may send. */
  deleteApiDeleteAddress(options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/api/delete_address", "json", {}, options);
  }

  /** A page of mails with their sources, newest first; behind `after_id` oldest first. */
  getApiMails(args: { query: { q?: string; from?: string; subject?: string; after_id?: number | null; since?: string; limit: number; offset: number } }, options: CallOptions = {}): Promise<MailPage> {
    return this.call("GET", "/api/mails", "json", args, options);
  }

  /** One mail with its source; null when it is not there. */
  getApiMailMailId(args: { mail_id: string | number }, options: CallOptions = {}): Promise<MailRow | null> {
    return this.call("GET", "/api/mail/{mail_id}", "json", args, options);
  }

  /** A page of mails taken apart: sender, subject, text, HTML and what is attached. */
  getApiParsedMails(args: { query: { q?: string; from?: string; subject?: string; after_id?: number | null; since?: string; limit: number; offset: number } }, options: CallOptions = {}): Promise<ParsedPage> {
    return this.call("GET", "/api/parsed_mails", "json", args, options);
  }

  /** One mail taken apart; null when it is not there. */
  getApiParsedMailMailId(args: { mail_id: string | number }, options: CallOptions = {}): Promise<ParsedRow | null> {
    return this.call("GET", "/api/parsed_mail/{mail_id}", "json", args, options);
  }

  /** Delete one mail; also a success when it was not there. */
  deleteApiMailsId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/api/mails/{id}", "json", args, options);
  }

  /** Set or clear marks of one mail. */
  patchApiMailsId(args: { id: string | number; body: Marks }, options: CallOptions = {}): Promise<Success> {
    return this.call("PATCH", "/api/mails/{id}", "json", args, options);
  }

  /** Delete every mail of the mailbox. */
  deleteApiClearInbox(options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/api/clear_inbox", "json", {}, options);
  }

  /** A page of light rows, newest first; behind `after_id` oldest first. */
  getApiInbox(args: { query?: { q?: string; from?: string; subject?: string; after_id?: number | null; since?: string; limit?: number; before_id?: number | null; unread?: number; flagged?: number; codes?: number } } = {}, options: CallOptions = {}): Promise<InboxPage> {
    return this.call("GET", "/api/inbox", "json", args, options);
  }

  /**
   * The same page for slow lines and long lists: what a list shows, and nothing that is empty.
   * Twenty common mails take some six kilobytes.
   */
  getApiInboxBrief(args: { query?: { q?: string; from?: string; subject?: string; after_id?: number | null; since?: string; limit?: number; before_id?: number | null; unread?: number; flagged?: number; codes?: number } } = {}, options: CallOptions = {}): Promise<BriefPage> {
    return this.call("GET", "/api/inbox/brief", "json", args, options);
  }

  /**
   * One mail opened for reading; null when it is not there. With `remote=1` its HTML keeps what
   * it would load from the web.
   */
  getApiInboxId(args: { id: string | number; query?: { remote?: number } }, options: CallOptions = {}): Promise<OpenedMail | null> {
    return this.call("GET", "/api/inbox/{id}", "json", args, options);
  }

  /**
   * Wait until a mail comes that fits, at most `timeout` seconds, and answer with it, its text,
   * codes and links. Without `after_id` it must come from now on.
   */
  getApiMailsWait(args: { query?: { q?: string; from?: string; subject?: string; after_id?: number | null; since?: string; unread?: number; codes?: number; timeout?: number } } = {}, options: CallOptions = {}): Promise<Waited> {
    return this.call("GET", "/api/mails/wait", "json", args, options);
  }

  /**
   * The message octet for octet as it is stored, as a file; with `score_header`, under fields
   * that tell its score and where it comes from.
   */
  getApiMailsIdRaw(args: { id: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/api/mails/{id}/raw", "bytes", args, options);
  }

  /** Where a mail comes from, by SPF, DKIM, DMARC and ARC, as this host found it out itself. */
  getApiMailsIdAuthentication(args: { id: string | number }, options: CallOptions = {}): Promise<Authentication> {
    return this.call("GET", "/api/mails/{id}/authentication", "json", args, options);
  }

  /** One part of a mail, decoded, as a file; `index` is that of its row. */
  getApiMailsIdAttachmentsIndex(args: { id: string | number; index: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/api/mails/{id}/attachments/{index}", "bytes", args, options);
  }

  /** Set or clear the same marks of several mails. */
  postApiMailsMark(args: { body: MarkMany }, options: CallOptions = {}): Promise<Marked> {
    return this.call("POST", "/api/mails/mark", "json", args, options);
  }

  /**
   * The codes and links of one mail, how sure each is, and by which rule it was found. Where a
   * model is asked as well, its answer is here as soon as it came, seconds after the mail.
   */
  getApiMailsIdExtracted(args: { id: string | number }, options: CallOptions = {}): Promise<Extracted> {
    return this.call("GET", "/api/mails/{id}/extracted", "json", args, options);
  }

  /** How full the mailbox is, counted now, and its limits. */
  getApiUsage(options: CallOptions = {}): Promise<Usage> {
    return this.call("GET", "/api/usage", "json", {}, options);
  }

  /**
   * Every mail of the mailbox as one file, oldest first, while it is read: mbox for any mail
   * program; jsonl, one object a line with marks and every octet; eml, a ZIP of the messages as
   * they are. `mailbox import` reads each back.
   */
  getApiMailsExport(args: { query?: { format?: string } } = {}, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/api/mails/export", "bytes", args, options);
  }

  /** The names of the attachments that the mailbox saved. */
  getApiAttachmentList(options: CallOptions = {}): Promise<KeyList> {
    return this.call("GET", "/api/attachment/list", "json", {}, options);
  }

  /** Where to PUT an attachment, as plain bytes, within the next minutes. */
  postApiAttachmentPutUrl(args: { body: Key }, options: CallOptions = {}): Promise<SignedUrl> {
    return this.call("POST", "/api/attachment/put_url", "json", args, options);
  }

  /** Where to GET an attachment within the next minutes. */
  postApiAttachmentGetUrl(args: { body: Key }, options: CallOptions = {}): Promise<SignedUrl> {
    return this.call("POST", "/api/attachment/get_url", "json", args, options);
  }

  /** Delete an attachment; also a success when it was not there. */
  postApiAttachmentDelete(args: { body: Key }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/api/attachment/delete", "json", args, options);
  }

  /** Save an attachment under a signed address of ours: the body is its bytes. */
  putFilesAttachment(args: { query?: { ticket?: string } } = {}, options: CallOptions = {}): Promise<string> {
    return this.call("PUT", "/files/attachment", "json", args, options);
  }

  /** Fetch an attachment under a signed address of ours, to be saved and never shown. */
  getFilesAttachment(args: { query?: { ticket?: string } } = {}, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/files/attachment", "bytes", args, options);
  }

  /**
   * New mail (`mail`: a light row), the fate of sent mail (`sent`), marks (`flags`) and
   * deletions (`deleted`), as they happen. Resumes behind `Last-Event-ID`, and ends when the
   * address is closed or handed over, or its tokens are revoked. The token goes into the
   * header, never into the address: read the stream with `fetch`.
   */
  getApiEvents(options: CallOptions = {}): Promise<Response> {
    return this.call("GET", "/api/events", "response", {}, options);
  }

  /**
   * Queue a mail from the mailbox. It is on disk when this answers; what became of it is told
   * by `/api/sent` and `/api/events`.
   */
  postApiSendMail(args: { body: MailBody }, options: CallOptions = {}): Promise<SendingQueued> {
    return this.call("POST", "/api/send_mail", "json", args, options);
  }

  /** Ask for an allowance to send; an administrator grants it. */
  postApiRequestSendMailAccess(options: CallOptions = {}): Promise<Sent> {
    return this.call("POST", "/api/request_send_mail_access", "json", {}, options);
  }

  /** A page of sent mails with the fate of every recipient. */
  getApiSent(args: { query?: { limit?: number; before_id?: number | null } } = {}, options: CallOptions = {}): Promise<SentPage> {
    return this.call("GET", "/api/sent", "json", args, options);
  }

  /** One sent mail with its text and every attempt at it; null when it is not there. */
  getApiSentId(args: { id: string | number }, options: CallOptions = {}): Promise<OpenedSentMail | null> {
    return this.call("GET", "/api/sent/{id}", "json", args, options);
  }

  /** The message octet for octet as it was queued, as a file. */
  getApiSentIdRaw(args: { id: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/api/sent/{id}/raw", "bytes", args, options);
  }

  /** A page of sent mails as the contract lists them. */
  getApiSendbox(args: { query: { limit: number; offset: number } }, options: CallOptions = {}): Promise<SendboxPage> {
    return this.call("GET", "/api/sendbox", "json", args, options);
  }

  /** Take one mail out of the sent box; one that is on its way still goes on. */
  deleteApiSendboxId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/api/sendbox/{id}", "json", args, options);
  }

  /** Empty the sent box. */
  deleteApiClearSentItems(options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/api/clear_sent_items", "json", {}, options);
  }

  /** The automatic answer of the mailbox. */
  getApiAutoReply(options: CallOptions = {}): Promise<SavedReply> {
    return this.call("GET", "/api/auto_reply", "json", {}, options);
  }

  /** Replace the automatic answer of the mailbox. */
  postApiAutoReply(args: { body: ReplyChange }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/api/auto_reply", "json", args, options);
  }

  /** Where the mail of the mailbox is forwarded. */
  getApiForwarding(options: CallOptions = {}): Promise<ForwardingState> {
    return this.call("GET", "/api/forwarding", "json", {}, options);
  }

  /** Mail a code to an address that is to get the mail. */
  postApiForwarding(args: { body: Target }, options: CallOptions = {}): Promise<ForwardingState> {
    return this.call("POST", "/api/forwarding", "json", args, options);
  }

  /** Forward no more, and forget a code that was mailed. */
  deleteApiForwarding(options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/api/forwarding", "json", {}, options);
  }

  /** Show the code, and have the mail forwarded from now on. */
  postApiForwardingCode(args: { body: Code }, options: CallOptions = {}): Promise<ForwardingState> {
    return this.call("POST", "/api/forwarding/code", "json", args, options);
  }

  /** The webhook of the mailbox as it was saved. `headers` and `body` are texts with JSON. */
  getApiWebhookSettings(options: CallOptions = {}): Promise<WebhookSettings> {
    return this.call("GET", "/api/webhook/settings", "json", {}, options);
  }

  /** Save the webhook of the mailbox. Posts that wait for the one before are taken back. */
  postApiWebhookSettings(args: { body: WebhookSettings }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/api/webhook/settings", "json", args, options);
  }

  /**
   * Post once, about any mail of the mailbox, with settings that need not be saved. It is
   * posted whether it meets their conditions or not; the answer says which it does not.
   */
  postApiWebhookTest(args: { body: WebhookSettings }, options: CallOptions = {}): Promise<Tested> {
    return this.call("POST", "/api/webhook/test", "json", args, options);
  }

  /** What was posted for the mailbox, and what the receiver answered. */
  getApiWebhookPosts(args: { query?: { limit?: number; before_id?: number | null } } = {}, options: CallOptions = {}): Promise<PostPage> {
    return this.call("GET", "/api/webhook/posts", "json", args, options);
  }

  /** The secret by which a receiver knows the posts of this mailbox. */
  getApiWebhookSecret(options: CallOptions = {}): Promise<WebhookSecret> {
    return this.call("GET", "/api/webhook/secret", "json", {}, options);
  }

  /** How accounts are opened here. */
  getUserApiOpenSettings(options: CallOptions = {}): Promise<OpenSettings> {
    return this.call("GET", "/user_api/open_settings", "json", {}, options);
  }

  /** The account of the token, its role, and tokens to go on with. */
  getUserApiSettings(options: CallOptions = {}): Promise<AccountState> {
    return this.call("GET", "/user_api/settings", "json", {}, options);
  }

  /** Come back to an account by its password. */
  postUserApiLogin(args: { body: AccountLogin }, options: CallOptions = {}): Promise<AccountToken> {
    return this.call("POST", "/user_api/login", "json", args, options);
  }

  /** Have a code of six digits mailed, which proves the e-mail when registering. */
  postUserApiVerifyCode(args: { body: CodeWish }, options: CallOptions = {}): Promise<CodeSent> {
    return this.call("POST", "/user_api/verify_code", "json", args, options);
  }

  /**
   * Open an account. Where codes are mailed, the right one also gives an account that exists
   * this password: it is the way back in for whoever forgot theirs.
   */
  postUserApiRegister(args: { body: Registration }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/user_api/register", "json", args, options);
  }

  /** A page of the account's addresses, newest first; with `query` of those that contain it. */
  getUserApiBindAddress(args: { query?: { limit?: number; offset?: number; query?: string } } = {}, options: CallOptions = {}): Promise<AddressPage> {
    return this.call("GET", "/user_api/bind_address", "json", args, options);
  }

  /** Give the account the address whose token is in `Authorization`. */
  postUserApiBindAddress(options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/user_api/bind_address", "json", {}, options);
  }

  /** A token for an address of the account. */
  getUserApiBindAddressJwtAddressId(args: { address_id: string | number }, options: CallOptions = {}): Promise<Token> {
    return this.call("GET", "/user_api/bind_address_jwt/{address_id}", "json", args, options);
  }

  /** Let an address go: it stays open, and is nobody's. Fine when it was not the account's. */
  postUserApiUnbindAddress(args: { body: BoundAddress }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/user_api/unbind_address", "json", args, options);
  }

  /**
   * Hand an address over to another account. It gets a new id, so that every token of it ends;
   * its password and webhook end too, its mail stays.
   */
  postUserApiTransferAddress(args: { body: Transfer }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/user_api/transfer_address", "json", args, options);
  }

  /** A page of the mail of all addresses of the account, or of one of them, newest first. */
  getUserApiMails(args: { query: { limit: number; offset: number; address?: string } }, options: CallOptions = {}): Promise<MailPage> {
    return this.call("GET", "/user_api/mails", "json", args, options);
  }

  /** The same mail as light rows, newest first; behind `after_id` oldest first. */
  getUserApiInbox(args: { query?: { q?: string; from?: string; subject?: string; after_id?: number | null; since?: string; address?: string; limit?: number; before_id?: number | null; unread?: number; flagged?: number; codes?: number } } = {}, options: CallOptions = {}): Promise<InboxPage> {
    return this.call("GET", "/user_api/inbox", "json", args, options);
  }

  /**
   * A mail of an address of the account, octet for octet as it is stored, as a file; with
   * `score_header`, under fields that tell its score and where it comes from.
   */
  getUserApiMailsIdRaw(args: { id: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/user_api/mails/{id}/raw", "bytes", args, options);
  }

  /**
   * Set or clear the same marks of several mails, of whichever addresses of the account;
   * anybody else's stay as they are.
   */
  postUserApiMailsMark(args: { body: MarkMany }, options: CallOptions = {}): Promise<Marked> {
    return this.call("POST", "/user_api/mails/mark", "json", args, options);
  }

  /** Delete a mail of an address of the account; anybody else's is kept. */
  deleteUserApiMailsId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/user_api/mails/{id}", "json", args, options);
  }

  /** Queue a mail from the mailbox whose token is in the body. */
  postExternalApiSendMail(args: { body: TokenMailBody }, options: CallOptions = {}): Promise<SendingQueued> {
    return this.call("POST", "/external/api/send_mail", "json", args, options);
  }

  /** Prove a login of a mail program. */
  postExternalApiSmtpAuthenticate(args: { body: SmtpLogin }, options: CallOptions = {}): Promise<Proved> {
    return this.call("POST", "/external/api/smtp/authenticate", "json", args, options);
  }

  /** Queue one whole message, octet for octet. */
  postExternalApiSmtpSubmit(args: { body: string }, options: CallOptions = {}): Promise<Accepted> {
    return this.call("POST", "/external/api/smtp/submit", "json", args, options);
  }

  /** Open an address in any served domain. */
  postAdminNewAddress(args: { body: AdminWish }, options: CallOptions = {}): Promise<NewAddress> {
    return this.call("POST", "/admin/new_address", "json", args, options);
  }

  /** Open many addresses at once: all of them, or none when one cannot be opened. */
  postAdminNewAddresses(args: { body: ManyWishes }, options: CallOptions = {}): Promise<NewAddresses> {
    return this.call("POST", "/admin/new_addresses", "json", args, options);
  }

  /** End every token of an address; the answer has the one that counts from now on. */
  postAdminAddressIdRevokeTokens(args: { id: string | number }, options: CallOptions = {}): Promise<Token> {
    return this.call("POST", "/admin/address/{id}/revoke_tokens", "json", args, options);
  }

  /** Have an address end some time from now, or never. */
  postAdminAddressIdLifetime(args: { id: string | number; body: Lifetime }, options: CallOptions = {}): Promise<Ends> {
    return this.call("POST", "/admin/address/{id}/lifetime", "json", args, options);
  }

  /** A page of addresses, found by a part of them and sorted by any column. */
  getAdminAddress(args: { query: { limit: number; offset: number; query?: string; sort_by?: string; sort_order?: string } }, options: CallOptions = {}): Promise<AddressPage> {
    return this.call("GET", "/admin/address", "json", args, options);
  }

  /** A token for an address. */
  getAdminShowPasswordId(args: { id: string | number }, options: CallOptions = {}): Promise<Token> {
    return this.call("GET", "/admin/show_password/{id}", "json", args, options);
  }

  /** Close an address and delete all that belongs to it. */
  deleteAdminDeleteAddressId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/admin/delete_address/{id}", "json", args, options);
  }

  /** Delete every mail of an address. */
  deleteAdminClearInboxId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/admin/clear_inbox/{id}", "json", args, options);
  }

  /** Empty the sent box of an address. */
  deleteAdminClearSentItemsId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/admin/clear_sent_items/{id}", "json", args, options);
  }

  /** Give an address another password. */
  postAdminAddressIdResetPassword(args: { id: string | number; body: PasswordOf }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/address/{id}/reset_password", "json", args, options);
  }

  /**
   * All addresses as one file, in the order of their ids, with what a list of them shows; no
   * password and no token. In csv a name that a spreadsheet would take for a formula has an
   * apostrophe before it.
   */
  getAdminAddressesExport(args: { query?: { format?: string } } = {}, options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/admin/addresses/export", "text", args, options);
  }

  /** A page of all mails, or of one address. */
  getAdminMails(args: { query: { limit: number; offset: number; address?: string } }, options: CallOptions = {}): Promise<MailPage> {
    return this.call("GET", "/admin/mails", "json", args, options);
  }

  /** A page of the mails for addresses that nobody has opened. */
  getAdminMailsUnknow(args: { query: { limit: number; offset: number } }, options: CallOptions = {}): Promise<MailPage> {
    return this.call("GET", "/admin/mails_unknow", "json", args, options);
  }

  /** One mail of anybody; null when it is not there. */
  getAdminMailsId(args: { id: string | number }, options: CallOptions = {}): Promise<MailRow | null> {
    return this.call("GET", "/admin/mails/{id}", "json", args, options);
  }

  /** Delete one mail of anybody. */
  deleteAdminMailsId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/admin/mails/{id}", "json", args, options);
  }

  /**
   * A page of light rows of all mails, of one address, or of addresses that nobody has opened,
   * newest first.
   */
  getAdminInbox(args: { query: { limit: number; offset: number; address?: string; unknown?: number; q?: string } }, options: CallOptions = {}): Promise<EverybodysPage> {
    return this.call("GET", "/admin/inbox", "json", args, options);
  }

  /**
   * One mail of anybody opened for reading, as its owner reads it; it is not marked as seen.
   * Null when it is not there.
   */
  getAdminInboxId(args: { id: string | number; query?: { remote?: number } }, options: CallOptions = {}): Promise<OpenedMail | null> {
    return this.call("GET", "/admin/inbox/{id}", "json", args, options);
  }

  /**
   * A message of anybody octet for octet as it is stored, as a file; with `score_header`, under
   * fields that tell its score and where it comes from.
   */
  getAdminMailsIdRaw(args: { id: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/admin/mails/{id}/raw", "bytes", args, options);
  }

  /** One part of anybody's mail, decoded, as a file; `index` is that of its row. */
  getAdminMailsIdAttachmentsIndex(args: { id: string | number; index: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/admin/mails/{id}/attachments/{index}", "bytes", args, options);
  }

  /**
   * One mail that anybody sent, with its text and every attempt at it; null when it is not
   * there.
   */
  getAdminSentId(args: { id: string | number }, options: CallOptions = {}): Promise<OpenedSentMail | null> {
    return this.call("GET", "/admin/sent/{id}", "json", args, options);
  }

  /** A message that anybody sent octet for octet as it was queued, as a file. */
  getAdminSentIdRaw(args: { id: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/admin/sent/{id}/raw", "bytes", args, options);
  }

  /** One part of a mail that anybody sent, decoded, as a file; `index` is that of its row. */
  getAdminSentIdAttachmentsIndex(args: { id: string | number; index: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/admin/sent/{id}/attachments/{index}", "bytes", args, options);
  }

  /** A page of allowances, of one address or of all. */
  getAdminAddressSender(args: { query: { limit: number; offset: number; address?: string } }, options: CallOptions = {}): Promise<AllowancePage> {
    return this.call("GET", "/admin/address_sender", "json", args, options);
  }

  /** Grant, change or take an allowance; its owner gets a note. */
  postAdminAddressSender(args: { body: AllowanceChange }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/address_sender", "json", args, options);
  }

  /** Forget an allowance; the default one is made again when it is needed. */
  deleteAdminAddressSenderId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/admin/address_sender/{id}", "json", args, options);
  }

  /** A page of the sent mails of one address, or of all. */
  getAdminSendbox(args: { query: { limit: number; offset: number; address?: string } }, options: CallOptions = {}): Promise<SendboxPage> {
    return this.call("GET", "/admin/sendbox", "json", args, options);
  }

  /** Take one mail out of anybody's sent box. */
  deleteAdminSendboxId(args: { id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/admin/sendbox/{id}", "json", args, options);
  }

  /** Queue a mail in the name of any address of our domains, without allowance. */
  postAdminSendMail(args: { body: AdminMailBody }, options: CallOptions = {}): Promise<Sent> {
    return this.call("POST", "/admin/send_mail", "json", args, options);
  }

  /**
   * What `/v3/{area}/{act}` of the sending API does, with all permissions and without a key;
   * `users/smtp` is `smtp_users` here, `email/scheduled` is `scheduled`. `subaccount_id` acts
   * for a subaccount. The answer is what stands in `data` there; a refusal has the same shape.
   */
  postAdminSendingAreaAct(args: { area: string | number; act: string | number; body: Record<string, unknown> }, options: CallOptions = {}): Promise<unknown> {
    return this.call("POST", "/admin/sending/{area}/{act}", "json", args, options);
  }

  /** The settings in force. */
  getAdminAccountSettings(options: CallOptions = {}): Promise<AccountSettings> {
    return this.call("GET", "/admin/account_settings", "json", {}, options);
  }

  /** Change the settings: all of them, or none when one is wrong. */
  postAdminAccountSettings(args: { body: SettingsChange }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/account_settings", "json", args, options);
  }

  /**
   * Which settings of the configuration are overruled: the prefix and the lengths of names,
   * random subdomains, and what makes mail junk.
   */
  getAdminOverrides(options: CallOptions = {}): Promise<OverrideState> {
    return this.call("GET", "/admin/overrides", "json", {}, options);
  }

  /**
   * Overrule settings of the configuration. What is absent stays as it is, null gives a value
   * back to the configuration; all or nothing. It holds at once.
   */
  postAdminOverrides(args: { body: Overrides }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/overrides", "json", args, options);
  }

  /** Totals of mails, addresses, accounts and sent mails. */
  getAdminStatistics(options: CallOptions = {}): Promise<Figures> {
    return this.call("GET", "/admin/statistics", "json", {}, options);
  }

  /** The rules about accounts; a key that was never set is left out. */
  getAdminUserSettings(options: CallOptions = {}): Promise<Record<string, unknown>> {
    return this.call("GET", "/admin/user_settings", "json", {}, options);
  }

  /**
   * Set the rules about accounts: who may register, how they prove their e-mail, and how many
   * addresses an account holds.
   */
  postAdminUserSettings(args: { body: Record<string, unknown> }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/user_settings", "json", args, options);
  }

  /** A page of accounts, found by a part of their e-mail. */
  getAdminUsers(args: { query: { limit: number; offset: number; query?: string } }, options: CallOptions = {}): Promise<AccountPage> {
    return this.call("GET", "/admin/users", "json", args, options);
  }

  /** Open an account for somebody. */
  postAdminUsers(args: { body: NewAccount }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/users", "json", args, options);
  }

  /**
   * Delete an account with its role and passkeys; its addresses stay open, and are nobody's.
   */
  deleteAdminUsersUserId(args: { user_id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/admin/users/{user_id}", "json", args, options);
  }

  /** Give an account another password. */
  postAdminUsersUserIdResetPassword(args: { user_id: string | number; body: PasswordOf }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/users/{user_id}/reset_password", "json", args, options);
  }

  /** The roles of the configuration. */
  getAdminUserRoles(options: CallOptions = {}): Promise<RoleOfAccount[]> {
    return this.call("GET", "/admin/user_roles", "json", {}, options);
  }

  /** Give an account a role of the configuration, or take its role away. */
  postAdminUserRoles(args: { body: RoleChange }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/user_roles", "json", args, options);
  }

  /** How many addresses the members of each role may hold. */
  getAdminRoleAddressConfig(options: CallOptions = {}): Promise<RoleLimits> {
    return this.call("GET", "/admin/role_address_config", "json", {}, options);
  }

  /**
   * Set how many addresses the members of each role may hold: `{role: {"maxAddressCount": n}}`;
   * 0 is any number, a role that is left out has the general limit. `sendLimitDay` and
   * `sendLimitMonth` beside it are how many messages all addresses of one account send in a UTC
   * day and month; left out or -1: any number, 0: none.
   */
  postAdminRoleAddressConfig(args: { body: RoleLimits }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/role_address_config", "json", args, options);
  }

  /** All addresses of an account. */
  getAdminUsersBindAddressUserId(args: { user_id: string | number }, options: CallOptions = {}): Promise<AddressList> {
    return this.call("GET", "/admin/users/bind_address/{user_id}", "json", args, options);
  }

  /** Give an account an address, within the general limit. */
  postAdminUsersBindAddress(args: { body: UsersBinding }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/users/bind_address", "json", args, options);
  }

  /** Which addresses may have a webhook. */
  getAdminWebhookSettings(options: CallOptions = {}): Promise<AllowList> {
    return this.call("GET", "/admin/webhook/settings", "json", {}, options);
  }

  /** Say which addresses may have a webhook. */
  postAdminWebhookSettings(args: { body: AllowList }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/webhook/settings", "json", args, options);
  }

  /** The webhook about all mail as it was saved. */
  getAdminMailWebhookSettings(options: CallOptions = {}): Promise<WebhookSettings> {
    return this.call("GET", "/admin/mail_webhook/settings", "json", {}, options);
  }

  /** Save the webhook about all mail. Posts that wait for the one before are taken back. */
  postAdminMailWebhookSettings(args: { body: WebhookSettings }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/mail_webhook/settings", "json", args, options);
  }

  /**
   * Post once, about any stored mail, with settings that need not be saved. It is posted
   * whether it meets their conditions or not; the answer says which it does not.
   */
  postAdminMailWebhookTest(args: { body: WebhookSettings }, options: CallOptions = {}): Promise<Tested> {
    return this.call("POST", "/admin/mail_webhook/test", "json", args, options);
  }

  /** What was posted to the webhook about all mail, and what was answered. */
  getAdminMailWebhookPosts(args: { query?: { limit?: number; before_id?: number | null } } = {}, options: CallOptions = {}): Promise<PostPage> {
    return this.call("GET", "/admin/mail_webhook/posts", "json", args, options);
  }

  /**
   * Queue a mail in the name of any address of our domains, without allowance and without a
   * line in the sent box.
   */
  postAdminSendMailByBinding(args: { body: PlatformMail }, options: CallOptions = {}): Promise<Sent> {
    return this.call("POST", "/admin/send_mail_by_binding", "json", args, options);
  }

  /** The IP policy as it was saved. */
  getAdminIpBlacklistSettings(options: CallOptions = {}): Promise<AccessPolicy> {
    return this.call("GET", "/admin/ip_blacklist/settings", "json", {}, options);
  }

  /** Save the IP policy. It is in force for the next request. */
  postAdminIpBlacklistSettings(args: { body: AccessPolicy }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/ip_blacklist/settings", "json", args, options);
  }

  /** Whose mail is looked through for codes. */
  getAdminAiExtractSettings(options: CallOptions = {}): Promise<ExtractList> {
    return this.call("GET", "/admin/ai_extract/settings", "json", {}, options);
  }

  /** Say whose mail is looked through for codes: addresses, with `*` for any text. */
  postAdminAiExtractSettings(args: { body: ExtractList }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/ai_extract/settings", "json", args, options);
  }

  /**
   * Delete what is older than so many days. Mails, sent mails and addresses by age are deleted
   * in batches of `cleanup_batch_size`: the oldest now, the next with the next call.
   */
  postAdminCleanup(args: { body: CleanupRequest }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/cleanup", "json", args, options);
  }

  /** What is deleted every night, as it was saved; null when it never was. */
  getAdminAutoCleanup(options: CallOptions = {}): Promise<AutoCleanup | null> {
    return this.call("GET", "/admin/auto_cleanup", "json", {}, options);
  }

  /**
   * Say what is deleted every night, after 00:00 UTC. Statements are read and never run as they
   * are: what their condition selects is deleted.
   */
  postAdminAutoCleanup(args: { body: AutoCleanup }, options: CallOptions = {}): Promise<Saved> {
    return this.call("POST", "/admin/auto_cleanup", "json", args, options);
  }

  /** What cleanups did, newest first. */
  getAdminCleanupRuns(args: { query?: { limit?: number; before_id?: number | null } } = {}, options: CallOptions = {}): Promise<RunPage> {
    return this.call("GET", "/admin/cleanup/runs", "json", args, options);
  }

  /** The configuration in force, without secrets. */
  getAdminWorkerConfigs(options: CallOptions = {}): Promise<Configs> {
    return this.call("GET", "/admin/worker/configs", "json", {}, options);
  }

  /** A value that a front end keeps. */
  getAdminConfigKey(args: { key: string | number }, options: CallOptions = {}): Promise<KeptValue> {
    return this.call("GET", "/admin/config/{key}", "json", args, options);
  }

  /** Keep a value for a front end. It is opaque, and no setting of ours. */
  postAdminConfig(args: { body: ValueToKeep }, options: CallOptions = {}): Promise<Kept> {
    return this.call("POST", "/admin/config", "json", args, options);
  }

  /** The version and the size of the store. */
  getAdminDbVersion(options: CallOptions = {}): Promise<StoreState> {
    return this.call("GET", "/admin/db_version", "json", {}, options);
  }

  /** Nothing is to be done: the store was made at the start. The body is not read. */
  postAdminDbInitialize(options: CallOptions = {}): Promise<Told> {
    return this.call("POST", "/admin/db_initialize", "json", {}, options);
  }

  /**
   * Nothing is to be done: the store was brought up to date at the start. The body is not read.
   */
  postAdminDbMigration(options: CallOptions = {}): Promise<Migrated> {
    return this.call("POST", "/admin/db_migration", "json", {}, options);
  }

  /**
   * Settings of the configuration beyond those of `/admin/worker/configs`: limits of mailboxes,
   * retention by size, where mail and clients come from, what owners may, and the model that is
   * asked about mail.
   */
  getAdminFileSettings(options: CallOptions = {}): Promise<FileSettings> {
    return this.call("GET", "/admin/file_settings", "json", {}, options);
  }

  /** What happened over the last 24 hours, 7, 30 or 90 days, and how much there is now. */
  getAdminFigures(args: { query?: { range?: string } } = {}, options: CallOptions = {}): Promise<FiguresOverTime> {
    return this.call("GET", "/admin/figures", "json", args, options);
  }

  /**
   * The same for Prometheus and whatever reads its text format: what there is now, and what
   * happened over the last 24 hours.
   */
  getAdminMetrics(options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/admin/metrics", "text", {}, options);
  }

  /** What waits to be sent, newest first, with the most frequent reasons and domains. */
  getAdminQueue(args: { query?: { state?: string; domain?: string; sender?: string; recipient?: string; reason?: string; limit?: number; before_id?: number | null } } = {}, options: CallOptions = {}): Promise<QueueList> {
    return this.call("GET", "/admin/queue", "json", args, options);
  }

  /**
   * Why one recipient waits, what happens next, and the SMTP conversation of every attempt.
   * Also of a recipient that waits no more.
   */
  getAdminQueueId(args: { id: string | number }, options: CallOptions = {}): Promise<WaitingStory> {
    return this.call("GET", "/admin/queue/{id}", "json", args, options);
  }

  /** Make it the turn of recipients that wait for a later one; held mail is let go. */
  postAdminQueueRetry(args: { body: QueueAct }, options: CallOptions = {}): Promise<Changed> {
    return this.call("POST", "/admin/queue/retry", "json", args, options);
  }

  /**
   * Give recipients up; each sender here finds a notice of failure in the mailbox. What is
   * being sent at this moment is left alone.
   */
  postAdminQueueDrop(args: { body: QueueAct }, options: CallOptions = {}): Promise<Changed> {
    return this.call("POST", "/admin/queue/drop", "json", args, options);
  }

  /**
   * What to do next, from how things stand: settings, doors, DNS, backups, mail. DNS is asked
   * every five minutes at most, for three domains.
   */
  getAdminFirstSteps(options: CallOptions = {}): Promise<FirstStepsList> {
    return this.call("GET", "/admin/first_steps", "json", {}, options);
  }

  /**
   * What was posted to all webhooks, newest first. The log goes back a week; of a mailbox it
   * has the newest two hundred.
   */
  getAdminWebhookDeliveries(args: { query?: { state?: string; kind?: string; url?: string; limit?: number; before_id?: number | null } } = {}, options: CallOptions = {}): Promise<DeliveryPage> {
    return this.call("GET", "/admin/webhook_deliveries", "json", args, options);
  }

  /** One delivery with what was posted and every answer. */
  getAdminWebhookDeliveriesId(args: { id: string | number }, options: CallOptions = {}): Promise<OpenedDeliveryRow> {
    return this.call("GET", "/admin/webhook_deliveries/{id}", "json", args, options);
  }

  /**
   * Post it again as it was, with the same `webhook-id` and a new signature; what waits comes
   * due. 409 when its body is not kept any more.
   */
  postAdminWebhookDeliveriesIdReplay(args: { id: string | number }, options: CallOptions = {}): Promise<Replayed> {
    return this.call("POST", "/admin/webhook_deliveries/{id}/replay", "json", args, options);
  }

  /** Give up a delivery that waits. */
  postAdminWebhookDeliveriesIdCancel(args: { id: string | number }, options: CallOptions = {}): Promise<Replayed> {
    return this.call("POST", "/admin/webhook_deliveries/{id}/cancel", "json", args, options);
  }

  /** The DNS records that every domain of ours needs, to be copied. Nobody is asked. */
  getAdminDomains(options: CallOptions = {}): Promise<OwnDomains> {
    return this.call("GET", "/admin/domains", "json", {}, options);
  }

  /** Ask DNS now whether the records of a domain of ours are published. */
  postAdminDomainsCheck(args: { body: DomainWish }, options: CallOptions = {}): Promise<CheckedDomain> {
    return this.call("POST", "/admin/domains/check", "json", args, options);
  }

  /**
   * Make the next DKIM keys of a domain of ours. Publish their records: after three days they
   * begin to sign. Keep the old records for a week after that.
   */
  postAdminDomainsRotateDkim(args: { body: DomainWish }, options: CallOptions = {}): Promise<OwnDomain> {
    return this.call("POST", "/admin/domains/rotate_dkim", "json", args, options);
  }

  /** The policy by which senders insist on TLS, for requests to `mta-sts.<domain>` of ours. */
  getWellKnownMtaStsTxt(options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/.well-known/mta-sts.txt", "text", {}, options);
  }

  /**
   * What administrators changed, newest first, and failed logins. It is kept for a year, and
   * 50,000 rows at most.
   */
  getAdminAudit(args: { query?: { limit?: number; before_id?: number | null; actor?: string; action?: string; q?: string } } = {}, options: CallOptions = {}): Promise<AuditPage> {
    return this.call("GET", "/admin/audit", "json", args, options);
  }

  /** What an entry may be about: every action with its words. */
  getAdminAuditActions(options: CallOptions = {}): Promise<KnownActions> {
    return this.call("GET", "/admin/audit/actions", "json", {}, options);
  }

  /**
   * Where a person agrees to sign in by a provider. The page makes the state, and compares it
   * when the person comes back.
   */
  getUserApiOauth2LoginUrl(args: { query: { clientID: string; state?: string } }, options: CallOptions = {}): Promise<LoginUrl> {
    return this.call("GET", "/user_api/oauth2/login_url", "json", args, options);
  }

  /** Sign in whoever came back with a code; an account is opened when there is none. */
  postUserApiOauth2Callback(args: { body: CameBack }, options: CallOptions = {}): Promise<UserToken> {
    return this.call("POST", "/user_api/oauth2/callback", "json", args, options);
  }

  /** The passkeys of the account, newest first. */
  getUserApiPasskey(options: CallOptions = {}): Promise<PasskeyRow[]> {
    return this.call("GET", "/user_api/passkey", "json", {}, options);
  }

  /** Give a passkey another name. */
  postUserApiPasskeyRename(args: { body: Renamed }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/user_api/passkey/rename", "json", args, options);
  }

  /** Forget a passkey. */
  deleteUserApiPasskeyPasskeyId(args: { passkey_id: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/user_api/passkey/{passkey_id}", "json", args, options);
  }

  /** Options for `navigator.credentials.create`: a challenge that is good for five minutes. */
  postUserApiPasskeyRegisterRequest(args: { body: Asked }, options: CallOptions = {}): Promise<Record<string, unknown>> {
    return this.call("POST", "/user_api/passkey/register_request", "json", args, options);
  }

  /** Keep the passkey that an authenticator made for a challenge of ours. */
  postUserApiPasskeyRegisterResponse(args: { body: PasskeysRegistered }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/user_api/passkey/register_response", "json", args, options);
  }

  /** Options for `navigator.credentials.get`: any passkey of this host may answer. */
  postUserApiPasskeyAuthenticateRequest(args: { body: Asked }, options: CallOptions = {}): Promise<Record<string, unknown>> {
    return this.call("POST", "/user_api/passkey/authenticate_request", "json", args, options);
  }

  /**
   * Sign in by a passkey; a challenge is answered once. What an authenticator signed for
   * another page, challenge or host is an uncaught failure by the contract.
   */
  postUserApiPasskeyAuthenticateResponse(args: { body: Answered }, options: CallOptions = {}): Promise<UserToken> {
    return this.call("POST", "/user_api/passkey/authenticate_response", "json", args, options);
  }

  /** The providers as they were saved. */
  getAdminUserOauth2Settings(options: CallOptions = {}): Promise<ProviderRow[]> {
    return this.call("GET", "/admin/user_oauth2_settings", "json", {}, options);
  }

  /** Replace the providers: all of them, or none when one is incomplete. */
  postAdminUserOauth2Settings(args: { body: ProviderRow[] }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/user_oauth2_settings", "json", args, options);
  }

  /** An update from Telegram. Since the bot was registered here it must bear our secret. */
  postTelegramWebhook(args: { body: Update }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/telegram/webhook", "json", args, options);
  }

  /** The person's addresses. */
  postTelegramGetBindAddress(args: { body: MiniAppPerson }, options: CallOptions = {}): Promise<HeldRow[]> {
    return this.call("POST", "/telegram/get_bind_address", "json", args, options);
  }

  /** Open an address and bind it to the person. */
  postTelegramNewAddress(args: { body: MiniAppWish }, options: CallOptions = {}): Promise<OpenedRow> {
    return this.call("POST", "/telegram/new_address", "json", args, options);
  }

  /** Bind an address to the person, who is told of its mail from now on. */
  postTelegramBindAddress(args: { body: MiniAppBinding }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/telegram/bind_address", "json", args, options);
  }

  /** Take an address from the person's list. */
  postTelegramUnbindAddress(args: { body: Unbinding }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/telegram/unbind_address", "json", args, options);
  }

  /**
   * A mail of one of the person's addresses; null when there is none. The admin password in
   * `x-admin-auth` opens any mail.
   */
  postTelegramGetMail(args: { body: MailWish }, options: CallOptions = {}): Promise<MailRow | null> {
    return this.call("POST", "/telegram/get_mail", "json", args, options);
  }

  /**
   * The same mail taken apart for reading, its HTML sanitised; with `remote` it keeps what it
   * would load from the web.
   */
  postTelegramOpenMail(args: { body: MailWish }, options: CallOptions = {}): Promise<OpenedMail | null> {
    return this.call("POST", "/telegram/open_mail", "json", args, options);
  }

  /**
   * Tell Telegram to send its updates to the host of this request, with a secret, and which
   * commands there are.
   */
  postAdminTelegramInit(options: CallOptions = {}): Promise<TelegramRegistered> {
    return this.call("POST", "/admin/telegram/init", "json", {}, options);
  }

  /** What Telegram knows of the bot. */
  getAdminTelegramStatus(options: CallOptions = {}): Promise<BotStatus> {
    return this.call("GET", "/admin/telegram/status", "json", {}, options);
  }

  /** Who may use the bot, where the mini app is, who is told of all mail. */
  getAdminTelegramSettings(options: CallOptions = {}): Promise<TelegramSettings> {
    return this.call("GET", "/admin/telegram/settings", "json", {}, options);
  }

  /** Replace the settings; what is missing has its default. */
  postAdminTelegramSettings(args: { body: TelegramSettings }, options: CallOptions = {}): Promise<Success> {
    return this.call("POST", "/admin/telegram/settings", "json", args, options);
  }

  /**
   * Ask whoever opened the link from a confirmation mail. Looking confirms nothing: scanners
   * open links too.
   */
  getConfirmSenderToken(args: { token: string | number }, options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/confirm-sender/{token}", "text", args, options);
  }

  /** Confirm the sender that the link is about. */
  postConfirmSenderToken(args: { token: string | number }, options: CallOptions = {}): Promise<string> {
    return this.call("POST", "/confirm-sender/{token}", "text", args, options);
  }

  /** A message of the archive, by a signed address that ends after an hour. */
  getArchiveEmailIdProof(args: { email_id: string | number; proof: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/archive/{email_id}/{proof}", "bytes", args, options);
  }

  /**
   * Queue one mail through a server of yours. Proves an API key or the admin password; it is
   * tried again for a day while the server is away.
   */
  postSendEmail(args: { body: MailForm }, options: CallOptions = {}): Promise<IntegrationQueued> {
    return this.call("POST", "/send-email", "json", args, options);
  }

  /** What became of a mail that was queued. */
  getSendEmailMailId(args: { mail_id: string | number }, options: CallOptions = {}): Promise<MailState> {
    return this.call("GET", "/send-email/{mail_id}", "json", args, options);
  }

  /** Send up to fifty mails over one connection, and wait for what the server says to each. */
  postSendEmails(args: { body: MailsForm }, options: CallOptions = {}): Promise<BatchResult> {
    return this.call("POST", "/send-emails", "json", args, options);
  }

  /** Connect, encrypt and log in, and leave again; no mail is sent. */
  postTestConnection(args: { body: TestForm }, options: CallOptions = {}): Promise<TestResult> {
    return this.call("POST", "/test-connection", "json", args, options);
  }

  /** The SMTP connections of the account, without passwords. */
  getSmtpConnections(options: CallOptions = {}): Promise<ConnectionRows> {
    return this.call("GET", "/smtp-connections", "json", {}, options);
  }

  /**
   * Keep an SMTP connection under a name; `default` is used when a call names none. The
   * password is kept encrypted, and forgotten when the connection leads elsewhere.
   */
  putSmtpConnectionsName(args: { name: string | number; body: ConnectionForm }, options: CallOptions = {}): Promise<ConnectionRow> {
    return this.call("PUT", "/smtp-connections/{name}", "json", args, options);
  }

  /** Forget an SMTP connection and its password. */
  deleteSmtpConnectionsName(args: { name: string | number }, options: CallOptions = {}): Promise<Success> {
    return this.call("DELETE", "/smtp-connections/{name}", "json", args, options);
  }

  /**
   * The picture of one point in a tracked mail; each look is an opening. Any other link gets
   * the same picture, so that nobody learns which links are good.
   */
  getTOToken(args: { token: string | number }, options: CallOptions = {}): Promise<ArrayBuffer> {
    return this.call("GET", "/t/o/{token}", "bytes", args, options);
  }

  /**
   * To where a tracked link leads: 302; 404 for a link that is none of ours. HEAD is no click:
   * scanners ask so where links lead.
   */
  getTCToken(args: { token: string | number }, options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/t/c/{token}", "text", args, options);
  }

  /** Ask whether to unsubscribe. Looking changes nothing: scanners open links too. */
  getTUToken(args: { token: string | number }, options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/t/u/{token}", "text", args, options);
  }

  /**
   * Unsubscribe at once, as mail programs ask for it by one click (RFC 8058 §3.2); or subscribe
   * again, as our page asks for it.
   */
  postTUToken(args: { token: string | number }, options: CallOptions = {}): Promise<string> {
    return this.call("POST", "/t/u/{token}", "text", args, options);
  }

  /**
   * A gateway tells about a short message, in the address alone. Proves a secret in the query.
   */
  getSmsCallback(options: CallOptions = {}): Promise<string> {
    return this.call("GET", "/sms/callback", "text", {}, options);
  }

  /** A gateway tells about a short message. Proves a secret in the query. */
  postSmsCallback(options: CallOptions = {}): Promise<string> {
    return this.call("POST", "/sms/callback", "text", {}, options);
  }
}
