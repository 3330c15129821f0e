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
  /** Seconds between looks at the list while the open line is down; 0 for none. */
  every: number;
  /** Pixels of the list beside the mail; 0 as the page thinks fit. */
  split: number;
  /** Where the places stand on a wide screen: `left`, `right` or `top`. */
  rail: string;
  /** The page keeps to the middle of a wide screen. */
  margins: boolean;
}

const DEFAULTS: Preferences = { simple: false, asText: false, remote: false, notify: false, utc: false, whole: false, dense: false, lines: 1, page: 50, every: 60, split: 0, rail: 'left', margins: false };

/** What an older page wrote, or another hand, counts as far as it has the right shape. */
function isPreferences(value: unknown): value is Partial<Preferences> {
  return typeof value === 'object' && value !== null && Object.entries(value).every(([name, one]) => typeof one === typeof DEFAULTS[name as keyof Preferences]);
}

class Prefs {
  value = $state.raw<Preferences>({ ...DEFAULTS, ...recall<Partial<Preferences>>(KEPT, {}, isPreferences) });

  constructor() {
    if (this.value.margins || this.value.rail !== 'left') this.arrange();
  }

  set(part: Partial<Preferences>): void {
    this.value = { ...this.value, ...part };
    if ('rail' in part || 'margins' in part) this.arrange();
    remember(KEPT, this.value);
  }

  private arrange(): void {
    void import('./arranging').then(({ arrange }) => arrange(this.value), () => undefined);
  }
}

export const prefs = new Prefs();
