/** Ready settings for services that many people are told by. Values in capitals are to be filled in. */

import type { Told } from './told';

export interface WebhookSettings {
  enabled: boolean;
  url: string;
  method: string;
  headers: string;
  body: string;
  /** Of which mail it tells (conditions.ts). */
  conditions?: unknown;
}

export const NO_WEBHOOK: WebhookSettings = { enabled: false, url: '', method: 'POST', headers: '{}', body: '{}' };

type Preset = Omit<WebhookSettings, 'enabled' | 'conditions'>;

const JSON_HEADERS = JSON.stringify({ 'Content-Type': 'application/json' });

const post = (url: string, body: object): Preset => ({
  url,
  method: 'POST',
  headers: JSON_HEADERS,
  body: JSON.stringify(body, null, 2),
});

const WORDS = '${from}\n${subject}\n\n${parsedText}';

export const PRESETS: Readonly<Record<string, Preset>> = {
  'Message Pusher': post('https://msgpusher.com/push/USERNAME', {
    token: 'TOKEN',
    title: '${subject}',
    description: '${from}',
    content: WORDS,
  }),
  Bark: post('https://api.day.app/KEY', { title: '${subject}', body: '${from}: ${parsedText}', group: '${to}', url: '${url}' }),
  ntfy: post('https://ntfy.sh/', { topic: 'TOPIC', title: '${subject}', message: '${from}\n${parsedText}', click: '${url}' }),
  'Telegram Bot': post('https://api.telegram.org/botTOKEN/sendMessage', { chat_id: 'CHAT_ID', text: WORDS }),
  'WeChat Work': post('https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=KEY', { msgtype: 'text', text: { content: WORDS } }),
  Discord: post('https://discord.com/api/webhooks/ID/TOKEN', { content: WORDS, allowed_mentions: { parse: [] } }),
};

/** What may stand in the body and the address. */
export const PLACEHOLDERS = ['id', 'url', 'from', 'to', 'subject', 'raw', 'parsedText', 'parsedHtml', 'aiExtract', 'aiExtractType', 'aiExtractResult', 'aiExtractResultText'];

export type WebhookFault = 'url' | 'headers';

/** What the service would refuse at the first post; null when nothing is wrong. */
export function webhookFault(settings: WebhookSettings): WebhookFault | null {
  if (!/^https?:\/\/[^\s/]+/i.test(settings.url)) return 'url';
  try {
    const headers: unknown = JSON.parse(settings.headers || '{}');
    if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return 'headers';
  } catch {
    return 'headers';
  }
  return null;
}

/** What a service answered, as far as it looks like settings. What the form does not show stays in it and is saved again. */
export function readWebhook(answer: unknown): WebhookSettings {
  const given = (typeof answer === 'object' && answer !== null ? answer : {}) as Partial<Record<keyof WebhookSettings, unknown>>;
  const text = (name: keyof WebhookSettings, fallback: string) => (typeof given[name] === 'string' ? given[name] : fallback);
  return {
    ...given,
    enabled: Boolean(given.enabled),
    url: text('url', ''),
    method: text('method', 'POST') || 'POST',
    headers: text('headers', '{}'),
    body: text('body', '{}'),
  };
}

export interface WebhookPost {
  id: number;
  mail_id: number;
  to: string;
  url: string;
  method: string;
  state: 'waiting' | 'posting' | 'delivered' | 'failed';
  attempts: number;
  status: number;
  reason: string;
  reason_told: Told | null;
  answer: string;
  created_at: string;
  attempted_at: string | null;
  next_attempt_at: string | null;
}
