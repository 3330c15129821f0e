/** What became of a mail, in words first; protocol figures follow in the remote's own words. */

import type { IconName } from '../parts/icons';
import { t } from '../texts';
import { clock, instant, relativeTime, shortTime } from './time';
import type { DeliveryState, Recipient } from './wire';

export interface StateLook {
  tone: 'good' | 'wait' | 'bad' | 'idle';
  icon: IconName;
  word: string;
}

export function stateLook(state: DeliveryState): StateLook {
  switch (state) {
    case 'delivered':
      return { tone: 'good', icon: 'check', word: t('state.delivered') };
    case 'deferred':
      return { tone: 'wait', icon: 'clock', word: t('state.deferred') };
    case 'failed':
      return { tone: 'bad', icon: 'x', word: t('state.failed') };
    case 'held':
      return { tone: 'wait', icon: 'pause', word: t('state.held') };
    case 'sending':
      return { tone: 'idle', icon: 'send', word: t('state.sending') };
    case 'queued':
      return { tone: 'idle', icon: 'more', word: t('state.queued') };
  }
}

/** One line beside the state: when, and what the remote said. */
export function reason(recipient: Recipient, now: Date, language: string): string {
  const said = recipient.last_reply ?? '';
  const at = instant(recipient.updated_at);
  switch (recipient.state) {
    case 'delivered':
      return said ? t('why.delivered.said', { time: when(at, now, language), said }) : t('why.delivered', { time: when(at, now, language) });
    case 'deferred': {
      const next = recipient.next_attempt_at ? t('why.next', { when: relativeTime(instant(recipient.next_attempt_at), now, language) }) : '';
      return [said, next].filter(Boolean).join(' · ');
    }
    case 'failed':
      return said || t('why.failed');
    case 'held':
      return t('why.held');
    case 'sending':
      return t('why.sending');
    case 'queued':
      return t('why.queued');
  }
}

function when(date: Date, now: Date, language: string): string {
  const short = shortTime(date, now, language);
  return /^\d\d:\d\d$/.test(short) ? short : `${short} ${clock(date)}`;
}
