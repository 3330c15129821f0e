/** What has just happened: one toast for the eye, one sentence for the ear. */

import type { IconName } from '../parts/icons';

/** How long a deed can be undone, and how long its toast stays. */
export const UNDO_MS = 8000;
const SHORT_MS = 4000;

export interface Toast {
  id: number;
  text: string;
  icon: IconName;
  tone: 'plain' | 'bad';
  undo: (() => void) | null;
}

class Notices {
  toast = $state.raw<Toast | null>(null);
  /** Read out politely by screen readers. */
  spoken = $state('');

  private counter = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string, icon: IconName = 'check'): void {
    this.show({ text, icon, tone: 'plain', undo: null }, SHORT_MS);
  }

  /** Trouble stays longer: it has to be read, not only noticed. */
  complain(text: string): void {
    this.show({ text, icon: 'alert', tone: 'bad', undo: null }, UNDO_MS);
  }

  offerUndo(text: string, icon: IconName, undo: () => void): void {
    this.show({ text, icon, tone: 'plain', undo }, UNDO_MS);
  }

  dismiss(): void {
    clearTimeout(this.timer);
    this.toast = null;
  }

  announce(text: string): void {
    // The same words twice are only read twice when they differ.
    this.spoken = this.spoken === text ? `${text}\u00a0` : text;
  }

  private show(toast: Omit<Toast, 'id'>, milliseconds: number): void {
    clearTimeout(this.timer);
    this.toast = { ...toast, id: ++this.counter };
    this.timer = setTimeout(() => (this.toast = null), milliseconds);
  }
}

export const notices = new Notices();
