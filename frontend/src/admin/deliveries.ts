/** What was posted to webhooks, of all kinds. */

import type { Told } from '../lib/told';
import type { IconName } from '../parts/icons';
import type { TextKey } from '../texts';

export interface Delivery {
  id: number;
  kind: string;
  /** Whose webhook it is. */
  owner: string;
  url: string;
  event: string;
  recipient: string;
  state: string;
  attempts: number;
  last_status: number | null;
  last_error: string | null;
  last_error_told: Told | null;
  created_at: string;
  next_attempt_at: string | null;
  replayable: boolean;
}

export interface DeliveryDetail extends Delivery {
  method: string;
  /** Its beginning; null when it is not kept any more. */
  request_body: string | null;
  request_headers: Record<string, string>;
  attempts_made: { at: string; status: number | null; error: string | null; error_told: Told | null; duration_ms: number; answer: string }[];
}

export const KINDS = ['mailbox', 'sending'] as const;
export const KIND_NAMES: Readonly<Record<string, TextKey>> = { mailbox: 'hooks.kind.mailbox', sending: 'hooks.kind.sending' };

export const LOOKS: Readonly<Record<string, { tone: string; icon: IconName; text: TextKey }>> = {
  waiting: { tone: 'wait', icon: 'clock', text: 'webhook.state.waiting' },
  delivered: { tone: 'good', icon: 'check', text: 'webhook.state.delivered' },
  failed: { tone: 'bad', icon: 'x', text: 'webhook.state.failed' },
};

/** How the service names the webhook that is told of every mail. */
export const OF_ALL_MAIL = 'all mail';

/** Where a post goes, in short. */
export function hostOf(url: string): string {
  return /^\w+:\/\/([^/?#]+)/.exec(url)?.[1] ?? url;
}

/** JSON is easier to read with its lines; anything else stays as it was sent. */
export function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
