/** Notifications of the browser about new mail: only when asked for, and only while nobody looks at the page. */

import { place } from './place.svelte';
import { prefs } from './prefs.svelte';
import { session } from './session.svelte';

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

interface Told {
  mail: number;
  address: string;
}

/** A press on what told of a mail leads to it. */
function show({ mail, address }: Told): void {
  if (address !== session.current?.address) session.switchTo(address);
  place.go({ view: 'mail', id: mail });
}

navigator.serviceWorker?.addEventListener('message', ({ data }) => data?.told && show(data.told as Told));

/** Tells of a mail; a code is in the words, because it is what the visitor waits for. */
export async function tell(title: string, body: string, mail: number): Promise<void> {
  if (!prefs.value.notify || document.visibilityState === 'visible') return;
  if (typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
  const told = { mail, address: session.current?.address ?? '' };
  const options = { body, tag: `mail-${mail}`, icon: '/favicon.svg', data: told };
  const worker = await navigator.serviceWorker?.getRegistration();
  // Phones show notifications of a service worker only.
  if (worker?.active) await worker.showNotification(title, options);
  else new Notification(title, options).onclick = () => (focus(), show(told));
}
