import './styles/tokens.css';
import './styles/parts.css';
import './styles/layout.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { later } from './later';
import { drawIcons, ICONS } from './parts/icons';
import { readPath } from './lib/paths';
import { beginWorker } from './stores/worker';
import { speech } from './stores/language.svelte';
import { theme } from './stores/theme.svelte';

theme.apply();
drawIcons(ICONS);
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
      return App;
  }
}

void speech.start().then(async () => {
  const page = await whole();
  const target = document.getElementById('page');
  target?.replaceChildren();
  if (target) mount(page, { target });
});
