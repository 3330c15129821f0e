/** How this visitor likes the page; kept in this browser. */

import { recall, remember } from '../lib/memory';

const KEPT = 'mailbox.preferences';

export interface Preferences {
  /** One mail at a time, and little else. */
  simple: boolean;
  /** Mails with both forms open as text. */
  asText: boolean;
  /** Remote pictures are loaded without asking. */
  remote: boolean;
  /** The browser tells of new mail while the page is in the background. */
  notify: boolean;
  /** Times in UTC instead of the reader's own zone. */
  utc: boolean;
  /** The list over the whole width; a mail then takes its place. */
  whole: boolean;
  /** Lower rows. */
  dense: boolean;
  /** Lines of the mail's text below the subject; 0 shows the subject alone. */
  lines: number;
  /** Mails asked for at a time. */
  page: number;
  /** Seconds between looks at the list beside the open line; 0 for none. */
  every: number;
}

const DEFAULTS: Preferences = { simple: false, asText: false, remote: false, notify: false, utc: false, whole: false, dense: false, lines: 1, page: 50, every: 0 };

/** What an older page wrote, or another hand, counts as far as it has the right shape. */
function isPreferences(value: unknown): value is Partial<Preferences> {
  return typeof value === 'object' && value !== null && Object.entries(value).every(([name, one]) => typeof one === typeof DEFAULTS[name as keyof Preferences]);
}

class Prefs {
  value = $state.raw<Preferences>({ ...DEFAULTS, ...recall<Partial<Preferences>>(KEPT, {}, isPreferences) });

  set(part: Partial<Preferences>): void {
    this.value = { ...this.value, ...part };
    remember(KEPT, this.value);
  }
}

export const prefs = new Prefs();
