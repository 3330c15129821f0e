/** What the service says and hears over HTTP. Times are `YYYY-MM-DD HH:MM:SS` in UTC. */

import type { MailboxLimits } from './room';

export interface ServiceSettings {
  title?: string;
  announcement: string;
  alwaysShowAnnouncement: boolean;
  prefix: string;
  minAddressLen: number;
  maxAddressLen: number;
  defaultDomains: string[];
  domains: string[];
  domainLabels: string[];
  needAuth: boolean;
  adminContact?: string;
  cfTurnstileSiteKey?: string;
  enableAltcha?: boolean;
  copyright?: string;
  enableIndexAbout: boolean;
  randomSubdomainDomains: string[];
  enableUserCreateEmail: boolean;
  disableAnonymousUserCreateEmail: boolean;
  disableAdminPasswordCheck: boolean;
  disableCustomAddressName: boolean;
  enableUserDeleteEmail: boolean;
  enableAddressPassword: boolean;
  enableSendMail: boolean;
  enableAutoReply?: boolean;
  enableWebhook?: boolean;
  isS3Enabled?: boolean;
  showGithub?: boolean;
  showGithubForUser?: boolean;
  repositoryUrl?: string;
  statusUrl?: string;
  /** Only where they are so. */
  enableOwnerForwarding?: boolean;
  imapAccountLogin?: boolean;
  mailboxLimits?: MailboxLimits;
  version: string;
  smtpImapProxyConfig: {
    smtp: { host: string; port: number; starttls: boolean };
    imap: { host: string; port: number; starttls: boolean };
  };
}

/** What a new address should be like; nothing is needed. */
export interface AddressWish {
  name?: string;
  domain?: string;
  enableRandomSubdomain?: boolean;
}

export interface NewAddress {
  jwt: string;
  address: string;
  password: string | null;
  address_id: number;
}

export interface LinkFound {
  url: string;
  text: string;
  host: string;
}

/** One line of a list; the text of the mail is not in it. */
export interface MailRow {
  id: number;
  created_at: string;
  size: number;
  from_address: string;
  from_name: string;
  subject: string;
  preview: string;
  seen: boolean;
  flagged: boolean;
  answered: boolean;
  attachment_count: number;
  code: string | null;
  link: LinkFound | null;
}

/** A row as it travels in lists: what is empty is left out. */
export type BriefRow = Pick<MailRow, 'id' | 'created_at' | 'size'> & Partial<MailRow>;

/** What can be proved about where a mail comes from, a word for each way to prove it (docs/verdicts.md). */
export interface Verdicts {
  spf: string;
  dkim: string;
  dmarc: string;
  arc: string;
}

/** A row with everything that an opened mail or an account tells of it. */
export interface FullRow extends MailRow {
  address: string;
  source: string;
  to: string;
  message_id: string | null;
  codes: string[];
  links: LinkFound[];
  /** How sure each code is, 0 to 1; missing where an older version read the mail. */
  code_confidences?: number[];
  /** Null until it was found out, and for mail that came from nobody. */
  verdicts?: Verdicts | null;
}

export interface HeaderField {
  name: string;
  value: string;
}

export interface Part {
  index: number;
  filename: string;
  mime_type: string;
  size: number;
  disposition: string;
  content_id: string;
}

/** An opened mail. `html` has been sanitised by the service. */
export interface Mail extends FullRow {
  text: string;
  html: string;
  remote_count: number;
  headers: HeaderField[];
  attachments: Part[];
  reply_to: string;
  cc: string;
  in_reply_to: string;
  references: string;
}

export interface InboxPage<Row = MailRow> {
  results: Row[];
  count: number;
  unread: number;
  next_before_id: number | null;
}

export interface InboxQuery {
  before_id?: number;
  after_id?: number;
  q?: string;
  unread?: boolean;
  flagged?: boolean;
  codes?: boolean;
  limit?: number;
}

export interface Flags {
  seen?: boolean;
  flagged?: boolean;
  answered?: boolean;
}

export type DeliveryState = 'queued' | 'held' | 'sending' | 'deferred' | 'delivered' | 'failed';

export interface Recipient {
  address: string;
  state: DeliveryState;
  attempts: number;
  next_attempt_at: string | null;
  last_reply: string | null;
  updated_at: string;
}

export interface SentRow {
  id: number;
  queue_id: string;
  subject: string;
  from_address: string;
  to: string[];
  created_at: string;
  size: number;
  state: DeliveryState;
  recipients: Recipient[];
}

export interface Attempt {
  recipient: string;
  at: string;
  remote: string;
  reply: string;
  conversation: string;
}

export interface SentMail extends SentRow {
  text: string;
  html: string;
  headers: HeaderField[];
  attachments: Part[];
  attempts: Attempt[];
}

export interface SentPage {
  results: SentRow[];
  count: number;
  next_before_id: number | null;
}

/** What the composer hands over; attachments carry base64. */
export interface Submission {
  from_name: string;
  to_name: string;
  to_mail: string[];
  cc: string[];
  bcc: string[];
  subject: string;
  content: string;
  is_html: boolean;
  /** The same words as plain text, beside HTML. */
  text?: string;
  in_reply_to?: string;
  references?: string;
  attachments: { filename: string; content: string; type: string; disposition: 'attachment' }[];
}

export interface Accepted {
  status: 'ok';
  queue_id: string;
  id: number;
  message_id: string;
}

/** The fate of one recipient, or, without one, of the whole mail. */
export interface SentEvent {
  id: number;
  queue_id: string;
  state: DeliveryState;
  recipient?: string;
  recipient_state?: DeliveryState;
  last_reply?: string | null;
}

export interface FlagsEvent extends Flags {
  ids: number[];
}

export interface DeletedEvent {
  ids: number[];
}
