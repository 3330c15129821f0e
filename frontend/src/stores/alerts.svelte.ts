/** Notifications of the browser about new mail: only when asked for, and only while nobody looks at the page. */

import { prefs } from './prefs.svelte';

class Alerts {
  readonly possible = typeof Notification !== 'undefined' && isSecureContext;
  refused = $state(typeof Notification !== 'undefined' && Notification.permission === 'denied');

  get on(): boolean {
    return this.possible && !this.refused && prefs.value.notify;
  }

  async turn(on: boolean): Promise<void> {
    if (on && (await Notification.requestPermission()) !== 'granted') {
      this.refused = Notification.permission === 'denied';
      on = false;
    }
    prefs.set({ notify: on });
  }
}

export const alerts = new Alerts();

/** Tells of a mail; a code is in the words, because it is what the visitor waits for. */
export async function tell(title: string, body: string, tag: string): Promise<void> {
  if (!prefs.value.notify || document.visibilityState === 'visible') return;
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
  const options = { body, tag, icon: '/favicon.svg' };
  const worker = await navigator.serviceWorker?.getRegistration();
  // Phones show notifications of a service worker only.
  if (worker?.active) await worker.showNotification(title, options);
  else new Notification(title, options);
}
