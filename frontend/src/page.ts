/** The page itself: `shell/early.ts` sends for it when its frame has been seen. */

import './styles/tokens.css';
import './styles/parts.css';
import './styles/layout.css';
import { flushSync, mount } from 'svelte';
import App from './App.svelte';
import { later } from './later';
import { readPath } from './lib/paths';
import { giveWay, oneByOne, pieces } from './lib/pieces.svelte';
import { readInvitation, readRoute } from './lib/route';
import { drawIcons, PAGE_ICONS } from './parts/icons';
import { takePlace } from './shell/place';
import { beginWorker } from './stores/worker';
import { session } from './stores/session.svelte';
import { speech } from './stores/language.svelte';
import { theme } from './stores/theme.svelte';

drawIcons(PAGE_ICONS);
// Telegram may open the mailbox itself; its proof is kept for the tab, and would end in histories.
if (location.hash.includes('tgWebAppData') && readPath(location.pathname).page === 'mailbox') {
  const { hash } = location;
  history.replaceState(null, '', location.pathname + location.search);
  void import('./telegram/launch').then(({ readLaunch }) => readLaunch(hash, () => sessionStorage));
}
theme.apply();
beginWorker();
if (!readPath(location.pathname).known) history.replaceState(null, '', `/${location.search}${location.hash}`);

/** The mailbox comes with the page; the account and the administration are loaded where they are asked for. */
async function whole() {
  switch (readPath(location.pathname).page) {
    case 'account':
    case 'signed-in':
      return (await later.account()).default;
    case 'admin':
      return (await later.admin()).default;
    case 'telegram-mail':
      return (await later.telegram()).default;
    default:
      // What is a part of the frame that stands there already is not to come after it.
      await framed().catch(() => undefined);
      return App;
  }
}

async function framed(): Promise<void> {
  const { jwt, mail } = readInvitation(location.search);
  const { view } = readRoute(location.hash);
  if (jwt === null && session.current === null) return;
  await Promise.all([later.list(), mail !== null || view === 'mail' ? later.reader() : null]);
}

void speech.start().then(async () => {
  await giveWay();
  const [page] = await Promise.all([whole(), import('./styles/later.css').catch(() => undefined)]);
  await giveWay();
  const target = document.getElementById('page');
  if (!target) return;
  await takePlace(target, async (target) => {
    let there: unknown;
    await oneByOne(() => {
      there ??= mount(page, { target });
      flushSync();
    });
  });
  await giveWay();
  pieces.there = Infinity;
});
