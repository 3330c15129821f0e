/** How full a mailbox is. */

/** What every mailbox may hold, and what may arrive for it; 0: any. */
export interface MailboxLimits {
  mails: number;
  octets: number;
  perMinute: number;
  perHour: number;
}

export interface Usage {
  mails: number;
  octets: number;
  in_minute: number;
  in_hour: number;
  max_mails: number;
  max_octets: number;
  mails_per_minute: number;
  mails_per_hour: number;
  /** Further mail waits with its senders until something is deleted. */
  full: boolean;
}

export interface Bound {
  of: 'mails' | 'octets' | 'minute' | 'hour';
  used: number;
  most: number;
}

/** Nine tenths: time to delete something. */
const NEARLY = 0.9;

/** The bounds that there are. */
export function boundsOf(usage: Usage): Bound[] {
  const all: Bound[] = [
    { of: 'mails', used: usage.mails, most: usage.max_mails },
    { of: 'octets', used: usage.octets, most: usage.max_octets },
    { of: 'minute', used: usage.in_minute, most: usage.mails_per_minute },
    { of: 'hour', used: usage.in_hour, most: usage.mails_per_hour },
  ];
  return all.filter((bound) => bound.most > 0);
}

export const isNearly = (bound: Bound): boolean => bound.used >= bound.most * NEARLY;

/** What an owner has to be told of: the bound on what is kept that is the nearest, when it is near. */
export function tightest(usage: Usage): Bound | null {
  const kept = boundsOf(usage).filter((bound) => bound.of === 'mails' || bound.of === 'octets');
  const [first] = kept.sort((one, other) => other.used / other.most - one.used / one.most);
  return first && (usage.full || isNearly(first)) ? first : null;
}
