// The page without a connection: its files, and the last mails that were read here.
// Plain JavaScript, served as it is. It answers nothing that changes something, and never the event stream.

const FILES = 'files-1';
const MAILS = 'mails-1';
// Old builds of the page are let go when there are more files than these; one build has about 70.
const MOST_FILES = 250;
// Answers about mail that are kept, over all addresses of this browser.
const MOST_MAILS = 300;
// A navigation that is not answered within this time is answered from here.
const PATIENCE_MS = 4000;
// What may be kept of the API: settings of the service, lists, opened mails.
const KEPT = /^\/(?:open_api\/settings|api\/(?:inbox|sent)(?:\/(?:\d+|brief))?|api\/settings)$/;

self.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const files = await caches.open(FILES);
      await files.put('/', await fetch('/', { cache: 'no-cache' }));
      const list = await (await fetch('/offline.json', { cache: 'no-cache' })).json();
      for (const path of list) {
        // One that is missing is fetched when it is asked for.
        if (!(await files.match(path))) await files.add(path).catch(() => undefined);
      }
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener('message', (event) => {
  // A key that was forgotten here takes its mails along.
  if (typeof event.data?.forget === 'string') event.waitUntil(forget(event.data.forget));
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  // The mail that was told of.
  const told = event.notification.data;
  event.waitUntil(
    (async () => {
      const [open] = await self.clients.matchAll({ type: 'window' });
      if (open) {
        await open.focus();
        open.postMessage({ told });
      } else await self.clients.openWindow(told ? `/?mail_id=${told.mail}` : '/');
    })(),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate' && !url.pathname.includes('.') && !/^\/(?:docs|api|admin\/|external|files)/.test(url.pathname)) {
    event.respondWith(navigated(request));
  } else if (url.pathname.startsWith('/assets/') || /^\/favicon/.test(url.pathname)) {
    event.respondWith(file(request));
  } else if (request.cache !== 'reload' && KEPT.test(url.pathname)) {
    event.respondWith(mail(request, url));
  }
});

async function navigated(request) {
  const files = await caches.open(FILES);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
  try {
    const answer = await Promise.race([fetch(request), late]);
    if (answer?.ok) {
      await files.put('/', answer.clone());
      return answer;
    }
    if (answer) return answer;
  } catch {
    // Offline: the page from here.
  }
  return (await files.match('/')) ?? Response.error();
}

async function file(request) {
  const files = await caches.open(FILES);
  const kept = await files.match(request, { ignoreSearch: true });
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) {
    await files.put(request, answer.clone());
    await shorten(files, MOST_FILES, '/');
  }
  return answer;
}

async function mail(request, url) {
  const mails = await caches.open(MAILS);
  const name = `/kept/${await digest(request.headers.get('Authorization') ?? '')}${url.pathname}${url.search}`;
  let answer;
  try {
    answer = await fetch(request);
  } catch (error) {
    const kept = await mails.match(name);
    if (kept) return kept;
    throw error;
  }
  if (answer.ok) {
    await mails.delete(name);
    await mails.put(name, answer.clone());
    await shorten(mails, MOST_MAILS, '');
  }
  return answer;
}

async function forget(authorization) {
  const mails = await caches.open(MAILS);
  const begins = `/kept/${await digest(authorization)}/`;
  for (const request of await mails.keys()) if (new URL(request.url).pathname.startsWith(begins)) await mails.delete(request);
}

// The oldest go first.
async function shorten(cache, most, always) {
  const keys = await cache.keys();
  for (const key of keys.slice(0, Math.max(0, keys.length - most))) if (new URL(key.url).pathname !== always) await cache.delete(key);
}

async function digest(text) {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return [...new Uint8Array(bytes).slice(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
