/** Turnstile: the one script of another host, loaded only where the administrator has set it up and it is needed. */

const SCRIPT = 'https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit';
const LOADING_MS = 20_000;

interface Turnstile {
  render(
    box: HTMLElement,
    options: {
      sitekey: string;
      theme: 'auto' | 'light' | 'dark';
      language: string;
      callback: (token: string) => void;
      'error-callback': () => boolean;
    },
  ): string;
  remove(id: string): void;
}

let loading: Promise<Turnstile> | null = null;

function load(): Promise<Turnstile> {
  loading ??= new Promise<Turnstile>((resolve, reject) => {
    const script = document.createElement('script');
    const fail = () => {
      loading = null;
      script.remove();
      reject(new Error('Turnstile could not be loaded'));
    };
    const timer = setTimeout(fail, LOADING_MS);
    script.src = SCRIPT;
    script.onerror = fail;
    script.onload = () => {
      clearTimeout(timer);
      const turnstile = (window as { turnstile?: Turnstile }).turnstile;
      if (turnstile) resolve(turnstile);
      else fail();
    };
    document.head.append(script);
  });
  return loading;
}

/** Shows the widget in `box`; the token it gives, or an Error when it cannot be had. */
export async function ask(box: HTMLElement, sitekey: string, language: string, signal: AbortSignal): Promise<string> {
  const turnstile = await load();
  signal.throwIfAborted();
  let id = '';
  try {
    return await new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      const theme = (document.documentElement.dataset['theme'] as 'light' | 'dark' | undefined) ?? 'auto';
      id = turnstile.render(box, {
        sitekey,
        theme,
        language,
        callback: resolve,
        'error-callback': () => {
          reject(new Error('Turnstile failed'));
          return true;
        },
      });
    });
  } finally {
    if (id) turnstile.remove(id);
  }
}
