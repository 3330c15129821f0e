/** What every request says of this browser and whoever sits before it. */

export interface Keys {
  /** Address token for `/api`. */
  token?: string | undefined;
  /** Password of a private site. */
  site?: string | undefined;
  /** Whatever else says who is asking, by the name of its header. */
  headers?: Record<string, string> | undefined;
}

/** What tells this browser from others, for administrators who keep one out; `ERROR` where it cannot be said. */
export function fingerprint(): string {
  try {
    const signs = [navigator.userAgent, navigator.language, screen.width, screen.height, new Date().getTimezoneOffset(), navigator.hardwareConcurrency].join();
    let [a, b] = [7, 11];
    for (const sign of signs) {
      a = Math.imul(a ^ sign.charCodeAt(0), 16_777_619);
      b = Math.imul(b + sign.charCodeAt(0), 2_654_435_761);
    }
    return (a >>> 0).toString(16) + (b >>> 0).toString(16);
  } catch {
    return 'ERROR';
  }
}

export function headersFor(keys: Keys, language: string, print: string): Record<string, string> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json', 'x-lang': language, 'x-fingerprint': print, ...keys.headers };
  if (keys.token) headers['Authorization'] = `Bearer ${keys.token}`;
  if (keys.site) headers['x-custom-auth'] = keys.site;
  return headers;
}

/** How every request is made: nothing is kept by the browser, nothing is sent that was not said. */
export const PLAIN: RequestInit = { cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer' };
