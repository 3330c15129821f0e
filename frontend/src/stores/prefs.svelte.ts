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
}

const DEFAULTS: Preferences = { simple: false, asText: false, remote: false, notify: false };

function isPreferences(value: unknown): value is Partial<Preferences> {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'boolean');
}

class Prefs {
  value = $state.raw<Preferences>({ ...DEFAULTS, ...recall<Partial<Preferences>>(KEPT, {}, isPreferences) });

  set(part: Partial<Preferences>): void {
    this.value = { ...this.value, ...part };
    remember(KEPT, this.value);
  }
}

export const prefs = new Prefs();
