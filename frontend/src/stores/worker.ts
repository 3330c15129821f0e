/** The service worker: asked for when the page has settled, so that it takes nothing from a first visit. */

/** After this long a visitor has what they came for. */
const SETTLED_MS = 3000;

export function beginWorker(): void {
  if (!import.meta.env.PROD || !isSecureContext || !('serviceWorker' in navigator)) return;
  setTimeout(() => void navigator.serviceWorker.register('/sw.js').catch(() => undefined), SETTLED_MS);
}

/** What was kept of the mails of this key is dropped. */
export function forgetMails(token: string): void {
  navigator.serviceWorker?.controller?.postMessage({ forget: `Bearer ${token}` });
}
