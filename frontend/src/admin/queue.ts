/** The queue as the service tells it, and how a part of it is asked for. */

import type { IconName } from '../parts/icons';
import type { TextKey } from '../texts';
import type { Told } from '../lib/told';

export type QueueState = 'queued' | 'deferred' | 'sending' | 'held';

export interface QueueRow {
  id: number;
  queue_id: string;
  sender: string;
  recipient: string;
  subject: string;
  state: QueueState;
  attempts: number;
  next_attempt_at: string | null;
  last_reply: string | null;
  created_at: string;
  expires_at: string | null;
  size: number;
}

export interface QueuePage {
  results: QueueRow[];
  count: number;
  reasons: { reply: string; count: number }[];
  domains: { domain: string; count: number }[];
  next_before_id: number | null;
}

export interface QueueAttempt {
  at: string;
  host: string;
  address: string;
  outcome: string;
  reply: string;
  conversation: { by: string; line: string }[];
}

export type QueueStory = QueueRow & { story: string[]; story_told: Told[]; attempts_made: QueueAttempt[] };

export interface QueueFilter {
  state: string;
  domain: string;
  sender: string;
  recipient: string;
  reason: string;
}

export const ALL: QueueFilter = { state: '', domain: '', sender: '', recipient: '', reason: '' };

export const STATES: readonly QueueState[] = ['deferred', 'queued', 'sending', 'held'];

export const LOOKS: Readonly<Record<QueueState, { tone: 'wait' | 'idle'; icon: IconName; text: TextKey }>> = {
  deferred: { tone: 'wait', icon: 'clock', text: 'state.deferred' },
  queued: { tone: 'idle', icon: 'more', text: 'state.queued' },
  sending: { tone: 'idle', icon: 'send', text: 'state.sending' },
  held: { tone: 'wait', icon: 'pause', text: 'state.held' },
};

/** What is set of a filter; the whole queue is an empty one. */
export function asked(filter: QueueFilter): Record<string, string> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => (value as string).trim() !== '')) as Record<string, string>;
}

/** A place within the page: `12` opens a mail, `reason=…` filters. */
export function readPlace(text: string): { open: number | null; filter: Partial<QueueFilter> } {
  if (/^\d+$/.test(text)) return { open: Number(text), filter: {} };
  const found = /^(state|domain|sender|recipient|reason)=(.*)$/s.exec(text);
  return { open: null, filter: found ? { [found[1]!]: found[2]! } : {} };
}
